// ComfyUI's graph as a recipe (a125cd84: comfy/samplers.py, comfy/sample.py, comfy/sd1_clip.py).

import type { ImageMetadata } from "../../metadata/index.ts";
import type { JsonObject } from "../../metadata/json.ts";
import type { Cleaning } from "../clipTokenizer.ts";
import { noise } from "../noise/index.ts";
import type { OneStep, PredictionType } from "../oneStep.ts";
import type { Conditioning, Embedding, Pipeline } from "../pipeline.ts";
import { joined } from "../prompt/chunk.ts";
import { chunks, cleaningsOf, emphasized, emptyChunk, hasWeights, namesEmbeddings } from "../prompt/comfyui.ts";
import { alphasCumprod } from "../schedule.ts";
import { type Drawing, drawings, type Steer } from "./comfyGraph.ts";
import { type Candidate, known, type LatentShape, notOneStep, type Recipe, type RecipeOptions } from "./making.ts";
import { comfySamplers } from "./samplers.ts";
import { comfySchedules } from "./schedules.ts";
import { descend, SigmaTable, untouched } from "./sigmas.ts";

export function comfyRecipe(metadata: ImageMetadata, graph: JsonObject, options: RecipeOptions): Recipe {
  const { width, height } = { ...metadata, ...options.imageSize };
  const read = drawings(graph);
  const failures: unknown[] = [];
  const recipes = read.flatMap((drawing) => {
    try {
      return recipesOf(drawing, options.anySteps ?? false);
    } catch (error) {
      failures.push(error);
      return [];
    }
  });
  if (recipes.length === 0) throw failures[0];
  // A graph may save several pictures; those of another size are not this one.
  const fits = (each: Recipe) => each.width === width && each.height === height;
  const [first, ...others] = recipes.toSorted((a, b) => Number(fits(b)) - Number(fits(a)));
  const same = others.filter((each) => fits(each) === fits(first!));
  return { ...first!, notes: [...first!.notes, ...sizeNote(first!, width, height)], others: same };
}

/** One for each way in which the prompts may have been cleaned. */
function recipesOf(drawing: Drawing, anySteps: boolean): Recipe[] {
  const texts = textOf(drawing.positive) + (drawing.negative ? textOf(drawing.negative) : "");
  return cleaningsOf(texts).map((cleaning) => recipe(drawing, anySteps, cleaning));
}

function recipe(drawing: Drawing, anySteps: boolean, cleaning: Cleaning): Recipe {
  if (!anySteps) stepOf(drawing, { alphasCumprod: alphasCumprod(), predictionType: "epsilon" }); // throws if it is none
  const { width, height } = drawing.latents;
  const [prompt, negativePrompt] = [textOf(drawing.positive), drawing.negative ? textOf(drawing.negative) : ""];
  const embeddings = [prompt, negativePrompt].some(namesEmbeddings);
  return {
    host: "comfyui",
    prompt,
    negativePrompt,
    guidance: drawing.cfg,
    seed: drawing.seed,
    model: drawing.model,
    width,
    height,
    notes: [...drawing.notes, ...(embeddings ? ["The prompt names embeddings, which are not applied."] : [])],
    rounding: "down",
    condition: async (pipeline) => known(await condition(drawing, { pipeline, cleaning }, anySteps)),
    noises: (shape) => candidates(drawing, shape),
    others: [],
  };
}

function sizeNote(recipe: Recipe, width: number | undefined, height: number | undefined): string[] {
  if (width === undefined || (recipe.width === width && recipe.height === height)) return [];
  return [
    `The file has ${width}x${height} pixels, but the picture was drawn at ${recipe.width}x${recipe.height}: something changed its size afterwards.`,
  ];
}

/** The words, for people and for rewards. */
function textOf(steer: Steer): string {
  if (steer.do === "text") return steer.text;
  if (steer.do === "zero") return "";
  return steer.parts.map(textOf).filter(Boolean).join(", ");
}

// ---- the step

type Model = Pick<Pipeline, "alphasCumprod" | "predictionType">;

function stepOf(drawing: Drawing, model: Model): OneStep {
  const { whole, table, prediction } = sampled(drawing, model);
  const [from, to] = levels(drawing, table);
  const sampler = comfySamplers.get(drawing.sampler) ?? {};
  const pure = from > table.max * (1 - 1e-5);
  const scale = pure ? Math.sqrt(1 + from * from) : from;
  if (/^uni_pc/.test(drawing.sampler)) return untouched(scale / Math.sqrt(1 + from * from));
  if (sampler.untouched) return untouched(scale);
  if (to > 0 && !drawing.denoised && sampler.leaves !== "share") {
    throw notOneStep(
      `The step of ${drawing.sampler} ends at the noise level ${to.toPrecision(3)}, where it goes on with noise of its own.`,
    );
  }
  return descend(whole, { from, to: drawing.denoised ? 0 : to, pure }, prediction);
}

const predictions: Readonly<Record<string, PredictionType>> = {
  eps: "epsilon",
  v_prediction: "v_prediction",
  x0: "sample",
  lcm: "epsilon",
};

interface Sampled {
  /** Of all timesteps. */
  readonly whole: SigmaTable;
  /** Of those that the schedules know. */
  readonly table: SigmaTable;
  readonly prediction: PredictionType;
}

/** The model's own table and prediction, or ModelSamplingDiscrete's. */
function sampled({ modelSampling }: Drawing, model: Model): Sampled {
  const own = SigmaTable.of(model.alphasCumprod);
  if (!modelSampling) return { whole: own, table: own, prediction: model.predictionType };
  const { sampling, zeroTerminalSnr } = modelSampling;
  const prediction = predictions[sampling];
  if (!prediction) throw notOneStep(`ModelSamplingDiscrete asks for "${sampling}", which is not known here.`);
  const whole = zeroTerminalSnr ? own.withZeroTerminalSnr() : own;
  return { whole, table: sampling === "lcm" ? whole.everyTwentieth() : whole, prediction };
}

/** The one level that is stepped from, and the one stepped to (samplers.py, KSampler.set_steps and sample). */
function levels({ levels: told, sampler }: Drawing, table: SigmaTable): [number, number] {
  const { steps, denoise, start, end, full } = told;
  if (told.scheduler === "sd_turbo") return checked(turbo(told, table), steps);
  const oneMore = told.oneMore && (comfySamplers.get(sampler)?.oneMore ?? false);
  const total = denoise > 0.9999 ? steps : Math.floor(steps / denoise);
  let all = schedule(told, total + (oneMore ? 1 : 0), table);
  if (oneMore) all = [...all.slice(0, -2), all.at(-1)!];
  all = all.slice(-(steps + 1));
  if (end < all.length - 1) all = [...all.slice(0, end), full ? 0 : all[end]!];
  return checked(all.slice(start), steps);
}

function checked(all: readonly number[], steps: number): [number, number] {
  if (all.length === 2) return [all[0]!, all[1]!];
  const count = Math.max(all.length - 1, 0);
  throw notOneStep(`The picture was drawn in ${count} steps ("steps": ${steps}); only one step can be made again.`);
}

function schedule({ scheduler, max, min, rho }: Drawing["levels"], steps: number, table: SigmaTable): number[] {
  const make = comfySchedules.get(scheduler);
  if (!make) {
    throw notOneStep(`The scheduler is "${scheduler}"; known are ${[...comfySchedules.keys()].join(", ")}.`);
  }
  return make(steps, table, { max: max ?? table.max, min: min ?? table.min, rho });
}

/** SDTurboScheduler: ten timesteps, of which the first ones are left out where it denoises in part. */
function turbo({ steps, denoise }: Drawing["levels"], table: SigmaTable): number[] {
  const start = 10 - Math.trunc(10 * denoise);
  const places = Array.from({ length: 10 }, (_, i) => 100 * (10 - i) - 1).slice(start, start + steps);
  return [...places.map((place) => table.sigma(place)), 0];
}

// ---- the conditioning

interface Reader {
  readonly pipeline: Pipeline;
  readonly cleaning: Cleaning;
}

async function condition(drawing: Drawing, reader: Reader, anySteps: boolean): Promise<Conditioning> {
  const { pipeline } = reader;
  const positive = await encode(drawing.positive, reader);
  if (anySteps) return { positive, guidance: 1, step: pipeline.step };
  const step = stepOf(drawing, pipeline);
  const { cfg, negative } = drawing;
  // samplers.py leaves the negative prompt out where cfg is 1, within Python's math.isclose.
  if (!negative || Math.abs(cfg - 1) <= 1e-9) return { positive, guidance: 1, step };
  return { positive, negative: await encode(negative, reader), guidance: cfg, step };
}

async function encode(steer: Steer, reader: Reader): Promise<Embedding> {
  if (steer.do === "text") return encodeText(steer.text, steer.stopAt, reader);
  if (steer.do === "zero") {
    const { data, tokens, width } = await encode(steer.of, reader);
    return { data: new Float32Array(data.length), tokens, width };
  }
  const [to, from] = [await encode(steer.parts[0], reader), await encode(steer.parts[1], reader)];
  return steer.do === "concat" ? joined([to, from]) : averaged(to, from, steer.share);
}

/** ConditioningAverage: the second is cut or filled up with zeros to the first one's length. */
const averaged = (to: Embedding, from: Embedding, share: number): Embedding => ({
  ...to,
  data: to.data.map((value, i) => value * share + (from.data[i] ?? 0) * (1 - share)),
});

async function encodeText(text: string, stopAt: number | null, { pipeline, cleaning }: Reader): Promise<Embedding> {
  const { tokenizer } = pipeline;
  const options = { skipLayers: skippedLayers(stopAt, pipeline) };
  const parts = chunks(text, tokenizer, cleaning);
  const states = await pipeline.encodeChunks(
    parts.map(({ ids }) => ids),
    options,
  );
  if (!hasWeights(parts)) return joined(states);
  const [empty] = await pipeline.encodeChunks([emptyChunk(tokenizer).ids], options);
  return joined(emphasized(states, empty!, parts));
}

/** CLIPSetLastLayer counts from -1, the last; SD2, told by its padding, is loaded without its last layer, and stops at -2 unless told. */
function skippedLayers(stopAt: number | null, { tokenizer }: Pipeline): number {
  const last = tokenizer.pad === tokenizer.end ? -1 : -2;
  return Math.max(last - (stopAt ?? last), 0);
}

// ---- the noise

/** The file does not say which picture of the batch it is. */
function candidates({ latents, saved, seed }: Drawing, [, channels, h, w]: LatentShape): Candidate[] {
  const { count, index } = latents;
  const length = channels * h * w;
  let batch: Float32Array | undefined;
  const draw = () => noise({ host: "comfyui", seed, shape: [count, channels, h, w], ...(index && { index }) });
  return saved.map((place) => ({
    name: count === 1 ? "noise of its seed" : `picture ${place + 1} of ${count} in the batch`,
    latents: () => {
      batch ??= draw();
      return batch.slice(place * length, (place + 1) * length);
    },
  }));
}
