// Socket.IO: whoever joins a job is sent every step so far, then each new one. Everything else is news for everyone.

import type { Server as HttpServer } from "node:http";
import { type Socket as AnySocket, Server } from "socket.io";
import { id as idSchema } from "./api/common.ts";
import type { ClientEvents, LiveStep, ServerEvents } from "./api/events.ts";
import type { Job } from "./api/jobs.ts";
import { parse } from "./asked.ts";
import { BusyError, replyOf, toRenoirError } from "./errors.ts";
import { checkHost, checkOrigin, isAuthorised, type Policy, unauthorised } from "./security.ts";
import type { Services } from "./services.ts";

type Socket = AnySocket<ClientEvents, ServerEvents>;

/** Messages that wait for a slow client; more are not added: it is told all at once when it has caught up. */
const backlogLimit = 64;
const roomLimit = 100;
/** What clients send are ids. */
const messageLimit = 16 * 2 ** 10;

export function createSockets(server: HttpServer, services: Services): Server<ClientEvents, ServerEvents> {
  const { policy, jobs, library, engine } = services;
  const io = new Server<ClientEvents, ServerEvents>(server, {
    maxHttpBufferSize: messageLimit,
    connectTimeout: 10_000,
    destroyUpgrade: false, // other upgrades are the gateway's
    allowRequest: ({ headers }, answer) => {
      const reason = refusal(headers, policy);
      answer(reason, reason === null);
    },
    ...(policy.origins.length > 0 && { cors: { origin: [...policy.origins] } }),
  });
  io.use(({ handshake }, next) => {
    const { headers, auth } = handshake;
    next(isAuthorised(headers, policy, auth.token) ? undefined : unauthorised());
  });
  const listeners = new Set<Listener>();
  io.on("connection", (socket) => {
    const listener = new Listener(socket, services);
    listeners.add(listener);
    socket.on("disconnect", () => listeners.delete(listener));
  });

  const toAll = <E extends keyof ServerEvents>(event: E, ...given: Parameters<ServerEvents[E]>) => {
    for (const listener of listeners) listener.tell(event, ...given);
  };
  jobs.on("changed", (job) => toAll("jobs:changed", job));
  jobs.on("discarded", (job) => toAll("jobs:discarded", job));
  library.on("scored", (scored) => toAll("library:scored", scored));
  library.on("changed", (change) => toAll("library:changed", change));
  engine.on("models", () => toAll("models:changed"));

  const toFollowers = (id: string, tell: (listener: Listener) => void) => {
    for (const listener of listeners) if (listener.follows(id)) tell(listener);
  };
  jobs.on("step", (step) => toFollowers(step.id, (listener) => listener.step(step)));
  jobs.on("progress", (progress) =>
    toFollowers(progress.id, (listener) => listener.about(progress.id, "job:progress", progress)),
  );
  jobs.on("note", (note) => toFollowers(note.id, (listener) => listener.about(note.id, "job:note", note)));
  for (const end of ["done", "failed", "cancelled"] as const) {
    jobs.on(end, (job) => toFollowers(job.id, (listener) => listener.about(job.id, `job:${end}`, job)));
  }
  return io;
}

function refusal(headers: Parameters<typeof checkHost>[0], policy: Policy): string | null {
  try {
    checkHost(headers, policy);
    checkOrigin(headers, policy);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

const endings: Readonly<Partial<Record<Job["state"], "job:done" | "job:failed" | "job:cancelled">>> = {
  done: "job:done",
  failed: "job:failed",
  cancelled: "job:cancelled",
};

/** One connected client: what it follows, and what it missed because it was slow. */
class Listener {
  readonly #socket: Socket;
  readonly #jobs: Services["jobs"];
  /** Of each job that is followed, the last step that was sent. */
  readonly #steps = new Map<string, number>();
  /** Jobs of which something was left out. */
  readonly #late = new Set<string>();
  #missedNews = false;

  constructor(socket: Socket, { jobs }: Services) {
    this.#socket = socket;
    this.#jobs = jobs;
    socket.on("job:join", (id, answer) => this.#join(id, answer));
    socket.on("job:leave", (id) => {
      this.#steps.delete(id);
      this.#late.delete(id);
    });
    socket.conn.on("drain", () => this.#catchUp());
  }

  follows(id: string): boolean {
    return this.#steps.has(id);
  }

  tell<E extends keyof ServerEvents>(event: E, ...given: Parameters<ServerEvents[E]>): void {
    if (this.#isSlow()) this.#missedNews = true;
    else this.#socket.emit(event, ...given);
  }

  /** Something about a job that is followed. */
  about<E extends keyof ServerEvents>(id: string, event: E, ...given: Parameters<ServerEvents[E]>): void {
    if (this.#late.has(id)) return;
    if (this.#isSlow()) this.#late.add(id);
    else this.#socket.emit(event, ...given);
  }

  step(step: LiveStep): void {
    if (step.step <= this.#steps.get(step.id)!) return; // it was among those that joining has sent
    this.#steps.set(step.id, step.step);
    this.about(step.id, "job:step", step);
  }

  /** The steps so far and the place among the followers in one go: nothing can come between the two. */
  #join(id: string, answer?: Parameters<ClientEvents["job:join"]>[1]): void {
    const reply = typeof answer === "function" ? answer : () => {};
    try {
      const job = this.#jobs.get(parse(idSchema, id, "the job's id"));
      if (this.#steps.size >= roomLimit) throw new BusyError(`This client follows ${roomLimit} jobs already.`);
      this.#send(job);
      reply({ job });
    } catch (error) {
      reply(replyOf(toRenoirError(error)));
    }
  }

  #send(job: Job): void {
    this.#steps.set(job.id, Math.max(-1, ...job.steps.map(({ step }) => step)));
    this.#socket.emit("job:steps", job);
  }

  #isSlow(): boolean {
    // engine.io's own list of what was not written yet; its types hide it, and nothing else tells
    const { writeBuffer } = this.#socket.conn as unknown as { writeBuffer: readonly unknown[] };
    return writeBuffer.length > backlogLimit;
  }

  #catchUp(): void {
    const late = [...this.#late];
    this.#late.clear();
    for (const id of late) this.#sendAgain(id);
    if (!this.#missedNews) return;
    this.#missedNews = false;
    for (const job of this.#jobs.list().slice(0, roomLimit)) this.#socket.emit("jobs:changed", job);
    this.#socket.emit("library:changed", { added: 0, removed: 0, changed: 0 });
    this.#socket.emit("models:changed");
  }

  #sendAgain(id: string): void {
    try {
      const job = this.#jobs.get(id);
      this.#send(job);
      const ending = endings[job.state];
      if (ending) this.#socket.emit(ending, job);
    } catch {
      this.#steps.delete(id); // it was discarded meanwhile
    }
  }
}
