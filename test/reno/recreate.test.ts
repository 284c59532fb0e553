// Pictures made again from recipes that leave something open, by a small pipeline.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compile, input } from "../../src/graph/index.ts";
import type { Conditionings, Recipe } from "../../src/reno/hosts/making.ts";
import { loadPipeline } from "../../src/reno/loadPipeline.ts";
import { noise } from "../../src/reno/noise/index.ts";
import type { Conditioning, Embedding, Pipeline } from "../../src/reno/pipeline.ts";
import { type Original, recreate } from "../../src/reno/recipe.ts";
import { toBytes } from "../../src/reno/resultFile.ts";
import { pictureOf, type StepParts } from "../../src/reno/stepGraph.ts";
import { largestDifference } from "../support/compare.ts";
import { writeDiffusersFolder } from "../support/tinyPipelines.ts";

let folder: string;
let pipeline: Pipeline;
beforeAll(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "renoir-recreate-")), "sd1");
  await writeDiffusersFolder(folder, "sd1");
  pipeline = await loadPipeline(folder, { provider: "cpu", threads: 1 });
});
afterAll(async () => {
  await pipeline.unload();
  await rm(join(folder, ".."), { recursive: true });
});

const times = (states: Embedding, factor: number): Embedding => ({
  ...states,
  data: states.data.map((value) => value * factor),
});

/** A prompt and a negative prompt whose states have been multiplied by numbers that no file tells. */
async function factored(): Promise<Conditionings & { looks: number }> {
  const { positive, negative, ...rest } = await pipeline.condition("a red circle", {
    negativePrompt: "a blue square",
    guidance: 12,
  });
  const made = {
    unknown: 2,
    looks: 0,
    of([first = 1, second = 1]: readonly number[] = []) {
      made.looks++;
      return { ...rest, positive: times(positive, first), negative: times(negative!, second) };
    },
  };
  return made;
}

const size = { width: 32, height: 32 };
const drawnFrom = (seed: number) => () => noise({ host: "a1111", seed, shape: pipeline.latentShape(size) });

function recipeOf(condition: Recipe["condition"]): Recipe {
  return {
    ...{ host: "forge", prompt: "a red circle", negativePrompt: "", guidance: 12, seed: 1, model: null },
    ...{ ...size, notes: [], rounding: "down", others: [], condition },
    noises: () => [1, 2, 3].map((seed) => ({ name: `noise ${seed}`, latents: drawnFrom(seed) })),
  };
}

async function hostsPicture(latents: Float32Array, factors: readonly number[]): Promise<Original> {
  const conditioning = (await factored()).of(factors);
  const { pixels } = await pipeline.generate({ ...size, prompt: "", latents, conditioning });
  return { ...size, data: toBytes(pixels, "down"), channels: 3 };
}

test("of the noises that are left open, the one that gives the picture is taken", async () => {
  const original = await hostsPicture(drawnFrom(2)(), [1, 1]);
  const made = await recreate(pipeline, recipeOf(factored), original);
  expect(made).toMatchObject({ candidate: "noise 2", difference: 0, ...size });
  expect(made.latents).toEqual(drawnFrom(2)());
});

test.each([
  [0.4, 1.7],
  [-1.2, 0.8],
  [2.6, -0.5],
])("factors %f and %f are found in the picture, and its noise with them", async (...factors) => {
  const conditionings = await factored();
  const original = await hostsPicture(drawnFrom(3)(), factors);
  const made = await recreate(
    pipeline,
    recipeOf(async () => conditionings),
    original,
  );
  expect(made.candidate).toBe("noise 3");
  expect(made.difference).toBeLessThan(0.5);
  expect(conditionings.looks).toBeLessThan(25);
});

test("without the original the likeliest noise is taken, and every factor is 1", async () => {
  const conditionings = await factored();
  const made = await recreate(
    pipeline,
    recipeOf(async () => conditionings),
  );
  expect(made.candidate).toBe("noise 1");
  expect(made.difference).toBeUndefined();
  expect(made.conditioning).toEqual(conditionings.of());
});

test("a black picture is the host's division by 0 where that may be, and else a difference", async () => {
  const plain = await pipeline.condition("a red circle");
  const undefinedStates = { ...plain, positive: times(plain.positive, Number.NaN) };
  const black: Original = { ...size, data: new Uint8Array(3 * size.width * size.height), channels: 3 };
  const known = { unknown: 0, of: () => plain };
  const made = await recreate(
    pipeline,
    recipeOf(async () => ({ ...known, undefinedStates })),
    black,
  );
  expect(made).toMatchObject({ difference: 0, candidate: "noise 1", ...size });
  expect(made.recipe.notes[0]).toMatch(/black: its host divided/);
  expect(
    (
      await recreate(
        pipeline,
        recipeOf(async () => known),
        black,
      )
    ).difference,
  ).toBeGreaterThan(10);
  const drawnAgain = await hostsPicture(drawnFrom(2)(), [1, 1]);
  const other = await recreate(
    pipeline,
    recipeOf(async () => ({ ...(await factored()), undefinedStates })),
    drawnAgain,
  );
  expect(other).toMatchObject({ difference: 0, candidate: "noise 2" });
});

// ---- prompts whose predictions are mixed

test("a prompt at a distance is what a negative prompt is, and all the way there it is the only one", async () => {
  const { positive, negative, step } = await pipeline.condition("a red circle", {
    negativePrompt: "a blue square",
    guidance: 3,
  });
  const drawn = async (given: Omit<Conditioning, "step" | "positive">) =>
    await pipeline.generate({
      ...size,
      prompt: "",
      latents: drawnFrom(4)(),
      conditioning: { positive, step, ...given },
    });
  const away = await drawn({ guidance: 1, others: [{ states: negative!, weight: -2 }] });
  const guided = await drawn({ guidance: 3, negative: negative! });
  expect(largestDifference(away.pixels, guided.pixels)).toBeLessThan(1e-5);
  const there = await drawn({ guidance: 1, others: [{ states: negative!, weight: 1 }] });
  const alone = await pipeline.generate({
    ...size,
    prompt: "",
    latents: drawnFrom(4)(),
    conditioning: { positive: negative!, guidance: 1, step },
  });
  expect(largestDifference(there.pixels, alone.pixels)).toBeLessThan(1e-5);
  expect(largestDifference(there.pixels, guided.pixels)).toBeGreaterThan(0.001);
});

test("what a step of refining sees of mixed prompts is the picture", async () => {
  const { positive, negative, step } = await pipeline.condition("a red circle", {
    negativePrompt: "a blue square",
    guidance: 3,
  });
  const third = (await pipeline.condition("a green star")).positive;
  const others = [
    { states: third, weight: 0.4 },
    { states: negative!, weight: -0.7 },
  ];
  const conditioning = { positive, guidance: 1, others, step };
  const latents = drawnFrom(5)();
  const parts = { pipeline, conditioning } as unknown as StepParts;
  const { image, feeds } = pictureOf(input("noise", pipeline.latentShape(size)), parts);
  const session = await compile({ image }, { provider: "cpu", threads: 1 });
  const seen = await session.run({ ...feeds, noise: latents });
  await session.release();
  const made = await pipeline.generate({ ...size, prompt: "", latents, conditioning });
  expect(largestDifference(seen.image!, made.pixels)).toBeLessThan(1e-5);
});
