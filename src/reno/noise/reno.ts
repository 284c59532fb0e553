// ReNO's noise (main.py:18, :111, :127, :166, :195, :260): the global generator is seeded once, and each prompt draws from it in turn.
// On a CPU the stream would begin later than here, since building the models draws weights from that same generator.

import { createGenerator, type Rng } from "./generators.ts";
import type { CudaOptions } from "./torchCuda.ts";
import { checkIndex, checkShape, type NoiseDType, type Seed, type Shape } from "./types.ts";

export interface RenoNoise extends CudaOptions {
  readonly host: "reno";
  readonly seed: Seed;
  readonly shape: Shape;
  /** How many prompts, each with noise of the same shape, came before. */
  readonly skip?: number;
  /** ReNO runs on CUDA, in float16 unless told otherwise. */
  readonly rng?: Rng;
  readonly dtype?: NoiseDType;
}

export function renoNoise({
  seed,
  shape,
  skip = 0,
  rng = "cuda",
  dtype = "float16",
  ...options
}: RenoNoise): Float32Array {
  checkShape(shape);
  checkIndex(skip, "number of prompts before");
  const generator = createGenerator(rng, seed, options);
  for (let prompt = 0; prompt < skip; prompt++) generator.randn(shape, dtype);
  return generator.randn(shape, dtype);
}
