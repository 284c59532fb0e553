// ComfyUI's own nodes for texts, levels, batches and guiders, followed from the saved picture back.

import { expect, test } from "vitest";
import type { JsonObject } from "../../../src/metadata/json.ts";
import { type Drawing, drawings } from "../../../src/reno/hosts/comfyGraph.ts";
import { noise } from "../../../src/reno/noise/index.ts";
import { recipeOf } from "../../../src/reno/recipe.ts";
import { graphMetadata, letterPipeline } from "../../support/hostMixtures.ts";

const node = (class_type: string, inputs: JsonObject = {}): JsonObject => ({ class_type, inputs });

/** One step of SamplerCustom; more nodes, and inputs of those that are there, by their names. */
function graph(more: Record<string, JsonObject> = {}, inputs: Record<string, JsonObject> = {}): JsonObject {
  const nodes: Record<string, JsonObject> = {
    loader: node("CheckpointLoaderSimple", { ckpt_name: "x.safetensors" }),
    positive: node("CLIPTextEncode", { text: "a", clip: ["loader", 1] }),
    negative: node("CLIPTextEncode", { text: "h", clip: ["loader", 1] }),
    latent: node("EmptyLatentImage", { width: 64, height: 64, batch_size: 3 }),
    which: node("KSamplerSelect", { sampler_name: "euler" }),
    sigmas: node("BasicScheduler", { model: ["loader", 0], scheduler: "karras", steps: 1, denoise: 1 }),
    sampler: node("SamplerCustom", {
      ...{ model: ["loader", 0], add_noise: true, noise_seed: 5, cfg: 4, positive: ["positive", 0] },
      ...{ negative: ["negative", 0], sampler: ["which", 0], sigmas: ["sigmas", 0], latent_image: ["latent", 0] },
    }),
    decode: node("VAEDecode", { samples: ["sampler", 0], vae: ["loader", 2] }),
    save: node("SaveImage", { images: ["decode", 0], filename_prefix: "x" }),
    ...more,
  };
  for (const [name, given] of Object.entries(inputs)) {
    nodes[name] = { ...nodes[name]!, inputs: { ...(nodes[name]!.inputs as JsonObject), ...given } };
  }
  return nodes;
}

const drawing = (...given: Parameters<typeof graph>): Drawing => drawings(graph(...given))[0]!;

/** The step of the graph's recipe. */
async function step(...given: Parameters<typeof graph>) {
  const recipe = recipeOf(graphMetadata(JSON.stringify(graph(...given))));
  return (await recipe.condition(letterPipeline)).of().step;
}

const regex = { string: "a DOG on a dog", regex_pattern: "d(?:(o)|u)g", replace: "c\\1t" };

// ---- texts: wanted as comfy_extras/nodes_string.py returns them

test.each([
  ["PrimitiveString", { value: "a dog" }, "a dog"],
  ["PrimitiveStringMultiline", { value: "a\ndog" }, "a\ndog"],
  ["StringConcatenate", { string_a: "a dog", string_b: "a cat", delimiter: "\\n" }, "a dog\\na cat"],
  ["StringReplace", { string: "a dog, a dog", find: "dog", replace: "$& (cat:1.2)" }, "a $& (cat:1.2), a $& (cat:1.2)"],
  ["StringReplace", { string: "ab", find: "", replace: "-" }, "-a-b-"],
  ["StringTrim", { string: "  a dog \n", mode: "Left" }, "a dog \n"],
  ["StringTrim", { string: "  a dog \n", mode: "Both" }, "a dog"],
  ["CaseConverter", { string: "a bIG dog's", mode: "Title Case" }, "A Big Dog'S"],
  ["CaseConverter", { string: "a bIG dog", mode: "Capitalize" }, "A big dog"],
  ["CaseConverter", { string: "a bIG dog", mode: "UPPERCASE" }, "A BIG DOG"],
  ["RegexReplace", { ...regex, case_insensitive: true, count: 1 }, "a cOt on a dog"],
  ["RegexReplace", { ...regex, case_insensitive: false, count: 0 }, "a DOG on a cot"],
  ["StringSubstring", { string: "\u{1F600} a dog", start: 1, end: -2 }, " a d"],
])("%s %o", (type, inputs, want) => {
  const { positive } = drawing({ text: node(type, inputs) }, { positive: { text: ["text", 0] } });
  expect(positive).toMatchObject({ do: "text", text: want });
});

test("strings are followed through several nodes, and told where a node is not known", () => {
  const joined = node("StringConcatenate", { string_a: ["inner", 0], string_b: "b", delimiter: ["comma", 0] });
  const more = {
    text: joined,
    inner: node("PrimitiveString", { value: "a" }),
    comma: node("PrimitiveString", { value: ", " }),
  };
  expect(drawing(more, { positive: { text: ["text", 0] } }).positive).toMatchObject({ text: "a, b" });
  const unknown = { text: node("RegexReplace", { string: "a", regex_pattern: "(?P<x>a)", replace: "b" }) };
  const { positive, notes } = drawing(unknown, { positive: { text: ["text", 0] } });
  expect(positive).toMatchObject({ text: "a" });
  expect(notes[0]).toMatch(/"RegexReplace", which is not known here: what stands in its inputs is taken/);
});

// ---- levels: wanted as the nodes of comfy_extras return them for Stable Diffusion 1

const after = (type: string, inputs: JsonObject, steps = 4) => ({
  before: node("BasicScheduler", { model: ["loader", 0], scheduler: "karras", steps, denoise: 1 }),
  sigmas: node(type, { sigmas: ["before", 0], ...inputs }),
});

test.each([
  ["SplitSigmas", after("SplitSigmas", { step: 3 }), 1, 0.0292],
  ["SplitSigmas", after("SplitSigmas", { step: 1 }), 0, 14.6488], // sqrt(1 + sigma²): the highest level
  ["SplitSigmasDenoise", after("SplitSigmasDenoise", { denoise: 0.25 }), 1, 0.0292],
  ["SetFirstSigma", after("SetFirstSigma", { sigma: 7 }, 1), 0, 7],
  ["KarrasScheduler", { sigmas: node("KarrasScheduler", { steps: 1, sigma_max: 10, sigma_min: 0.1, rho: 5 }) }, 0, 10],
  [
    "PolyexponentialScheduler",
    { sigmas: node("PolyexponentialScheduler", { steps: 1, sigma_max: 12, sigma_min: 0.1, rho: 1 }) },
    0,
    12,
  ],
  ["BetaSamplingScheduler", { sigmas: node("BetaSamplingScheduler", { steps: 1, alpha: 0.6, beta: 0.6 }) }, 0, 14.6488],
  [
    "AlignYourStepsScheduler",
    { sigmas: node("AlignYourStepsScheduler", { model_type: "SD1", steps: 1, denoise: 1 }) },
    0,
    14.6488,
  ],
])("%s begins where its node does", async (_, more, slot, scale) => {
  const made = await step(more, { sampler: { sigmas: ["sigmas", slot] } });
  expect(made.scale).toBeCloseTo(scale, 3);
});

test("a part of the steps that ends above 0 leaves its share of the noise", async () => {
  const made = await step(after("SplitSigmas", { step: 1 }), { sampler: { sigmas: ["sigmas", 0] } });
  const karras = (place: number) => (14.6146 ** (1 / 7) + place * (0.0291675 ** (1 / 7) - 14.6146 ** (1 / 7))) ** 7;
  expect(made.out).toBeCloseTo(-(14.6146 - karras(1 / 3)), 2);
});

// ---- batches and guiders

test("LatentBatchSeedBehavior gives every picture the noise of one, or forgets which they were", () => {
  const behaving = (seed_behavior: string) => ({
    some: node("LatentFromBatch", { samples: ["latent", 0], batch_index: 1, length: 2 }),
    same: node("LatentBatchSeedBehavior", { samples: ["some", 0], seed_behavior }),
  });
  const latents = (behavior: string) => drawing(behaving(behavior), { sampler: { latent_image: ["same", 0] } }).latents;
  expect(latents("fixed")).toMatchObject({ count: 2, index: [1, 1] });
  expect(latents("random")).toMatchObject({ count: 2, index: undefined });
});

test("LatentBatch counts both of its batches from 0", () => {
  const some = node("LatentFromBatch", { samples: ["latent", 0], batch_index: 1, length: 2 });
  const both = node("LatentBatch", { samples1: ["latent", 0], samples2: ["some", 0] });
  const { latents } = drawing({ some, both }, { sampler: { latent_image: ["both", 0] } });
  expect(latents).toMatchObject({ count: 5, index: [0, 1, 2, 1, 2] });
});

test("an autoencoder or a text encoder from elsewhere is told", () => {
  const more = { own: node("VAELoader", { vae_name: "x" }), clip: node("CLIPLoader", { clip_name: "y" }) };
  const { notes } = drawing(more, { decode: { vae: ["own", 0] }, positive: { clip: ["clip", 0] } });
  expect(notes).toEqual([
    'The picture was decoded by the autoencoder of "VAELoader"; the model\'s own is taken.',
    'The picture was steered by the text encoder of "CLIPLoader"; the model\'s own is taken.',
  ]);
  expect(drawing().notes).toEqual([]);
});

test("guiders and conditionings that are not known are refused in words", () => {
  const guided = { sampler: { guider: ["guider", 0], noise: ["noise", 0] } };
  const more = {
    guider: node("PerpNegGuider", { positive: ["positive", 0], negative: ["negative", 0], cfg: 3 }),
    noise: node("RandomNoise", { noise_seed: 3 }),
  };
  expect(() => drawing(more, guided)).toThrow(/guided by "PerpNegGuider"/);
  const area = { area: node("ConditioningSetArea", { conditioning: ["positive", 0], width: 64, height: 64 }) };
  expect(() => drawing(area, { sampler: { positive: ["area", 0] } })).toThrow(/"ConditioningSetArea"/);
});

test("one sampler after another is more than one step", () => {
  const first = { first: graph().sampler as JsonObject };
  expect(() => drawing(first, { sampler: { latent_image: ["first", 0] } })).toThrow(/another one \("SamplerCustom"\)/);
});

test("prompt and noise can be had of graphs too that are not followed", () => {
  const area = { area: node("ConditioningSetArea", { conditioning: ["positive", 0], width: 64, height: 64 }) };
  const metadata = graphMetadata(JSON.stringify(graph(area, { sampler: { positive: ["area", 0] } })));
  expect(() => recipeOf(metadata)).toThrow(/ConditioningSetArea/);
  const recipe = recipeOf(metadata, { anySteps: true });
  expect(recipe).toMatchObject({ host: "comfyui", prompt: "a", seed: 5, guidance: 1, width: 64, height: 64 });
  const shape = [1, 4, 8, 8] as const;
  expect(recipe.noises(shape)[0]!.latents()).toEqual(noise({ host: "comfyui", seed: 5, shape: [...shape] }));
});

test("a picture that none of the conditionings steered is refused", async () => {
  const late = { late: node("ConditioningSetTimestepRange", { conditioning: ["positive", 0], start: 0.5, end: 1 }) };
  await expect(step(late, { sampler: { positive: ["late", 0] } })).rejects.toThrow(/None of the conditionings of "a"/);
});
