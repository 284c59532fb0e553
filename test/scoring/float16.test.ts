// Rewards in float16: near upstream's scores, and near float32's gradients.

import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rootMeanSquareError, spread } from "../../src/cli/bench/statistics.ts";
import { loadBertTokenizer } from "../../src/scoring/bertTokenizer.ts";
import { ImageReward } from "../../src/scoring/imageReward.ts";
import { loadReward } from "../../src/scoring/loadReward.ts";
import type { Checkpoint } from "../../src/weights/checkpoint.ts";
import { cosine, largestDifference } from "../support/compare.ts";
import { floatPicture, openReferenceModel, prompts, recorded, referencePictures } from "../support/referenceModel.ts";

let checkpoint: Checkpoint;
let half: ImageReward;

const open = (dtype: "float32" | "float16") =>
  new ImageReward(checkpoint, loadBertTokenizer(), { dtype, provider: "cpu", threads: 1 });

beforeAll(async () => {
  checkpoint = await openReferenceModel("small");
  half = open("float16");
});

afterAll(async () => {
  await half.unload();
  await rm(dirname(checkpoint.path), { recursive: true });
});

test("scores are within a hundredth of their spread, and say that they are float16's", async () => {
  expect(half.dtype).toBe("float16");
  const scores = await half.score(prompts[0]!, referencePictures("small"));
  const upstream = recorded("small").scores[0]!;
  const unit = spread(recorded("small").scores.flat());
  expect(rootMeanSquareError(scores, upstream) / unit).toBeLessThan(1e-2);
  expect(largestDifference(scores, upstream) / unit).toBeLessThan(2e-2);
  expect(largestDifference(scores, upstream)).toBeGreaterThan(1e-6); // and they are not secretly exact
});

test("the gradient points where float32's does", async () => {
  const picture = floatPicture("small/gradient/1", [40, 33]);
  const exact = open("float32");
  const want = await exact.gradient(prompts[1]!, picture);
  await exact.unload();
  const got = await half.gradient(prompts[1]!, picture);
  expect(Math.abs(got.reward - want.reward) / spread(recorded("small").scores.flat())).toBeLessThan(1e-2);
  expect(cosine(got.gradient, want.gradient)).toBeGreaterThan(0.999);
});

test("a reward is float32 unless it is asked otherwise", async () => {
  const dtypes = [];
  for (const dtype of [undefined, "auto", "float16"]) {
    dtypes.push((await loadReward("shapes", { dtype, provider: "cpu" })).dtype);
  }
  expect(dtypes).toEqual(["float32", "float32", "float16"]);
  await expect(loadReward("shapes", { dtype: "bfloat16" })).rejects.toThrow("auto, float32, float16 or int8");
});
