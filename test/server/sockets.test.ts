import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { io, type Socket } from "socket.io-client";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { ClientEvents, LiveStep, ServerEvents } from "../../src/server/api/events.ts";
import type { Job } from "../../src/server/api/jobs.ts";
import { type RunningServer, startServer } from "../../src/server/start.ts";
import { freshFolder, picture } from "../cli/command.ts";
import { ask } from "./serving.ts";

type Client = Socket<ServerEvents, ClientEvents>;

let server: RunningServer;
let folder: string;

beforeAll(async () => {
  folder = await freshFolder();
  server = await startServer({ port: 0, home: await freshFolder(), demo: null, folders: [folder] });
}, 60_000);
afterAll(() => server?.close());

function client(): Client {
  const socket: Client = io(server.url, { forceNew: true, transports: ["websocket"] });
  onTestFinished(() => void socket.close());
  return socket;
}

const refine = async (iterations: number) => {
  const body = {
    prompt: "a red circle left of a blue square",
    seed: 5,
    model: "shapes",
    rewards: ["shapes"],
    iterations,
  };
  return (await ask(server.url, "/api/v1/refine", { body })).json.id as string;
};

/** Follows a job as a page does, and notes everything that it hears. */
function follow(socket: Client, id: string) {
  const heard: { sent: number[]; live: LiveStep[]; ends: Job[] } = { sent: [], live: [], ends: [] };
  let tell = (_job: Job) => {};
  const ended = new Promise<Job>((resolve) => {
    tell = resolve;
  });
  socket.on("job:steps", (job) => {
    if (job.id === id) heard.sent = job.steps.map(({ step }) => step);
    heard.live = [];
    if (job.id === id && job.ended !== null) tell(job); // it ended while nobody was connected
  });
  socket.on("job:step", (step) => {
    if (step.id === id) heard.live.push(step);
  });
  for (const end of ["job:done", "job:failed", "job:cancelled"] as const) {
    socket.on(end, (job) => {
      if (job.id !== id) return;
      heard.ends.push(job);
      tell(job);
    });
  }
  socket.emit("job:join", id);
  return { heard, ended, steps: () => [...heard.sent, ...heard.live.map(({ step }) => step)] };
}

const until = async (isSo: () => boolean) => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
};
const upTo = (count: number) => Array.from({ length: count }, (_, step) => step);

test("whoever joins, early, late or again after a break, has every step once, in order", {
  timeout: 120_000,
}, async () => {
  const id = await refine(8);
  const early = follow(client(), id);
  await until(() => early.steps().length >= 2);
  const lateSocket = client();
  const late = follow(lateSocket, id);
  const broken = client();
  const again = follow(broken, id);
  await until(() => again.steps().length >= 3);
  broken.io.engine.close(); // the line breaks; the client comes back by itself
  broken.on("connect", () => broken.emit("job:join", id));
  const ends = await Promise.all([early.ended, late.ended, again.ended]);
  const all = upTo(ends[0].steps.length);
  expect(all.length).toBeGreaterThanOrEqual(8);
  for (const [name, one] of Object.entries({ early, late, again })) expect([name, one.steps()]).toEqual([name, all]);
  expect(late.heard.sent.length).toBeGreaterThan(1);
  expect(ends.map(({ state, id }) => [state, id])).toEqual(Array(3).fill(["done", id]));
  const { image, rewards, preview } = early.heard.live[0]!;
  expect(
    Buffer.from(image as ArrayBuffer)
      .subarray(0, 3)
      .toString("hex"),
  ).toBe("ffd8ff");
  expect(Object.keys(rewards!)).toEqual(["Shapes"]);
  expect((await ask(server.url, preview!)).headers["content-type"]).toBe("image/jpeg");
  const after = follow(client(), id);
  await until(() => after.steps().length > 0);
  expect(after.steps()).toEqual(all); // long after its end
});

test("who leaves hears no more; what can not be joined is said", { timeout: 60_000 }, async () => {
  const socket = client();
  const reply = (id: unknown) => new Promise((resolve) => socket.emit("job:join", id as string, resolve));
  expect(await reply("none")).toMatchObject({ error: { code: "not-found" } });
  expect(await reply({ $ne: 1 })).toMatchObject({ error: { code: "request" } });
  socket.emit("job:join", "none", "no function" as never);
  const id = await refine(3);
  const { heard, steps } = follow(socket, id);
  const other = follow(client(), id);
  await until(() => steps().length >= 1);
  socket.emit("job:leave", id);
  await new Promise((resolve) => socket.emit("job:join", "none", resolve)); // the server has read it by now
  const before = steps().length;
  await other.ended;
  expect([steps().length, heard.ends]).toEqual([before, []]);
});

test("pictures that come, and jobs, are news for everyone", { timeout: 60_000 }, async () => {
  const socket = client();
  const news: string[] = [];
  const scored = new Promise<{ path: string; scores: object }>((resolve) => socket.on("library:scored", resolve));
  socket.on("library:changed", ({ added }) => news.push(`${added} added`));
  socket.on("jobs:changed", ({ kind, state }) => news.push(`${kind} ${state}`));
  socket.on("models:changed", () => news.push("models"));
  await until(() => socket.connected);
  await writeFile(join(folder, "new.png"), await picture("red", "a red square"));
  const { path, scores } = await scored;
  expect(path).toBe(join(folder, "new.png"));
  expect(Object.keys(scores)).toEqual(["Shapes"]);
  await until(() => news.includes("score done"));
  expect(news).toEqual(expect.arrayContaining(["1 added", "score queued", "score running", "score done"]));
});

test("a client that does not read holds up nobody, and takes no more memory than others", {
  timeout: 60_000,
}, async () => {
  const slow = client();
  await until(() => slow.connected);
  const { jobs } = server.services;
  const id = await refine(1);
  const heard = follow(slow, id);
  await heard.ended;
  // Its socket is stopped where the kernel's buffers are: everything that the server writes piles up from here.
  const raw = (slow.io.engine.transport as unknown as { ws: { _socket: { pause(): void; resume(): void } } }).ws
    ._socket;
  raw.pause();
  const image = new Uint8Array(2 ** 20);
  const last = heard.steps().length;
  const resident = process.memoryUsage.rss();
  for (let step = last; step < last + 1000; step++) {
    jobs.emit("step", { id, step, image });
    if (step % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(process.memoryUsage.rss() - resident).toBeLessThan(300 * 2 ** 20); // of the 1000 MiB
  const told = new Promise((resolve) => slow.once("job:steps", resolve));
  raw.resume();
  expect(await told).toMatchObject({ id, state: "done" }); // all at once, when it has caught up
});
