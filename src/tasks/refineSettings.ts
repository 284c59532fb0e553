// How a refinement is done, for the run itself and for the trace and the file that tell of it.

import { builtInPipeline } from "../reno/loadPipeline.ts";
import type { Pipeline } from "../reno/pipeline.ts";
import type { RefineOptions } from "../reno/refine.ts";
import { byName, type WeightedReward } from "../reno/stepGraph.ts";
import type { Origin } from "./origin.ts";

export interface Manner {
  readonly iterations: number;
  readonly optimizer: "sgd" | "adam" | "lbfgs";
  readonly learningRate: number;
  readonly gradientClip: number;
  readonly regularization: number;
  readonly mode: "refine" | "select";
  readonly patience?: number | undefined;
}

/** What judges unless a person says it: ImageReward knows nothing of the built-in world. */
export const usualRewards = ({ path }: Pipeline): string[] => [
  path === builtInPipeline.path ? "shapes" : "imagereward",
];

export function refineOptionsOf(
  origin: Origin,
  manner: Manner,
): Omit<RefineOptions, "rewards"> & { latents: Float32Array } {
  const { pipeline, prompt, conditioning, latents, seed, width, height } = origin;
  const { iterations, optimizer, learningRate, gradientClip, regularization, mode, patience } = manner;
  const how = { iterations, optimizer, learningRate, gradientClip, regularization, mode, patience };
  return { pipeline, prompt, conditioning, latents, seed, width, height, ...how };
}

/** As the trace and the result's file tell them; no paths, which are nobody else's business. */
export function refineSettings(origin: Origin, rewards: readonly WeightedReward[], manner: Manner) {
  const { pipeline, prompt, negativePrompt, guidance, seed, width, height } = origin;
  const weights = [...byName(rewards)].map(([name, { weight }]): [string, number] => [name, weight]);
  const { iterations, optimizer, learningRate: lr, gradientClip: gradClip, regularization: reg, mode } = manner;
  const making = { model: pipeline.name, prompt, negativePrompt, guidance, seed: jsonSeed(seed), width, height };
  return { ...making, rewards: Object.fromEntries(weights), iterations, optimizer, lr, gradClip, reg, mode };
}

const jsonSeed = (seed: number | bigint | undefined) => (typeof seed === "bigint" ? String(seed) : seed);
