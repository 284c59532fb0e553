// diffusers' noise (utils/torch_utils.py, randn_tensor): one generator for the batch, or a list with one for each picture.

import { RequestError } from "../../errors.ts";
import { createGenerator, type Rng } from "./generators.ts";
import type { CudaOptions } from "./torchCuda.ts";
import { checkShape, countOf, type NoiseDType, type Seed, type Shape } from "./types.ts";

export interface DiffusersNoise extends CudaOptions {
  readonly host: "diffusers";
  /** A list stands for a list of generators. SD.Next gives one of seed, seed + 1, seed + 2 and so on. */
  readonly seed: Seed | readonly Seed[];
  readonly shape: Shape;
  /** The generator's device, not the pipeline's. */
  readonly rng?: Rng;
  /** The pipeline's own dtype, which the noise is drawn in. */
  readonly dtype?: NoiseDType;
}

export function diffusersNoise({ seed, shape, rng = "cpu", dtype, ...options }: DiffusersNoise): Float32Array {
  checkShape(shape);
  if (!isList(seed)) return createGenerator(rng, seed, options).randn(shape, dtype);
  if (seed.length !== shape[0]) {
    throw new RequestError(`There are ${seed.length} seeds for the ${shape[0]} pictures of the shape [${shape}].`, {
      hint: "Give as many seeds as pictures, or a single one for a single generator.",
    });
  }
  const length = countOf(shape.slice(1));
  const numbers = new Float32Array(countOf(shape));
  seed.forEach((one, i) => {
    numbers.set(createGenerator(rng, one, options).randn(length, dtype), i * length);
  });
  return numbers;
}

const isList = (seed: Seed | readonly Seed[]): seed is readonly Seed[] => Array.isArray(seed);
