// How much noise there is at each training step (Ho et al. 2020; Song et al. 2021): betas, the product of what each step keeps, and sigmas.

import { RequestError } from "../errors.ts";

/** The fields of a scheduler_config.json that say how the model was trained. Defaults are Stable Diffusion's own. */
export interface NoiseSchedule {
  readonly trainSteps?: number | undefined;
  readonly betaStart?: number | undefined;
  readonly betaEnd?: number | undefined;
  readonly betaSchedule?: string | undefined;
  readonly trainedBetas?: readonly number[] | undefined;
  /** Lin et al. 2023, Algorithm 1: the last step is noise alone. */
  readonly zeroTerminalSnr?: boolean | undefined;
}

/** What a terminal signal of zero is replaced by, so that its sigma is finite: float16's smallest number (diffusers, Euler). */
const SMALLEST = 2 ** -24;

const betaSchedules: Readonly<Record<string, (start: number, end: number, steps: number) => number[]>> = {
  linear: linspace,
  scaled_linear: (start, end, steps) => linspace(start ** 0.5, end ** 0.5, steps).map((x) => f32(x * x)),
  squaredcos_cap_v2: (_start, _end, steps) =>
    Array.from({ length: steps }, (_, i) => f32(Math.min(1 - cosine((i + 1) / steps) / cosine(i / steps), 0.999))),
};

/** ᾱ(t), what is left of the picture's variance after t + 1 steps; rounded as torch rounds them. */
export function alphasCumprod(schedule: NoiseSchedule = {}): number[] {
  const { trainSteps = 1000, betaStart = 0.00085, betaEnd = 0.012, betaSchedule = "scaled_linear" } = schedule;
  const make = betaSchedules[betaSchedule];
  if (!make) {
    throw new RequestError(
      `The scheduler's beta_schedule is ${JSON.stringify(betaSchedule)}; known are ${Object.keys(betaSchedules).join(", ")}.`,
    );
  }
  const betas = schedule.trainedBetas?.map(f32) ?? make(betaStart, betaEnd, trainSteps);
  const kept = cumulativeProduct(betas.map((beta) => f32(1 - beta)));
  return schedule.zeroTerminalSnr ? rescaleToZero(kept) : kept;
}

function rescaleToZero(kept: readonly number[]): number[] {
  const roots = kept.map(Math.sqrt);
  const [first, last] = [roots[0]!, roots.at(-1)!];
  const rescaled = roots.map((root) => f32((((root - last) * first) / (first - last)) ** 2));
  return rescaled.with(-1, SMALLEST);
}

/** σ = √((1 − ᾱ)/ᾱ): the noise beside a picture of variance 1, as Karras et al. 2022 and k-diffusion count it. */
export const sigmaOf = (alpha: number): number => Math.sqrt((1 - alpha) / alpha);

export const sigmasOf = (alphas: readonly number[]): number[] => alphas.map(sigmaOf);

/** The training step whose noise is σ, between two of them by the logarithm: k-diffusion's DiscreteSchedule.sigma_to_t, which the hosts use. */
export function sigmaToTimestep(sigma: number, sigmas: readonly number[]): number {
  const wanted = Math.log(sigma);
  const last = sigmas.length - 2;
  const above = sigmas.findIndex((each) => Math.log(each) > wanted);
  const low = Math.min(Math.max(above === -1 ? last : above - 1, 0), last);
  const [from, to] = [Math.log(sigmas[low]!), Math.log(sigmas[low + 1]!)];
  return low + Math.min(Math.max((from - wanted) / (from - to), 0), 1);
}

/** σ of a training step, whole or between two: k-diffusion's t_to_sigma. */
export function timestepToSigma(timestep: number, sigmas: readonly number[]): number {
  const low = Math.floor(timestep);
  const high = Math.min(Math.ceil(timestep), sigmas.length - 1);
  const weight = timestep - low;
  return Math.exp((1 - weight) * Math.log(sigmas[low]!) + weight * Math.log(sigmas[high]!));
}

const f32 = Math.fround;
const cosine = (t: number) => Math.cos(((t + 0.008) / 1.008) * (Math.PI / 2)) ** 2;

/** torch.linspace in float32: from both ends towards the middle. */
function linspace(start: number, end: number, steps: number): number[] {
  const [low, high] = [f32(start), f32(end)];
  const step = f32(f32(high - low) / (steps - 1));
  return Array.from({ length: steps }, (_, i) =>
    i < Math.floor(steps / 2) ? f32(low + f32(step * i)) : f32(high - f32(step * (steps - 1 - i))),
  );
}

/** torch.cumprod in float32 on the CPU: multiplied in float64, each product rounded. */
function cumulativeProduct(factors: readonly number[]): number[] {
  let product = 1;
  return factors.map((factor) => {
    product *= factor;
    return f32(product);
  });
}
