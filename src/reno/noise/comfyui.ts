// ComfyUI's noise (comfy/sample.py, prepare_noise): drawn on the CPU always, one draw for a whole batch.

import { RequestError } from "../../errors.ts";
import { TorchCpuGenerator } from "./torchCpu.ts";
import { checkIndex, checkShape, countOf, type NoiseDType, type Seed, type Shape, shown } from "./types.ts";

export interface ComfyNoise {
  readonly host: "comfyui";
  readonly seed: Seed;
  /** [N, ...]: the latent batch. */
  readonly shape: Shape;
  /** The latents' own `batch_index`, where a node such as LatentFromBatch has set it: of each of the N pictures. */
  readonly index?: number | readonly number[];
  readonly rng?: "cpu";
  readonly dtype?: NoiseDType;
}

export function comfyNoise({ seed, shape, index, dtype }: ComfyNoise): Float32Array {
  checkShape(shape);
  const generator = new TorchCpuGenerator(seed);
  if (index === undefined) return generator.randn(shape, dtype);
  const wanted = indicesOf(index, shape);
  const length = countOf(shape.slice(1));
  const numbers = new Float32Array(countOf(shape));
  // All up to the last one wanted are drawn, one by one; that is not the draw of the whole batch for sizes off 16.
  for (let picture = 0; picture <= Math.max(...wanted); picture++) {
    const drawn = generator.randn(length, dtype);
    wanted.forEach((one, place) => {
      if (one === picture) numbers.set(drawn, place * length);
    });
  }
  return numbers;
}

function indicesOf(index: number | readonly number[], shape: Shape): readonly number[] {
  const indices = Array.isArray(index) ? index : [index as number];
  for (const one of indices) checkIndex(one, "batch index");
  if (indices.length === shape[0]) return indices;
  throw new RequestError(
    `The index ${shown(index)} names ${indices.length} pictures, but the shape [${shape}] has ${shape[0]}.`,
    { hint: "Give the batch index of each picture, or leave it out for the batch that ComfyUI draws in one." },
  );
}
