// The load itself: clients that ask again as soon as they are answered, sockets that count what they are sent, and looks at
// the server's own figures.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { io, type Socket } from "socket.io-client";
import type { ClientEvents, ServerEvents } from "../../server/api/events.ts";
import type { Job } from "../../server/api/jobs.ts";
import type { Facets } from "../../server/api/library.ts";
import type { ScoreReply } from "../../server/api/pictures.ts";
import type { Health } from "../../server/api/system.ts";

export interface Load {
  readonly url: string;
  readonly seconds: number;
  readonly clients: number;
  readonly watchers: number;
}

export interface LoadResult {
  readonly load: Load;
  /** Milliseconds, each from a request's first try to its answer. */
  readonly scores: readonly number[];
  readonly page: readonly number[];
  /** How often a client was asked to come again later. */
  readonly waits: number;
  readonly errors: readonly string[];
  readonly watched: { readonly steps: number; readonly wrong: number };
  readonly samples: readonly Sample[];
}

/** Bytes of the two processes, and how long the event loop was held up in the minute before. */
interface Sample {
  readonly server: number;
  readonly engine: number;
  readonly eventLoop: Health["eventLoop"];
}

const lookBackMs = 60_000;
const sampleMs = 5_000;
const pageMs = 250;
const patientMs = 100;

export async function loadServer(load: Load): Promise<LoadResult> {
  const { url } = load;
  await settled(url);
  const { id } = await ask<{ id: string }>(`${url}/api/v1/refine`, {
    prompt: "a red circle left of a blue square",
    ...{ seed: 1, model: "shapes", rewards: ["shapes"], iterations: 10_000 }, // more than there will be time for
  });
  const watchers = Array.from({ length: load.watchers }, () => watch(url, id));
  const work = new Work(load);
  const pictures = await encodedPictures();
  await Promise.all([
    ...Array.from({ length: load.clients }, (_, client) => work.score(client, pictures)),
    work.lookAtPages(),
    work.sample(),
  ]);
  const watched = await judge(url, id, watchers);
  const { scores, page, waits, errors, samples } = work;
  return { load, scores, page, waits, errors, watched, samples };
}

/** When the first start's pictures have their scores. */
async function settled(url: string): Promise<void> {
  for (;;) {
    const { total, rewards } = await ask<Facets>(`${url}/api/v1/library/facets`);
    if (total > 0 && rewards[0]?.count === total) return;
    await wait(pageMs);
  }
}

async function encodedPictures(): Promise<string[]> {
  const folder = fileURLToPath(new URL("../../../assets/pictures", import.meta.url));
  const names = (await readdir(folder)).filter((name) => name.endsWith(".png"));
  return Promise.all(names.map((name) => readFile(join(folder, name), "base64")));
}

class Work {
  readonly #url: string;
  readonly #began = Date.now();
  readonly #end: number;
  readonly scores: number[] = [];
  readonly page: number[] = [];
  readonly errors: string[] = [];
  readonly samples: Sample[] = [];
  waits = 0;

  constructor({ url, seconds }: Load) {
    this.#url = url;
    this.#end = this.#began + seconds * 1000;
  }

  /** One client: the next picture when it has the score of the one before. */
  async score(client: number, pictures: readonly string[]): Promise<void> {
    for (let turn = client; Date.now() < this.#end; turn++) {
      const body = { images: [pictures[turn % pictures.length]!], rewards: ["shapes"] };
      await this.#timed(this.scores, async () => {
        const { results } = await this.#patiently<ScoreReply>("/api/v1/score", body, `bench ${client}`);
        if (typeof results[0]?.total !== "number") throw new Error(JSON.stringify(results));
      });
    }
  }

  /** Somebody who looks through the library meanwhile. */
  async lookAtPages(): Promise<void> {
    while (Date.now() < this.#end) {
      await this.#timed(this.page, () => ask(`${this.#url}/api/v1/library?limit=100&sort=-score`));
      await wait(pageMs);
    }
  }

  /** The server's own figures look back a minute: until then they tell of its start as well, and only memory is taken from them. */
  async sample(): Promise<void> {
    const none = { p50Ms: 0, p99Ms: 0, maxMs: 0 };
    while (Date.now() < this.#end) {
      await wait(Math.min(sampleMs, this.#end - Date.now()));
      const { engine, eventLoop } = await ask<Health>(`${this.#url}/health`);
      const server = Number(/^renoir_resident_bytes (\S+)/m.exec(await text(`${this.#url}/metrics`))![1]);
      const now = Date.now();
      const counts = now - this.#began > lookBackMs || now >= this.#end;
      this.samples.push({ server, engine: engine.residentBytes, eventLoop: counts ? eventLoop : none });
    }
  }

  async #timed(into: number[], work: () => Promise<unknown>): Promise<void> {
    const began = performance.now();
    try {
      await work();
      into.push(performance.now() - began);
    } catch (error) {
      this.errors.push(String(error));
      await wait(patientMs);
    }
  }

  /** Comes again when it is told to: a 429 with Retry-After is an answer, and no error. */
  async #patiently<T>(path: string, body: object, client: string): Promise<T> {
    for (;;) {
      const response = await post(`${this.#url}${path}`, body, client);
      const after = response.headers.get("retry-after");
      if (response.status !== 429 || after === null) return read<T>(response);
      await response.text();
      this.waits++;
      await wait(Number(after) * 1000);
    }
  }
}

interface Watcher {
  readonly socket: Socket<ServerEvents, ClientEvents>;
  readonly steps: number[];
}

function watch(url: string, id: string): Watcher {
  const socket: Watcher["socket"] = io(url, { forceNew: true, transports: ["websocket"] });
  const steps: number[] = [];
  socket.on("connect", () => void socket.emit("job:join", id));
  socket.on("job:steps", (job) => void steps.push(...job.steps.map(({ step }) => step)));
  socket.on("job:step", ({ step }) => void steps.push(step));
  return { socket, steps };
}

/** After the end: how many steps there were, and how many a socket lacks or has twice. */
async function judge(url: string, id: string, watchers: readonly Watcher[]) {
  const { steps } = await read<Job>(await fetch(`${url}/api/v1/jobs/${id}`, { method: "DELETE" }));
  await wait(1000); // the last of them are on their way
  const wrongOf = ({ steps: seen }: Watcher) => {
    const missed = steps.filter(({ step }) => !seen.includes(step)).length;
    return missed + seen.length - new Set(seen).size;
  };
  const wrong = watchers.reduce((sum, watcher) => sum + wrongOf(watcher), 0);
  for (const { socket } of watchers) socket.close();
  return { steps: steps.length, wrong };
}

const post = (url: string, body: object, client = "bench") =>
  fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", "x-renoir-client": client },
    body: JSON.stringify(body),
  });

const ask = async <T>(url: string, body?: object): Promise<T> => read<T>(await (body ? post(url, body) : fetch(url)));

const text = async (url: string): Promise<string> => (await fetch(url)).text();

async function read<T>(response: Response): Promise<T> {
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}
