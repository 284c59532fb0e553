import { expect, test } from "vitest";
import { RequestError } from "../../../src/errors.ts";
import { Texts } from "../../../src/metadata/dialects/dialect.ts";
import { readDialect } from "../../../src/metadata/dialects/index.ts";
import type { ImageMetadata } from "../../../src/metadata/index.ts";
import { readInfotext } from "../../../src/metadata/index.ts";
import { Fit } from "../../../src/reno/hosts/fit.ts";
import { a1111Schedules, comfySchedules } from "../../../src/reno/hosts/schedules.ts";
import { amplified, descend, SigmaTable, untouched } from "../../../src/reno/hosts/sigmas.ts";
import { noise } from "../../../src/reno/noise/index.ts";
import { recipeOf } from "../../../src/reno/recipe.ts";
import { alphasCumprod } from "../../../src/reno/schedule.ts";
import files from "../fixtures/hostTexts.json" with { type: "json" };

/** What a file of 64x64 pixels with this text says, through the reader of all files. */
function metadata(keyword: "parameters" | "prompt", text: string, size = { width: 64, height: 64 }): ImageMetadata {
  const texts = new Texts([{ kind: "tEXt", keyword, text, encoding: "utf-8", index: 0 }]);
  const { settings, scores, infotext = null, warnings = [], ...read } = readDialect(texts)!;
  return {
    format: "png",
    ...size,
    ...read,
    settings: Object.fromEntries(settings),
    scores: {},
    infotext,
    carriers: [],
    warnings,
  };
}
const forge = (name: keyof typeof files.forge, change = (text: string) => text) =>
  recipeOf(metadata("parameters", change(files.forge[name])));
const comfy = (name: keyof typeof files.comfyui, size?: { width: number; height: number }) =>
  recipeOf(metadata("prompt", files.comfyui[name], size));

const shape = [1, 4, 8, 8] as const;

test("Forge's file gives prompt, guidance, seed and size", () => {
  const recipe = forge("weights");
  expect(recipe).toMatchObject({ host: "forge", guidance: 7, seed: 43, width: 64, height: 64, model: "random-sd15" });
  expect(recipe.prompt).toContain("(red:1.3)");
  expect(recipe.negativePrompt).toBe("(ugly:1.4), [[blurry]]");
  expect(readInfotext(files.forge.weights).prompt).toBe(recipe.prompt);
});

test("the noise that a file does not name is CUDA's or the CPU's, and one that it names is that", () => {
  expect(
    forge("weights")
      .noises(shape)
      .map(({ name }) => name),
  ).toEqual(["noise as CUDA draws it", "noise as a CPU draws it"]);
  expect(
    forge("rngnv")
      .noises(shape)
      .map(({ name }) => name),
  ).toEqual(['noise by "RNG: NV"']);
  const [first] = forge("resize").noises(shape);
  const resizeFrom = { width: 48, height: 96 };
  expect(first!.latents()).toEqual(noise({ host: "a1111", seed: 61, shape: [...shape], rng: "cpu", resizeFrom }));
});

test("the seed of a later picture of a batch stands in its own file", () => {
  expect(forge("niter2").seed).toBe(4294967297);
  const [, cpu] = forge("subseed").noises(shape);
  const wanted = noise({ host: "a1111", seed: 54, shape: [...shape], rng: "cpu", subseed: 100, subseedStrength: 0.3 });
  expect(cpu!.latents()).toEqual(wanted);
});

test.each([
  ["Steps: 1,", "Steps: 20,", /20 steps/],
  ["Size: 64x64", "Size: 64x64, Hires upscale: 2", /second time/],
  ["Size: 64x64", "Size: 64x64, Denoising strength: 0.5", /another one/],
  ["Sampler: Euler", "Sampler: Euler z", /"Euler z"; known are/],
  ["Sampler: Euler", "Sampler: DPM adaptive", /as often as it finds right/],
  ["Sampler: Euler", "Sampler: UniPC", /fewer than three/],
  ["Schedule type: Automatic", "Schedule type: Odd", /"Odd"; known are/],
  ["Sampler: Euler, Schedule type: Automatic", "Sampler: Euler a, Schedule type: KL Optimal", /ends above 0/],
  ["Sampler: Euler", "Sigma churn: 1.0, Sampler: Euler", /noise of its own/],
  ["Seed: 43,", "", /no seed/],
])("%s as %s is refused in words", (from, to, message) => {
  const change = (text: string) => text.replace(from, to);
  expect(() => forge("weights", change)).toThrow(message);
  expect(() => forge("weights", change)).toThrow(RequestError);
});

test("weights of AND that add up to 0 are what Forge divides by", () => {
  const change = (by: string) => files.forge.and.replace(":0.7", by);
  expect(() => recipeOf(metadata("parameters", change(":-1")))).toThrow(/add up to 0/);
  expect(recipeOf(metadata("parameters", change(":-0.9"))).prompt).toBe("a cat AND a dog :-0.9");
});

test("prompt and noise of a picture of many steps can be had", () => {
  const many = metadata("parameters", files.forge.weights.replace("Steps: 1,", "Steps: 20,"));
  expect(recipeOf(many, { anySteps: true })).toMatchObject({ seed: 43, width: 64 });
});

test("the older range of levels, which no file tells, is another recipe where it counts", async () => {
  const karras = forge("weights", (text) => text.replace("Automatic", "Karras"));
  expect(forge("weights").others).toEqual([]);
  expect(karras.others).toHaveLength(1);
  const told = forge("weights", (text) => text.replace("Automatic", "Karras, Schedule max sigma: 9"));
  expect(told.others).toEqual([]);
});

test("what is not followed is said", () => {
  const change = (text: string) =>
    text.replace("a (red", "<lora:x:1> a (red").replace("Version", "Tiling: True, Version");
  expect(forge("weights", change).notes).toEqual([
    "The picture was made to be tiled, which is not repeated.",
    "The prompt names <lora:x:1>, which is not applied.",
  ]);
});

test("A1111's older names say sampler and schedule at once, and a side is cut to whole latents", () => {
  const change = (text: string) =>
    text.replace("Sampler: Euler, Schedule type: Automatic", "Sampler: DPM++ 2M Karras").replace("64x64", "70x68");
  expect(forge("weights", change)).toMatchObject({ width: 64, height: 64, notes: [] });
});

// ---- ComfyUI

test("ComfyUI's graph gives each picture of the batch", () => {
  const recipe = comfy("frombatch");
  expect(recipe).toMatchObject({ host: "comfyui", prompt: "from a batch", seed: 52, guidance: 2, width: 64 });
  const made = recipe.noises(shape);
  expect(made.map(({ name }) => name)).toEqual(["picture 1 of 2 in the batch", "picture 2 of 2 in the batch"]);
  const wanted = noise({ host: "comfyui", seed: 52, shape: [2, 4, 8, 8], index: [2, 3] });
  expect(made[1]!.latents()).toEqual(wanted.slice(256));
});

test("pictures taken from the batch after sampling, and batches repeated", () => {
  expect(
    comfy("frombatchafter")
      .noises(shape)
      .map(({ name }) => name),
  ).toEqual(["picture 2 of 3 in the batch"]);
  const [first, second] = comfy("frombatchrepeat").noises(shape);
  const wanted = noise({ host: "comfyui", seed: 55, shape: [2, 4, 8, 8], index: [1, 2] });
  expect([first!.latents(), second!.latents()]).toEqual([wanted.slice(0, 256), wanted.slice(256)]);
});

test("seeds of 64 bits keep their digits", () => {
  expect(comfy("advanced").seed).toBe(2n ** 64n - 1n);
  expect(comfy("advancedlast").seed).toBe(2n ** 63n + 5n);
  expect(comfy("custom").seed).toBe(2n ** 60n + 7n);
  expect(comfy("hugeseed").seed).toBe(2n ** 64n - 2n);
});

test("samplers in parts, guiders and joined prompts are followed", () => {
  expect(comfy("customadv")).toMatchObject({ seed: 123, guidance: 3, notes: [] });
  expect(comfy("basicguider")).toMatchObject({ seed: 124, guidance: 1, negativePrompt: "" });
  expect(comfy("concat").prompt).toBe("a red, (house:1.2)");
  expect(comfy("zeroout").negativePrompt).toBe("");
});

test("what can not be made again is refused in words", () => {
  const steps = (text: string) => JSON.parse(text.replace('"steps": 1', '"steps": 20'));
  const many = { ...metadata("prompt", files.comfyui.weights), graph: steps(files.comfyui.weights) };
  expect(() => recipeOf(many)).toThrow(/20 steps/);
  expect(recipeOf(many, { anySteps: true }).seed).toBe(43);
  const image = {
    ...metadata("prompt", files.comfyui.weights),
    graph: JSON.parse(files.comfyui.weights.replace("EmptyLatentImage", "VAEEncode")),
  };
  expect(() => recipeOf(image)).toThrow(/"VAEEncode", and not with empty ones/);
});

test("a picture whose size was changed afterwards is told", () => {
  expect(comfy("weights", { width: 128, height: 64 }).notes[0]).toMatch(
    /128x64 pixels, but the picture was drawn at 64x64/,
  );
});

test("a file that says nothing is refused", () => {
  const nothing = { ...metadata("parameters", files.forge.weights), host: null };
  expect(() => recipeOf(nothing)).toThrow(/says nothing/);
});

// ---- noise levels

const table = SigmaTable.of(alphasCumprod());
const range = { min: table.min, max: table.max };

test("one step of each schedule begins where the hosts' do", () => {
  const first = (schedules: typeof a1111Schedules) =>
    Object.fromEntries(
      [...schedules].filter(([name]) => name !== "kl_optimal").map(([name, make]) => [name, make(1, table, range)[0]!]),
    );
  const lowest = {
    DDIM: 0.0413,
    "Align Your Steps": 0.029,
    "Align Your Steps GITS": 0.029,
    "Align Your Steps 11": 0.029,
    "Align Your Steps 32": 0.015,
  };
  for (const [name, sigma] of Object.entries(first(a1111Schedules))) {
    expect([name, sigma]).toEqual([name, expect.closeTo(lowest[name as keyof typeof lowest] ?? 14.6146, 3)]);
  }
  for (const [name, sigma] of Object.entries(first(comfySchedules))) {
    expect([name, sigma]).toEqual([name, expect.closeTo(name === "ddim_uniform" ? 0.0413 : 14.6146, 3)]);
  }
  expect(() => comfySchedules.get("kl_optimal")!(1, table, range)).toThrow(/divides by 0/);
  expect(a1111Schedules.get("KL Optimal")!(1, table, range)[1]).toBeCloseTo(table.min, 5);
});

test("a step is the map around the U-Net that the samplers make of it", () => {
  const { max, min } = table;
  const step = descend(table, { from: max, pure: true }, "epsilon");
  expect(step).toEqual({
    scale: Math.sqrt(1 + max * max),
    inputScale: 1 / Math.sqrt(1 + max * max),
    timestep: 999,
    skip: 1,
    out: -max,
  });
  const left = descend(table, { from: max, to: min, pure: false }, "epsilon");
  expect(left.skip).toBeCloseTo(1, 12);
  expect(left.out).toBeCloseTo(-(max - min), 5);
  expect(descend(table, { from: max, pure: false }, "v_prediction").skip).toBeCloseTo(1 / (max * max + 1), 12);
  expect(amplified(untouched(2), 3)).toMatchObject({ scale: 2, skip: 3, out: 0 });
  expect(table.withZeroTerminalSnr().max).toBeCloseTo(4518.76, 1);
  expect(table.everyTwentieth().sigmas[1]).toBe(table.sigmas[39]);
});

// ---- what is found from the picture

test("numbers that a picture hangs on are found from it", async () => {
  const picture = (a: number, b: number) =>
    Float32Array.from({ length: 60 }, (_, i) => 9 * Math.sin(a * (1 + i / 40)) + 5 * Math.cos(b * i * 0.05));
  const wanted = picture(-0.667, 1.545);
  const residuals = async ([a, b]: readonly number[]) => picture(a!, b!).map((value, i) => value - wanted[i]!);
  const [a, b] = await new Fit(residuals, 2, 1e-3).improve(80);
  expect(a).toBeCloseTo(-0.667, 3);
  expect(b).toBeCloseTo(1.545, 3);
});

test("where the way from 1 ends in a hollow, another start finds the numbers", async () => {
  const residuals = async ([a, b]: readonly [number, number]) =>
    Math.hypot(a + 0.28, b - 0.6) < 0.45
      ? Float32Array.of(3 * (a + 0.28), 3 * (b - 0.6), 0)
      : Float32Array.of(a - 1, b - 1, 0.5);
  const fit = new Fit((numbers) => residuals(numbers as [number, number]), 2, 1e-3);
  expect(await fit.improve(30)).toEqual([1, 1]);
  const [a, b] = await fit.improve(90);
  expect(a).toBeCloseTo(-0.28, 3);
  expect(b).toBeCloseTo(0.6, 3);
});
