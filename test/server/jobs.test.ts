// Jobs with the real engine and the built-in models, over a library of a few pictures: begun, followed, cancelled, kept, and gone on with.

import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readMetadata } from "../../src/metadata/index.ts";
import type { LiveStep } from "../../src/server/api/events.ts";
import { type Job, job as jobSchema, refineRequest } from "../../src/server/api/jobs.ts";
import { type Database, openDatabase } from "../../src/server/database.ts";
import { Engine } from "../../src/server/engine/engine.ts";
import { Jobs } from "../../src/server/jobs/jobs.ts";
import { type JobChange, JobTable } from "../../src/server/jobs/table.ts";
import type { JobLibrary } from "../../src/server/jobs/work.ts";
import { silentLog } from "../../src/server/log.ts";
import { SettingsStore } from "../../src/server/settings.ts";

const prompt = "a red circle left of a blue square";

/** What jobs need of a library, over files that are there. */
class Pictures extends EventEmitter implements JobLibrary {
  readonly files = new Map<string, string>();
  readonly folders = new Set<string>();
  readonly scores = new Map<string, number>();
  readonly written: string[] = [];

  add(path: string): string {
    const id = basename(path);
    this.files.set(id, path);
    this.folders.add(dirname(path));
    this.emit("changed", { added: 1, removed: 0, changed: 0 });
    return id;
  }
  async scan() {
    return { added: 0 };
  }
  wanting(_: string[], { ids = [...this.files.keys()], again = false }: { ids?: string[]; again?: boolean }) {
    return ids.filter((id) => again || !this.scores.has(id));
  }
  recordScores(id: string, [entry]: { score: number }[]) {
    this.scores.set(id, entry!.score);
  }
  fileOf(id: string) {
    return this.files.get(id)!;
  }
  async addFolder(path: string) {
    this.folders.add(path);
  }
  async addFile(path: string) {
    if (!this.folders.has(dirname(path))) throw new Error(`${path} lies outside of the folders.`);
    return this.add(path);
  }
  async change({ ids = [] }: { ids?: string[] | undefined }) {
    this.written.push(...ids);
    return { operation: "1", done: ids.length, failed: [] };
  }
}

let home: string;
let database: Database;
let engine: Engine;
let library: Pictures;
let settings: SettingsStore;
let jobs: Jobs;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "renoir-jobs-"));
  database = openDatabase(join(home, "library.db"));
  settings = await SettingsStore.open(home);
  await settings.change({ provider: "cpu", scoreNew: false });
  engine = new Engine({ home, settings, threads: 1 });
  library = new Pictures();
  jobs = new Jobs({ home, database, engine, library, settings, log: silentLog() });
});
afterAll(async () => {
  await jobs.close();
  await engine.close();
  database.close();
  await rm(home, { recursive: true });
});

const until = (id: string, state: "done" | "failed" | "cancelled") =>
  new Promise<Job>((resolve) => {
    const known = jobs.get(id);
    if (known.state === state) resolve(known);
    else jobs.on(state, (job) => job.id === id && resolve(job));
  });

const refineOf = (more: object) => refineRequest.parse({ model: "shapes", ...more });

test("a generate and a refine of its picture: steps with previews, before and after, kept once beside the source", async () => {
  const { id } = await jobs.start("generate", { prompt, count: 2, seed: "7", rewards: ["shapes"] });
  const made = jobSchema.parse(await until(id, "done"));
  expect(made.result!.pictures!.map(({ seed }) => seed)).toEqual(["7", "8"]);
  expect(made.steps.map(({ step }) => step)).toEqual([0, 1]);
  expect((await readFile(jobs.preview(id, 1))).subarray(0, 2)).toEqual(Buffer.from([0xff, 0xd8]));
  const drawn = await jobs.keep(id, { index: 1 });
  expect(drawn.result!.pictures![1]!.id).toBe(basename(drawn.result!.kept!.path));
  expect([...library.folders]).toEqual([settings.get().outputFolder]);
  await library.addFolder(home);
  const picture = join(home, "fox.png");
  await copyFile(jobs.picture(id, "0.png"), picture);
  expect((await readMetadata(picture)).scores.Shapes).toBeCloseTo(made.result!.pictures![0]!.scores!.Shapes!, 4);

  const live: LiveStep[] = [];
  jobs.on("step", (step) => live.push(step));
  const refining = await jobs.start(
    "refine",
    { ...refineRequest.parse({ iterations: 4 }), image: picture },
    { source: "fox" },
  );
  const refined = jobSchema.parse(await until(refining.id, "done"));
  expect(refined).toMatchObject({ title: prompt, source: "fox", progress: { done: 4, total: 4 } });
  expect(refined.steps).toEqual(live.map(({ id: _, image: __, ...step }) => step));
  expect(live.every(({ image }) => image!.byteLength > 100)).toBe(true);
  expect(refined.notes[0]).toBe(`${picture} says that it was made by "shapes", the built-in demo model.`);
  expect(refined.result!.scores!.before.Shapes).toBeCloseTo(made.result!.pictures![0]!.scores!.Shapes!, 4);
  expect(await readFile(jobs.picture(refining.id, "before.png"))).toBeTruthy();

  const [kept] = await Promise.all([jobs.keep(refining.id), jobs.keep(refining.id)]);
  await jobs.keep(refining.id);
  expect(kept.result!.kept).toEqual({ path: join(home, "fox-refined.png"), id: "fox-refined.png" });
  expect(existsSync(join(home, "fox-refined-2.png"))).toBe(false);
  const other = refined.result!.best === 0 ? 1 : 0;
  const step = await jobs.keep(refining.id, { step: other });
  const told = await readMetadata(step.result!.kept!.path);
  expect(told.settings["ReNO best"]).toBe(other);
  expect((await jobs.keep(refining.id)).result!.kept).toEqual(kept.result!.kept);
  const discarded = new Promise((resolve) => jobs.once("discarded", resolve));
  await jobs.discard(refining.id);
  expect(await discarded).toEqual({ id: refining.id });
  expect(existsSync(join(home, "jobs", refining.id))).toBe(false);
  expect(existsSync(kept.result!.kept!.path)).toBe(true);
  expect(() => jobs.get(refining.id)).toThrow("There is no job");
});

test("infotext alone is refined; cancelled, it has the best so far; what waited for it begins", async () => {
  const infotext = `${prompt}\nSteps: 1, Sampler: Euler, CFG scale: 1, Seed: 7, Size: 64x64, Model: shapes, RNG: CPU, Version: Renoir 0.1.0`;
  const selectOf = (more: object) => refineOf({ mode: "select", ...more }); // which needs no gradient
  const long = await jobs.start("refine", selectOf({ infotext, iterations: 1000 }));
  const waiting = await jobs.start("refine", selectOf({ prompt, iterations: 1 }), { client: "other" });
  const never = await jobs.start("refine", refineOf({ prompt, iterations: 1 }), { client: "other" });
  expect((await jobs.cancel(never.id)).state).toBe("cancelled");
  await new Promise<void>((resolve) => jobs.on("step", ({ id, step }) => id === long.id && step === 2 && resolve()));
  expect(jobs.list().find(({ id }) => id === waiting.id)!.state).toBe("queued");
  await jobs.cancel(long.id);
  const cancelled = await until(long.id, "cancelled");
  expect(cancelled.steps.length).toBeGreaterThanOrEqual(3);
  expect(cancelled.result).toMatchObject({
    best: expect.any(Number),
    scores: { after: { Shapes: expect.any(Number) } },
  });
  const { request, notes } = await until(waiting.id, "done");
  const kept = await jobs.keep(waiting.id);
  const place = join(settings.get().outputFolder, `${request.seed}-refined.png`);
  expect(kept.result!.kept).toEqual({ path: place, id: basename(place) });
  expect(request.seed).toMatch(/^\d+$/);
  expect(notes).not.toContainEqual(expect.stringContaining("--"));
});

test("what can not be done is told: at once where the request is wrong, by the job where its picture is", async () => {
  await expect(jobs.start("refine", refineOf({}))).rejects.toThrow("Neither a picture nor infotext nor a prompt");
  await expect(jobs.start("refine", refineOf({ prompt, rewards: ["no reward"] }))).rejects.toThrow("no reward");
  const { id } = await jobs.start("refine", { ...refineOf({}), image: join(home, "gone.png") });
  const failed = await until(id, "failed");
  expect(failed.error).toMatchObject({ message: expect.stringContaining("gone.png") });
  const pull = await jobs.start("pull", { name: "shapes" });
  expect((await until(pull.id, "failed")).error!.message).toContain('"shapes" can not be fetched');
});

test("new pictures are scored by one job however they arrive; what fails is not tried again unasked; scores are written where wanted", async () => {
  const made = await jobs.start("generate", { prompt, count: 3, seed: "1" });
  await until(made.id, "done");
  const before = jobs.list().length;
  library.files.clear();
  library.scores.clear();
  await settings.change({ scoreNew: true, writeNew: true });
  for (const index of [0, 1, 2]) library.add(jobs.picture(made.id, `${index}.png`));
  library.add(join(home, "not there.png"));
  const [job] = await new Promise<[Job]>((resolve) => jobs.once("done", (job) => resolve([job])));
  expect(job).toMatchObject({ title: "New pictures", result: { counts: { scored: 3, failed: 1 } } });
  expect([...library.scores.keys()]).toEqual(["0.png", "1.png", "2.png"]);
  expect(library.written).toEqual(["0.png", "1.png", "2.png"]);
  library.emit("changed", { added: 1, removed: 0, changed: 0 });
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect(jobs.list().length).toBe(before + 1);
});

test("old jobs go with their files; what was cancelled or ended the server three times is not begun again", async () => {
  const where = await mkdtemp(join(tmpdir(), "renoir-old-"));
  const stored = openDatabase(join(where, "library.db"));
  const table = new JobTable(stored);
  const add = (id: string, change: JobChange) => {
    table.insert({
      ...{ id, kind: "pull", title: id, client: "", priority: 0 },
      source: null,
      picture: null,
      request: {},
    });
    table.change(id, change);
  };
  const now = Date.now();
  add("month", { state: "done", ended: now - 31 * 24 * 3_600_000 });
  for (let i = 0; i < 203; i++) add(`old ${i}`, { state: "done", ended: now });
  add("deadly", { state: "running", attempts: 3 });
  add("unwanted", { state: "running", unwanted: true });
  await mkdir(join(where, "jobs", "old 0"), { recursive: true });
  const others = new Jobs({ home: where, database: stored, engine, library, settings, log: silentLog() });
  others.resume();
  expect(others.get("deadly")).toMatchObject({
    state: "failed",
    error: { message: expect.stringContaining("3 times") },
  });
  expect(others.get("unwanted").state).toBe("cancelled");
  while (existsSync(join(where, "jobs", "old 0"))) await new Promise((resolve) => setTimeout(resolve, 5));
  await others.close();
  const left = others.list().map(({ id }) => id);
  expect([left.length, left[0], left.at(-1)]).toEqual([200, "unwanted", "old 5"]);
  stored.close();
  await rm(where, { recursive: true });
});

test("a server that is killed in the middle of a refine goes on with it, and each step is there once", async () => {
  const where = await mkdtemp(join(tmpdir(), "renoir-killed-"));
  const first = jobsProcess(where, 12);
  const orphan = (await first.line(({ step }) => step === 3)).engine!;
  first.process.kill("SIGKILL");
  await once(first.process, "exit");
  const second = jobsProcess(where, 12);
  const { done } = await second.line(({ done }) => done !== undefined);
  await once(second.process, "exit");
  expect(() => process.kill(orphan, 0)).toThrow("ESRCH");
  const stored = openDatabase(join(where, "library.db"));
  const table = new JobTable(stored);
  const { request, result } = table.get(done!);
  const steps = table.steps(done!);
  stored.close();
  expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i));

  const undisturbed = await jobs.start("refine", refineOf({ prompt, iterations: 12, seed: request.seed }));
  const whole = await until(undisturbed.id, "done");
  expect(steps.map(({ loss }) => loss)).toEqual(whole.steps.map(({ loss }) => expect.closeTo(loss!, 3)));
  expect(result).toMatchObject({ best: whole.result!.best });
  await rm(where, { recursive: true });
}, 180_000);

interface Line {
  readonly step?: number;
  readonly engine?: number;
  readonly done?: string;
}

function jobsProcess(where: string, iterations: number) {
  const script = join(import.meta.dirname, "jobsProcess.ts");
  const child = spawn(process.execPath, ["--import", "tsx", script, where, prompt, String(iterations)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout });
  const line = (wanted: (line: Line) => boolean) =>
    new Promise<Line>((resolve) => {
      lines.on("line", (text) => {
        const told = JSON.parse(text) as Line;
        if (wanted(told)) resolve(told);
      });
    });
  return { process: child, line };
}
