// ComfyUI's graph as a recipe (a125cd84: comfy/samplers.py, comfy/sample.py, comfy/sd1_clip.py).

import type { ImageMetadata } from "../../metadata/index.ts";
import type { JsonObject } from "../../metadata/json.ts";
import type { Cleaning } from "../clipTokenizer.ts";
import { noise } from "../noise/index.ts";
import type { OneStep, PredictionType } from "../oneStep.ts";
import type { Conditioning, Pipeline } from "../pipeline.ts";
import { cleaningsOf, namesEmbeddings } from "../prompt/comfyui.ts";
import { alphasCumprod } from "../schedule.ts";
import { firstStates, mixed, type Reader, wordsOf } from "./comfyConditioning.ts";
import { type Drawing, drawings } from "./comfyGraph.ts";
import type { Levels } from "./comfyLevels.ts";
import {
  type Candidate,
  known,
  type LatentShape,
  mixture,
  notOneStep,
  type Recipe,
  type RecipeOptions,
} from "./making.ts";
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
  const texts = wordsOf(drawing.positive) + (drawing.negative ? wordsOf(drawing.negative) : "");
  return cleaningsOf(texts).map((cleaning) => recipe(drawing, anySteps, cleaning));
}

function recipe(drawing: Drawing, anySteps: boolean, cleaning: Cleaning): Recipe {
  if (!anySteps) stepOf(drawing, { alphasCumprod: alphasCumprod(), predictionType: "epsilon" }); // throws if it is none
  const { width, height } = drawing.latents;
  const [prompt, negativePrompt] = [wordsOf(drawing.positive), drawing.negative ? wordsOf(drawing.negative) : ""];
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
      `The step of ${drawing.sampler} ends at the noise level ${to.toPrecision(3)}, for which it adds noise of its own or asks the model again.`,
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
  if (told.scheduler === "sd_turbo") return checked(edited(turbo(told, table), told), steps);
  const oneMore = told.oneMore && (comfySamplers.get(sampler)?.oneMore ?? false);
  const total = denoise > 0.9999 ? steps : Math.floor(steps / denoise);
  let all: readonly number[] = schedule(told, total + (oneMore ? 1 : 0), table);
  if (oneMore) all = [...all.slice(0, -2), all.at(-1)!];
  all = all.slice(-(steps + 1));
  all = edited(all, told);
  if (end < all.length - 1) all = [...all.slice(0, end), full ? 0 : all[end]!];
  return checked(all.slice(start), steps);
}

const edited = (sigmas: readonly number[], { edits }: Levels) =>
  edits.reduce<readonly number[]>((all, edit) => edit(all), sigmas);

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

async function condition(drawing: Drawing, reader: Reader, anySteps: boolean): Promise<Conditioning> {
  const { pipeline } = reader;
  if (anySteps) return { positive: await firstStates(drawing.positive, reader), guidance: 1, step: pipeline.step };
  const { whole, table } = sampled(drawing, pipeline);
  const [sigma] = levels(drawing, table);
  return mixture(await mixed(drawing.mixture, { sigma, table: whole }, reader), stepOf(drawing, pipeline));
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
