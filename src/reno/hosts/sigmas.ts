// The table of noise levels that A1111's and ComfyUI's samplers walk down, and the one step between two of them.

import type { OneStep, PredictionType } from "../oneStep.ts";
import { sigmasOf } from "../schedule.ts";

/** Sigma of each of the model's timesteps, rising; sigma² = (1 − alphas_cumprod) / alphas_cumprod. */
export class SigmaTable {
  readonly sigmas: readonly number[];
  readonly #logs: readonly number[];

  constructor(sigmas: readonly number[]) {
    this.sigmas = sigmas;
    this.#logs = sigmas.map(Math.log);
  }

  static of(alphasCumprod: readonly number[]): SigmaTable {
    return new SigmaTable(sigmasOf(alphasCumprod));
  }

  get min(): number {
    return this.sigmas[0]!;
  }

  get max(): number {
    return this.sigmas.at(-1)!;
  }

  /** The nearest entry: the hosts' samplers give the U-Net whole timesteps. */
  timestep(sigma: number): number {
    const wanted = Math.log(sigma);
    const distances = this.#logs.map((log) => Math.abs(log - wanted));
    return distances.indexOf(Math.min(...distances));
  }

  /** Between two entries, along the logarithms. */
  sigma(place: number): number {
    const at = Math.min(Math.max(place, 0), this.sigmas.length - 1);
    const [low, high] = [Math.floor(at), Math.ceil(at)];
    return Math.exp(this.#logs[low]! + (at - low) * (this.#logs[high]! - this.#logs[low]!));
  }

  /** Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps are Flawed", with the last entry that both hosts put in place of 0. */
  withZeroTerminalSnr(): SigmaTable {
    const roots = this.sigmas.map((sigma) => Math.sqrt(1 / (sigma * sigma + 1)));
    const [first, last] = [roots[0]!, roots.at(-1)!];
    const moved = roots.map((root) => (((root - last) * first) / (first - last)) ** 2);
    const alphas = [...moved.slice(0, -1), 4.8973451890853435e-8];
    return SigmaTable.of(alphas);
  }

  /** LCM's own table in A1111: every twentieth timestep, the last among them (sd_samplers_lcm.py). */
  everyTwentieth(): SigmaTable {
    return new SigmaTable(this.sigmas.filter((_, i) => i % 20 === 19));
  }
}

/** A step from one noise level to the next. */
export interface Descent {
  /** Where the noise is added, and the model asked. */
  readonly from: number;
  /** 0, or what the sampler leaves in the picture: that part of the sample stays. */
  readonly to?: number | undefined;
  /** Where the model is asked, if not where the noise was added. */
  readonly at?: number | undefined;
  /** Whether noise is scaled for a sample that holds noise alone: sqrt(1 + sigma²) in place of sigma. */
  readonly pure: boolean;
}

/** denoised + to/from · (sample − denoised), with denoised by what the model predicts. */
export function descend(table: SigmaTable, descent: Descent, prediction: PredictionType): OneStep {
  const { from, to = 0, at = from, pure } = descent;
  const variance = at * at + 1;
  const denoised = {
    epsilon: { skip: 1, out: -at },
    v_prediction: { skip: 1 / variance, out: -at / Math.sqrt(variance) },
    sample: { skip: 0, out: 1 },
  }[prediction];
  const stays = to / at;
  return {
    scale: pure ? Math.sqrt(1 + from * from) : from,
    inputScale: 1 / Math.sqrt(variance),
    timestep: table.timestep(at),
    skip: stays + (1 - stays) * denoised.skip,
    out: (1 - stays) * denoised.out,
  };
}

/** What a sampler does that never asks the model: the noise itself is the picture. */
export const untouched = (scale: number): OneStep => ({ scale, inputScale: 1, timestep: 0, skip: 1, out: 0 });

/** The step's result times a number. */
export const amplified = (step: OneStep, factor: number): OneStep => ({
  ...step,
  skip: step.skip * factor,
  out: step.out * factor,
});
