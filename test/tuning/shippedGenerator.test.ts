// The generator that ships: what training.json says of it must be so.

import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadPipeline } from "../../src/reno/loadPipeline.ts";
import { check } from "../../src/shapes/check.ts";
import { sentence, side } from "../../src/shapes/scene.ts";
import { testOf } from "../../src/tuning/generatorEvaluation.ts";
import { partShapes, parts, tokenizer, weightFiles } from "../../src/tuning/generatorModels.ts";
import { toPixels } from "../../src/tuning/generatorTraining.ts";
import { openCheckpoint } from "../../src/weights/checkpoint.ts";

const folder = join(import.meta.dirname, "../../assets/shapes/generator");
const record = JSON.parse(await readFile(join(folder, "training.json"), "utf8"));
const shareOf = ({ right, of }: { right: number; of: number }) => right / of;

test("its tensors are those of fresh models of its sizes, no more and no fewer", async () => {
  for (const part of parts) {
    const { tensors } = await openCheckpoint(join(folder, weightFiles[part]));
    const shapes = Object.fromEntries([...tensors].map(([name, { shape }]) => [name, [...shape]]));
    expect(shapes, part).toEqual(partShapes[part](record.settings.sizes));
  }
});

test("it is no larger than 12 MB in all", async () => {
  const names = await readdir(folder, { recursive: true });
  const files = await Promise.all(names.map((name) => stat(join(folder, name))));
  const bytes = files.filter((file) => file.isFile()).reduce((sum, { size }) => sum + size, 0);
  expect(bytes).toBeGreaterThan(1e6);
  expect(bytes).toBeLessThan(12e6);
});

test("loaded as a user loads it, it draws held-out sentences right as often as its record says", async () => {
  const pipeline = await loadPipeline("shapes", { provider: "cpu", threads: 1 });
  expect([pipeline.size, pipeline.scaleFactor, pipeline.predictionType]).toEqual([
    { width: side, height: side },
    4,
    "v_prediction",
  ]);
  const said = "two small red circles and a large blue cross on gray";
  expect(pipeline.tokenizer.padded(said)).toEqual(tokenizer.padded(said));
  let [right, all] = [0, 0];
  for (let i = 0; all < 40; i++) {
    const { description, noise, split } = testOf(i, 77);
    if (split === "training") continue;
    const { pixels } = await pipeline.generate({ prompt: sentence(description), latents: noise });
    all++;
    if (check(toPixels(pixels.map((x) => 2 * x - 1))[0]!, sentence(description)).right) right++;
  }
  await pipeline.unload();
  // Of 40 sentences the share's standard error is 8 %.
  expect(Math.abs(right / all - shareOf(record.drawn["held out"]))).toBeLessThan(0.2);
});

test("what goes through the autoencoder is what it was", () => {
  expect(shareOf(record.coded)).toBeGreaterThan(0.9);
});
