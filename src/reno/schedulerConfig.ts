// scheduler_config.json as diffusers writes it: which sampler the model's publisher chose, and how the model was trained.

import { z } from "zod";
import { WeightError } from "../errors.ts";
import type { JsonObject } from "./jsonFile.ts";
import type { SchedulerConfig } from "./oneStep.ts";

const count = z.number().int().nonnegative();

const schema = z.object({
  _class_name: z.string().default("EulerDiscreteScheduler"),
  num_train_timesteps: count.min(2).max(100_000).optional(),
  beta_start: z.number().positive().lt(1).optional(),
  beta_end: z.number().positive().lt(1).optional(),
  beta_schedule: z.string().optional(),
  trained_betas: z.array(z.number().positive().lt(1)).min(2).max(100_000).nullish(),
  rescale_betas_zero_snr: z.boolean().default(false),
  prediction_type: z.enum(["epsilon", "v_prediction", "sample"]).default("epsilon"),
  timestep_spacing: z.enum(["trailing", "leading", "linspace"]).optional(),
  steps_offset: count.default(0),
  set_alpha_to_one: z.boolean().optional(),
  final_sigmas_type: z.enum(["zero", "sigma_min"]).default("zero"),
  timestep_scaling: z.number().positive().optional(),
  original_inference_steps: count.positive().optional(),
});

/** What a class assumes where its file is silent, if it is not what most assume: betas from 0.0001 to 0.02, linearly. */
const usualBetas = { betaStart: 0.0001, betaEnd: 0.02, betaSchedule: "linear" };
const latentBetas = { betaStart: 0.00085, betaEnd: 0.012, betaSchedule: "scaled_linear" };
const betasOf: Readonly<Record<string, typeof usualBetas>> = { LCMScheduler: latentBetas };

/** What would make the step another one, or none that is affine: the key, what it may be, and what it is where not said. */
const supported: readonly (readonly [key: string, allowed: readonly unknown[], usual?: (kind: string) => unknown])[] = [
  ["thresholding", [false]],
  ["clip_sample", [false], (kind) => kind === "DDIMScheduler"],
  ["timestep_type", ["discrete"]],
  ["interpolation_type", ["linear"]],
  ["algorithm_type", ["dpmsolver++", "sde-dpmsolver++"]],
  ["variance_type", [null]],
  ["use_flow_sigmas", [false]],
  ["sigma_min", [null]],
  ["sigma_max", [null]],
];

export function parseSchedulerConfig(json: JsonObject, where: string): SchedulerConfig {
  const { data, error } = schema.safeParse(json);
  if (error) {
    const { path, message } = error.issues[0]!;
    throw refused(where, path.join("."), json[String(path[0])], message);
  }
  const kind = data._class_name;
  for (const [key, allowed, usual] of supported) {
    const found = key in json ? json[key] : (usual?.(kind) ?? allowed[0]);
    if (!allowed.includes(found))
      throw refused(where, key, found, allowed.map((each) => JSON.stringify(each)).join(" or "));
  }
  const betas = betasOf[kind] ?? usualBetas;
  return {
    kind,
    trainSteps: data.num_train_timesteps,
    betaStart: data.beta_start ?? betas.betaStart,
    betaEnd: data.beta_end ?? betas.betaEnd,
    betaSchedule: data.beta_schedule ?? betas.betaSchedule,
    trainedBetas: data.trained_betas ?? undefined,
    zeroTerminalSnr: data.rescale_betas_zero_snr,
    predictionType: data.prediction_type,
    spacing: data.timestep_spacing,
    stepsOffset: data.steps_offset,
    setAlphaToOne: data.set_alpha_to_one,
    finalSigma: data.final_sigmas_type,
    timestepScaling: data.timestep_scaling,
    originalSteps: data.original_inference_steps,
  };
}

const refused = (where: string, key: string, found: unknown, wanted: string) =>
  new WeightError(`${where}: "${key}" is ${JSON.stringify(found)}; supported: ${wanted}.`, {
    hint: 'Name a scheduler to use instead, as in loadPipeline(path, { scheduler: { kind: "EulerDiscreteScheduler", spacing: "trailing" } }).',
  });
