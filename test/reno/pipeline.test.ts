// Pictures from small pipelines against diffusers' StableDiffusionPipeline on the same weights: fixtures/pipeline.json, by
// test/reference/pipeline.py.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile, gradients, input, sum } from "../../src/graph/index.ts";
import { loadPipeline } from "../../src/reno/loadPipeline.ts";
import { noise } from "../../src/reno/noise/index.ts";
import type { Generated, Pipeline } from "../../src/reno/pipeline.ts";
import { parseSchedulerConfig } from "../../src/reno/schedulerConfig.ts";
import { largestDifference } from "../support/compare.ts";
import { draw, drawByOwnScheduler, onCpu, pictureDifferences } from "../support/diffusersPictures.ts";
import {
  fixture,
  type ModelName,
  type PictureCase,
  writeDiffusersFolder,
  writeSingleFile,
} from "../support/tinyPipelines.ts";

const names: readonly ModelName[] = ["turbo", "sd1"];
let home = "";
const pipelines: Partial<Record<ModelName, Pipeline>> = {};
const folder = (model: ModelName) => join(home, model);
const file = (model: ModelName) => join(home, `${model}.safetensors`);

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "renoir-pipeline-"));
  for (const model of names) {
    await writeDiffusersFolder(folder(model), model);
    await writeSingleFile(file(model), model);
    pipelines[model] = await loadPipeline(folder(model), onCpu);
  }
}, 60_000);
afterAll(async () => {
  for (const pipeline of Object.values(pipelines)) await pipeline.unload();
  await rm(home, { recursive: true, force: true });
});

function expectPicture(made: Generated, want: PictureCase): void {
  const { pixels, mean } = pictureDifferences(made, want);
  expect(pixels).toBeLessThan(1e-4);
  expect(mean).toBeLessThan(1e-5);
}

for (const model of names) {
  const { cases } = fixture.models[model];

  test.each(cases.filter(({ scheduler }) => !scheduler))(
    `${model}: $prompt, seed $seed: diffusers' picture`,
    async (want) => {
      expectPicture(await draw(pipelines[model]!, want), want);
    },
  );

  test.each(cases.filter(({ scheduler }) => scheduler))(
    `${model}: $prompt, seed $seed, another scheduler`,
    async (want) => {
      expectPicture(await drawByOwnScheduler(folder(model), want), want);
    },
  );

  test(`${model}: the same weights as a single file give the same picture`, async () => {
    const { scheduler } = fixture.models[model].config;
    const [want] = cases;
    // A single file does not say how it was trained: sd1's own scheduler is given.
    const options = { ...onCpu, scheduler: parseSchedulerConfig(scheduler, "test") };
    const pipeline = await loadPipeline(file(model), model === "sd1" ? options : onCpu);
    expect(pipeline.name).toBe(model);
    const [, height, width] = want!.shape as [number, number, number];
    expectPicture(await draw(pipeline, { ...want!, width, height }), want!);
    await pipeline.unload();
  });
}

describe("a pipeline", () => {
  let pipeline: Pipeline;
  const prompt = "a photo of a cat wearing a hat";
  beforeAll(() => {
    pipeline = pipelines.turbo!;
  });

  test("says what it is", () => {
    const { name, latentChannels, scaleFactor, size, oneStepModel, predictionType, alphasCumprod } = pipeline;
    expect({ name, latentChannels, scaleFactor, size, oneStepModel, predictionType }).toEqual({
      name: "turbo",
      latentChannels: 4,
      scaleFactor: 4,
      size: { width: 32, height: 32 },
      oneStepModel: true,
      predictionType: "epsilon",
    });
    expect(alphasCumprod).toHaveLength(1000);
    expect(pipeline.step.scale).toBeCloseTo(14.6146, 4);
    expect(pipeline.tokenizer.pad).toBe(0);
  });

  test("latents in place of a seed give the seed's picture", async () => {
    const latents = noise({ host: "diffusers", seed: 0, shape: [1, 4, 8, 8] });
    const bySeed = await pipeline.generate({ prompt, seed: 0 });
    expect(bySeed.latents).toEqual(latents);
    expect((await pipeline.generate({ prompt, latents })).pixels).toEqual(bySeed.pixels);
    expect((await pipeline.generate({ prompt, seed: 1 })).pixels).not.toEqual(bySeed.pixels);
  });

  test("the prompt, the negative prompt and the guidance all matter", async () => {
    const plain = (await pipeline.generate({ prompt, seed: 0 })).pixels;
    const others = [
      { prompt: "a photo of a dog" },
      { prompt, guidance: 3 },
      { prompt, guidance: 3, negativePrompt: "a hat" },
      { prompt, guidance: 5, negativePrompt: "a hat" },
    ];
    const pictures = [plain];
    for (const other of others) pictures.push((await pipeline.generate({ seed: 0, ...other })).pixels);
    for (const [i, a] of pictures.entries()) {
      for (const b of pictures.slice(i + 1)) expect(largestDifference(a, b)).toBeGreaterThan(1e-3);
    }
  });

  test("chunks of ids are encoded one by one, as the host says", async () => {
    const ids = pipeline.tokenizer.padded(prompt);
    const { positive } = await pipeline.condition(prompt);
    const [first, second] = await pipeline.encodeChunks([ids, pipeline.tokenizer.padded("")]);
    expect(first).toEqual(positive);
    expect(first).toMatchObject({ tokens: 77, width: 64 });
    expect(largestDifference(first!.data, second!.data)).toBeGreaterThan(0.1);
    const [skipped] = await pipeline.encodeChunks([ids], { skipLayers: 1, finalNorm: false });
    expect(largestDifference(first!.data, skipped!.data)).toBeGreaterThan(0.1);
  });

  test("two chunks, and another number of them for the negative prompt", async () => {
    const chunks = ["a red fox in the snow", "and a house", "dark"].map((text) => pipeline.tokenizer.padded(text));
    const [a, b, negative] = await pipeline.encodeChunks(chunks);
    const positive = { data: Float32Array.from([...a!.data, ...b!.data]), tokens: 154, width: a!.width };
    const conditioning = { positive, negative: negative!, guidance: 1, step: pipeline.step };
    const plain = await pipeline.generate({ prompt, seed: 4, conditioning });
    const guided = await pipeline.generate({ prompt, seed: 4, conditioning: { ...conditioning, guidance: 0.5 } });
    expect(largestDifference(plain.pixels, guided.pixels)).toBeGreaterThan(1e-3);
  });

  test("pictures of many sizes at once, and again after unloading", async () => {
    const sizes = [16, 24, 40].map((width) => ({ width, height: 16 }));
    const draw = () => Promise.all(sizes.map((size) => pipeline.generate({ prompt, seed: 0, ...size })));
    const first = await draw();
    expect(first.map(({ pixels }) => pixels.length)).toEqual(sizes.map(({ width }) => 3 * 16 * width));
    await pipeline.unload();
    const again = await draw();
    again.forEach(({ pixels }, i) => {
      expect(largestDifference(pixels, first[i]!.pixels)).toBe(0);
    });
  });

  test("the graph of a picture can be differentiated, to the noise", async () => {
    const { positive, step } = await pipeline.condition(prompt);
    const z = input("z", [1, 4, 4, 4]);
    const text = input("text", [1, positive.tokens, positive.width]);
    const { x0, image } = pipeline.picture(z, { positive: text, guidance: 1, step });
    expect([x0.shape, image.shape]).toEqual([
      [1, 4, 4, 4],
      [1, 3, 16, 16],
    ]);
    const session = await compile({ image, gradient: gradients(sum(image), [z])[0]! }, { provider: "cpu", threads: 2 });
    const noiseOf = (seed: number) => noise({ host: "diffusers", seed, shape: [1, 4, 4, 4] });
    const latents = noiseOf(6);
    const { image: pixels, gradient } = await session.run({ z: latents, text: positive.data });
    await session.release();
    const { pixels: generated } = await pipeline.generate({ prompt, latents, width: 16, height: 16 });
    expect(largestDifference(pixels!, generated)).toBeLessThan(1e-5);
    expect(gradient!.some((x) => x !== 0)).toBe(true);
  });

  test.each<[Parameters<Pipeline["generate"]>[0], string]>([
    [{ prompt: "", seed: 0, width: 30 }, "The width is 30; a multiple of 4 was wanted"],
    [{ prompt: "", seed: 0, height: 0 }, "The height is 0; a multiple of 4 was wanted"],
    [{ prompt: "", seed: 0, height: 1e6 }, "The height is 1000000; a multiple of 4 was wanted, up to 4096"],
    [{ prompt: "", latents: new Float32Array(12) }, "The latents have 12 numbers, but [1, 4, 8, 8] were wanted"],
    [{ prompt: "" }, "Neither a seed nor latents were given"],
    [{ prompt: "", seed: 0, guidance: Number.NaN }, "The guidance is NaN; a number was wanted"],
  ])("%j is refused in words", async (request, message) => {
    await expect(pipeline.generate(request)).rejects.toThrow(message);
  });

  test("ids that the text encoder has not are refused", async () => {
    await expect(pipeline.encodeChunks([[49406, 50000, 49407]])).rejects.toThrow("the prompt has token 50000");
    await expect(pipeline.encodeChunks([Array(78).fill(0)])).rejects.toThrow("A chunk of 78 tokens was given");
  });
});
