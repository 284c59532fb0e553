// The generators by the name of the device that torch would draw on.

import { RequestError } from "../../errors.ts";
import { TorchCpuGenerator } from "./torchCpu.ts";
import { type CudaOptions, TorchCudaGenerator } from "./torchCuda.ts";
import { type NoiseGenerator, type Seed, shown } from "./types.ts";

const generators = {
  cpu: (seed: Seed) => new TorchCpuGenerator(seed),
  cuda: (seed: Seed, options: CudaOptions) => new TorchCudaGenerator(seed, options),
} satisfies Record<string, (seed: Seed, options: CudaOptions) => NoiseGenerator>;

export type Rng = keyof typeof generators;

export const rngs = Object.keys(generators) as Rng[];

export function createGenerator(rng: Rng, seed: Seed, options: CudaOptions = {}): NoiseGenerator {
  if (Object.hasOwn(generators, rng)) return generators[rng](seed, options);
  throw new RequestError(`There is no generator ${shown(rng)}; there are "${rngs.join('" and "')}".`, {
    hint: 'What A1111 calls GPU (on an Nvidia card) and NV is "cuda"; GPU on a machine without a graphics card is "cpu".',
  });
}
