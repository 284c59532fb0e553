// The models' own process with the built-in models: what it gives is what the same work gives here, whoever else works in between.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadPipeline } from "../../src/reno/loadPipeline.ts";
import { refine } from "../../src/reno/refine.ts";
import { loadReward } from "../../src/scoring/loadReward.ts";
import { Engine, type RefinePiece, type Scored } from "../../src/server/engine/engine.ts";

const prompt = "a red circle left of a blue square";
const settings = { get: () => ({ provider: "cpu" as const, idleMinutes: 15 }) };
const manner = {
  optimizer: "sgd",
  learningRate: 5,
  gradientClip: 0.1,
  regularization: 0.01,
} as const;

let home: string;
let engine: Engine;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "renoir-engine-"));
  engine = new Engine({ home, settings, threads: 1 });
});
afterAll(async () => {
  await engine.close();
  await rm(home, { recursive: true });
});

let folders = 0;
const folder = () => join(home, "jobs", String(folders++));
const refineOf = (iterations: number, mode: "refine" | "select" = "refine") => ({
  flags: { prompt, seed: 5, model: "shapes" },
  folder: folder(),
  iterations,
  ...manner,
  mode,
});

test("pictures, their infotext and their scores come from it as they would here; a picture that is none is an error of its own", async () => {
  const into = folder();
  const seeds: string[] = [];
  const seed = 2n ** 60n + 1n;
  const made = await engine.generate(
    { flags: { prompt, seed, model: "shapes" }, folder: into, count: 2, from: 0, rewards: ["shapes"] },
    { onPiece: (piece) => seeds.push(piece.seed) },
  );
  expect([made, seeds]).toEqual([2, [String(seed), String(seed + 1n)]]);
  const files = [join(into, "0.png"), join(into, "1.png")];
  const reward = await loadReward("shapes", { provider: "cpu", threads: 1 });
  const expected = await reward.score(prompt, files);
  const bytes = await readFile(files[1]!);
  const results = await engine.score(
    [{ source: files[0]! }, { source: bytes }, { source: Buffer.from("no picture"), name: "note.txt" }],
    ["shapes=0.5"],
  );
  const [first, second] = results as Scored[];
  expect(first!.scores.Shapes).toBeCloseTo(expected[0]!, 6);
  expect(second!.scores.Shapes).toBeCloseTo(expected[1]!, 6);
  expect(first).toMatchObject({ prompt, approximate: false, total: first!.scores.Shapes! / 2 });
  expect(first!.versions.Shapes).toMatch(/^[0-9a-f]{12}$/);
  expect(results[2]).toMatchObject({ error: { code: "request", message: expect.stringContaining("note.txt") } });
  await reward.unload();
});

const iterations = 6;
const expected: number[] = [];

test("a refine's steps are those of refine(), and a score goes in between two of them", async () => {
  const pipeline = await loadPipeline("shapes", { provider: "cpu", threads: 1 });
  const reward = await loadReward("shapes", { provider: "cpu", threads: 1 });
  const rewards = [{ reward }];
  for await (const { loss } of refine({
    pipeline,
    rewards,
    prompt,
    seed: 5,
    iterations,
    provider: "cpu",
    threads: 1,
  })) {
    expected.push(loss);
  }
  const order: string[] = [];
  const pieces: RefinePiece[] = [];
  let scoring: Promise<unknown> | undefined;
  const score = async () => {
    await engine.score([{ source: picture, prompt }], ["shapes"]);
    order.push("score");
  };
  const onPiece = (piece: RefinePiece) => {
    pieces.push(piece);
    order.push(`step ${piece.step}`);
    if (piece.step === 1) scoring = score();
  };
  const result = await engine.refine({ ...refineOf(iterations), observe: ["shapes"] }, { onPiece });
  await scoring;
  expect(pieces.map(({ loss }) => loss)).toEqual(expected.map((loss) => expect.closeTo(loss, 5)));
  expect(order.indexOf("score")).toBeLessThanOrEqual(order.indexOf("step 3"));
  expect(result).toMatchObject({ best: expected.indexOf(Math.min(...expected)), iterations });
  expect(pieces.every(({ preview, noiseSize }) => preview!.length > 100 && noiseSize === 1024)).toBe(true);
  expect(pieces[2]!.observed!.Shapes).toBeTypeOf("number");
  expect(result.observed!.after.Shapes).toBeCloseTo(result.scores.after.Shapes!, 6);
  await Promise.all([pipeline.unload(), reward.unload()]);
});

test("killed in the middle, a refine goes on from its last step; a score that was at work fails with a sentence", async () => {
  const losses: number[] = [];
  const notes: string[] = [];
  const onPiece = ({ step, loss }: RefinePiece) => {
    expect(step).toBe(losses.length);
    losses.push(loss);
    if (step === 2) process.kill(engine.pid!, "SIGKILL");
  };
  const { best } = await engine.refine(refineOf(iterations), { onPiece, onNote: (note) => notes.push(note) });
  expect(losses).toEqual(expected.map((loss) => expect.closeTo(loss, 4)));
  expect(best).toBe(expected.indexOf(Math.min(...expected)));
  expect(notes).toContainEqual(expect.stringMatching(/ended in the middle of this, by SIGKILL.* once more/));

  const many = Array.from({ length: 100 }, () => ({ source: picture, prompt }));
  const onScored = (_: unknown, first: number) => first === 0 && process.kill(engine.pid!, "SIGKILL");
  await expect(engine.score(many, ["shapes"], { onScored })).rejects.toMatchObject({
    code: "system",
    message: expect.stringContaining("by SIGKILL"),
    hint: expect.stringContaining("memory ran out"),
  });
});

test("what waits can be cancelled, what works ends with the best so far", async () => {
  const cancelled = new AbortController();
  const waiting = new AbortController();
  let unwanted: Promise<void> | undefined;
  const seen: number[] = [];
  const refining = engine.refine(refineOf(1000, "select"), {
    signal: cancelled.signal,
    onPiece({ step }) {
      seen.push(step);
      if (step > 0) return;
      const late = engine.score([{ source: picture, prompt }], ["shapes"], { priority: 0, signal: waiting.signal });
      waiting.abort(new Error("no longer wanted"));
      unwanted = expect(late).rejects.toThrow("no longer wanted");
      cancelled.abort();
    },
  });
  const { iterations, scores } = await refining;
  await unwanted;
  expect([iterations, seen.length]).toEqual([1, 1]);
  expect(scores.after).toEqual(scores.before);
  await expect(engine.refine(refineOf(3), { signal: cancelled.signal })).rejects.toThrow("aborted");
});

test("a reward that is not there is told by name, and the others are not in its way", async () => {
  const score = (...rewards: string[]) => engine.score([{ source: picture, prompt }], rewards);
  await expect(score("shapes", "imagereward")).rejects.toMatchObject({
    code: "request",
    message: 'The reward "imagereward" has no checkpoint yet.',
  });
  expect((await score("shapes"))[0]).toHaveProperty("scores");
});

test("models are loaded and let go by name; with the last of them the process goes, and its memory", async () => {
  await engine.load("shapes");
  const loaded = engine.loaded();
  expect(loaded.map(({ name, kind, ready }) => [name, kind, ready])).toEqual([
    ["shapes", "reward", true],
    ["shapes", "pipeline", true],
  ]);
  expect(engine.state()).toMatchObject({ state: "ready", provider: "cpu" });
  expect(engine.state().residentBytes).toBeGreaterThan(5e7);
  const { pid } = engine;
  await engine.unload("shapes");
  expect(engine.state()).toMatchObject({ state: "stopped", residentBytes: 0 });
  expect(engine.loaded()).toEqual([]);
  expect(() => process.kill(pid!, 0)).toThrow("ESRCH");
  const idle = new Engine({ home, settings: { get: () => ({ provider: "cpu", idleMinutes: 0.001 }) }, threads: 1 });
  await idle.score([{ source: picture, prompt }], ["shapes"]);
  while (idle.state().state !== "stopped") await new Promise((resolve) => idle.once("models", () => resolve(null)));
  expect(idle.loaded()).toEqual([]);
  await idle.close();
});

/** Two by two pixels. */
const picture = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGP8z8DAwMDAxMDAwMDAAAANHQEDasKb6QAAAABJRU5ErkJggg==",
  "base64",
);
