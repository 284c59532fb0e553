// What is descended: the rewards' loss and a regulariser that keeps the noise as long as a Gaussian's
// (ReNO, Eyring et al. 2024, arXiv 2406.04312, equation 5; training/trainer.py at bd6f6ac).

import { norm, scaled } from "./vectors.ts";

export interface Regularizer {
  /** w · (½|z|² − (d − 1) ln |z|): smallest at |z|² = d − 1, where the χ distribution of d numbers has its mode. */
  readonly value: number;
  /** |z|, over the whole tensor. */
  readonly norm: number;
  /** The gradient is slope · z. */
  readonly slope: number;
}

/** A weight of 0 turns it off. */
export function regularizer(latents: Float32Array, weight: number): Regularizer {
  const length = norm(latents);
  if (weight === 0) return { value: 0, norm: length, slope: 0 };
  const free = latents.length - 1;
  return {
    value: weight * (0.5 * length ** 2 - free * Math.log(length)),
    norm: length,
    slope: weight * (1 - free / length ** 2),
  };
}

/** torch's clip_grad_norm_: shortened to `longest` where it is longer. */
export const clipped = (gradient: Float32Array, length: number, longest: number): Float32Array =>
  scaled(gradient, Math.min(1, longest / (length + 1e-6)));
