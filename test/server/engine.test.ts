// The models' own process with the built-in models: what it gives is what the same work gives here, whoever else works in between.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
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
  mode: "refine",
} as const;

let home: string;
let engine: Engine;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "renoir-engine-"));
  engine = new Engine({ home, settings });
});
afterAll(async () => {
  await engine.close();
  await rm(home, { recursive: true });
});

let folders = 0;
const folder = () => join(home, "jobs", String(folders++));
const refineOf = (iterations: number, seed: number | bigint = 5) => ({
  flags: { prompt, seed, model: "shapes" },
  folder: folder(),
  iterations,
  ...manner,
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
  const reward = await loadReward("shapes", { provider: "cpu" });
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

test("a refine's steps are those of refine(), and a score goes in between two of them", async () => {
  const pipeline = await loadPipeline("shapes", { provider: "cpu" });
  const reward = await loadReward("shapes", { provider: "cpu" });
  const expected = [];
  for await (const step of refine({
    pipeline,
    rewards: [{ reward }],
    prompt,
    seed: 5,
    iterations: 6,
    provider: "cpu",
  })) {
    expected.push(step.loss);
  }
  const order: string[] = [];
  const pieces: RefinePiece[] = [];
  let scoring: Promise<unknown> | undefined;
  const result = await engine.refine(
    { ...refineOf(6), observe: ["shapes"] },
    {
      onPiece(piece) {
        pieces.push(piece);
        order.push(`step ${piece.step}`);
        if (piece.step === 1)
          scoring = engine.score([{ source: picture(), prompt }], ["shapes"]).then(() => order.push("score"));
      },
    },
  );
  await scoring;
  expect(pieces.map(({ loss }) => loss)).toEqual(expected.map((loss) => expect.closeTo(loss, 5)));
  expect(order.indexOf("score")).toBeLessThanOrEqual(order.indexOf("step 3"));
  const best = expected.indexOf(Math.min(...expected));
  expect(result).toMatchObject({ best, iterations: 6 });
  expect(pieces.every(({ preview, noiseSize }) => preview!.length > 100 && noiseSize === 1024)).toBe(true);
  expect(pieces[2]!.observed!.Shapes).toBeTypeOf("number");
  expect(result.observed!.after.Shapes).toBeCloseTo(result.scores.after.Shapes!, 6);
  await pipeline.unload();
  await reward.unload();
});

/** A small BMP-like picture is not needed: any PNG will do. */
const picture = () =>
  Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGP8z8DAwMDAxMDAwMDAAAANHQEDasKb6QAAAABJRU5ErkJggg==",
    "base64",
  );
