// ReNO (Eyring et al. 2024, arXiv 2406.04312): the noise of a one-step picture, optimised through the whole model for what
// rewards say of the picture. The loop is training/trainer.py's at bd6f6ac: look; keep the best by the rewards' loss alone;
// unless it was the last look, clip the gradient of loss and regulariser, and move.

import { RequestError } from "../errors.ts";
import { type CompileOptions, elementCount } from "../graph/index.ts";
import { fittingPlan } from "./memoryPlan.ts";
import { noise } from "./noise/index.ts";
import { clipped, regularizer } from "./objective.ts";
import { type OptimizerName, type OptimizerState, optimizers, type Point } from "./optimizers.ts";
import type { Conditioning } from "./pipeline.ts";
import { StepGraph, type StepPipeline, type StepPlan, type WeightedReward } from "./stepGraph.ts";
import { norm, plus } from "./vectors.ts";

export interface RefineOptions extends CompileOptions {
  readonly pipeline: StepPipeline;
  readonly rewards: readonly WeightedReward[];
  /** What the rewards judge by, and what is painted unless a conditioning says it better. */
  readonly prompt: string;
  readonly negativePrompt?: string | undefined;
  readonly guidance?: number | undefined;
  readonly conditioning?: Conditioning | undefined;
  /** Of the noise to begin with, unless that is given, and of the fresh noise of a selection. Default 0. */
  readonly seed?: number | bigint | undefined;
  /** The noise to begin with, [1, C, h, w] before scaling. */
  readonly latents?: Float32Array | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  /** Default 50: steps 0 to 49, of which the last only looks. */
  readonly iterations?: number | undefined;
  readonly optimizer?: OptimizerName | undefined;
  readonly learningRate?: number | undefined;
  readonly momentum?: number | undefined;
  readonly nesterov?: boolean | undefined;
  /** The longest that a gradient may be; Infinity leaves it as it is. */
  readonly gradientClip?: number | undefined;
  /** The regulariser's weight; 0 turns it off. */
  readonly regularization?: number | undefined;
  /** "select" spends the iterations on fresh noise instead. */
  readonly mode?: "refine" | "select" | undefined;
  /** Ends the run before the next step. */
  readonly signal?: AbortSignal | undefined;
  /** Ends the run after so many steps without a new best; without it, it goes on. */
  readonly patience?: number | undefined;
  /** A step's state: the run goes on after that step as if it had never stopped. */
  readonly resume?: RefineState | undefined;
  /** How the graph is laid out in sessions; the fastest that fits into memory unless given. */
  readonly plan?: StepPlan | undefined;
}

/** Every number belongs to the latents as they were looked at, before the update. */
export interface RefineStep {
  readonly step: number;
  readonly rewards: Readonly<Record<string, number>>;
  /** Σ weight · (offset − reward): what the best is chosen by. */
  readonly loss: number;
  readonly regularizer: number;
  /** Of loss and regulariser, before clipping; null where no update follows. */
  readonly gradientNorm: number | null;
  readonly latentsNorm: number;
  /** What the step took, the update that led to it included. */
  readonly ms: number;
  readonly latents: Float32Array;
  /** [3, H, W], 0..1. */
  readonly pixels: Float32Array;
  readonly width: number;
  readonly height: number;
  /** Whether it is the best so far. */
  readonly best: boolean;
  readonly state: RefineState;
}

/** What a run needs to go on after a step. */
export interface RefineState {
  readonly step: number;
  readonly latents: Float32Array;
  /** As it was before the update that follows the step. */
  readonly optimizer: OptimizerState;
  readonly best: Best;
}

export interface Best {
  readonly step: number;
  readonly loss: number;
  readonly latents: Float32Array;
}

/** ReNO's own (arguments.py, training/optim.py). */
export const refineDefaults = {
  iterations: 50,
  optimizer: "sgd",
  learningRate: 5,
  momentum: 0.9,
  nesterov: true,
  gradientClip: 0.1,
  regularization: 0.01,
  mode: "refine",
  seed: 0,
} as const;

type Settings = RefineOptions & { [key in keyof typeof refineDefaults]-?: NonNullable<RefineOptions[key]> };

/** Looks and moves by turns. Leaving the loop, at any step, frees what the run holds. */
export async function* refine(options: RefineOptions): AsyncGenerator<RefineStep, void, void> {
  const settings = settle(options);
  const { pipeline, prompt, negativePrompt, guidance, iterations, mode } = settings;
  const conditioning =
    settings.conditioning ??
    (await pipeline.condition(prompt, {
      ...(negativePrompt === undefined ? {} : { negativePrompt }),
      ...(guidance === undefined ? {} : { guidance }),
    }));
  const gradient = mode === "refine" && iterations > 1;
  const graph = await StepGraph.build({ ...settings, conditioning, gradient, plan: settings.plan ?? fittingPlan() });
  try {
    yield* steps(settings, graph);
  } finally {
    await graph.release();
  }
}

async function* steps(settings: Settings, graph: StepGraph): AsyncGenerator<RefineStep, void, void> {
  const { iterations, mode, patience = Number.POSITIVE_INFINITY, resume, signal } = settings;
  const next = mode === "select" ? fresh(settings, graph) : moved(settings, graph);
  let { step, latents, optimizer, best } = resume ?? (await start(settings, graph));
  for (let ms = 0; step < iterations && !signal?.aborted; step++) {
    const begun = performance.now();
    const looked = await look(latents, mode === "refine" && step < iterations - 1, settings, graph);
    const { numbers, at } = looked;
    const better = numbers.loss < best.loss;
    if (better) best = { step, loss: numbers.loss, latents };
    const state = { step, latents, optimizer, best };
    ms += performance.now() - begun;
    if (step !== resume?.step) yield { step, ...numbers, ms, latents, ...looked.picture, best: better, state };
    if (step === iterations - 1 || step - best.step >= patience || signal?.aborted) return;
    const moving = performance.now();
    const following = await unlessAborted(next(state, at), signal);
    if (!following) return;
    ({ latents, optimizer } = following);
    ms = performance.now() - moving;
  }
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (signal?.aborted) return undefined;
    throw error;
  }
}

/** How a noise follows from the one before: by the optimiser, or fresh. */
type Next = (state: RefineState, at: Point | undefined) => Promise<Pick<RefineState, "latents" | "optimizer">>;

function moved(settings: Settings, graph: StepGraph): Next {
  const update = optimizers[settings.optimizer];
  const evaluate = async (latents: Float32Array) => {
    settings.signal?.throwIfAborted(); // L-BFGS looks up to twelve times
    return (await look(latents, true, settings, graph)).at!;
  };
  return async ({ latents, optimizer }, at) => {
    const updated = await update(latents, at!, optimizer, settings, evaluate);
    return { latents: updated.latents, optimizer: updated.state };
  };
}

/**
 * The noise that torch's generator draws next, after the one to begin with and those before. Upstream never looks at the
 * first draw: its iteration i sees what is step i + 1 here, where step 0 is the untouched picture.
 */
function fresh({ seed, iterations }: Settings, { parts }: StepGraph): Next {
  const [, ...shape] = parts.noiseShape;
  const index = Array.from({ length: iterations }, (_, i) => i);
  const draws = noise({ host: "comfyui", seed, shape: [iterations, ...shape], index }); // one by one
  const length = draws.length / iterations;
  return async ({ step, optimizer }) => ({ latents: draws.slice((step + 1) * length, (step + 2) * length), optimizer });
}

async function start({ latents, seed }: Settings, { parts }: StepGraph): Promise<RefineState> {
  const count = elementCount(parts.noiseShape);
  if (latents && latents.length !== count) {
    throw new RequestError(
      `The noise has ${latents.length} numbers, but [${parts.noiseShape.join(", ")}] takes ${count}.`,
      { hint: "Give the size of the picture that the noise is of." },
    );
  }
  const first = latents ?? noise({ seed, shape: parts.noiseShape, rng: "cpu" });
  return { step: 0, latents: first, optimizer: {}, best: { step: 0, loss: Number.POSITIVE_INFINITY, latents: first } };
}

/** What is seen of a noise, and where the optimiser stands with it: loss and regulariser with their clipped gradient. */
async function look(latents: Float32Array, wantGradient: boolean, settings: Settings, graph: StepGraph) {
  const { rewards, loss, image, gradient } = await graph.evaluate(latents, { gradient: wantGradient });
  const pull = regularizer(latents, settings.regularization);
  const whole = wantGradient ? plus(gradient!, pull.slope, latents) : undefined;
  const gradientNorm = whole ? norm(whole) : null;
  return {
    numbers: { rewards, loss, regularizer: pull.value, gradientNorm, latentsNorm: pull.norm },
    picture: { pixels: image, ...graph.parts.size },
    at: whole && {
      value: Math.fround(loss + pull.value), // float32, as torch adds them
      gradient: clipped(whole, gradientNorm!, settings.gradientClip),
    },
  };
}

const least: Readonly<Record<string, number>> = {
  iterations: 1,
  learningRate: 0,
  momentum: 0,
  gradientClip: 0,
  regularization: 0,
  patience: 1,
};

/** The options with ReNO's own where nothing was said; RequestError where they make no sense. */
function settle(options: RefineOptions): Settings {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const settings = { ...refineDefaults, ...Object.fromEntries(given) } as Settings;
  if (settings.rewards.length === 0) {
    throw new RequestError("There is no reward to refine by.", { hint: "Give one, such as imagereward." });
  }
  for (const [name, low] of Object.entries(least)) {
    const value = settings[name as keyof Settings] as number | undefined;
    const whole = name !== "iterations" || Number.isInteger(value);
    if (value === undefined || (value >= low && whole)) continue;
    throw new RequestError(`${name} is ${value}; a ${whole ? "" : "whole "}number from ${low} on is wanted.`);
  }
  if (!(settings.optimizer in optimizers)) {
    const known = Object.keys(optimizers).join(", ");
    throw new RequestError(`There is no optimizer ${JSON.stringify(settings.optimizer)}; there are ${known}.`);
  }
  return settings;
}
