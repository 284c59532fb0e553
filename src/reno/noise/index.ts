// The noise that a picture began from, re-made from its seed: torch's own draws, and what each host does with them.

import { RequestError } from "../../errors.ts";
import { type A1111Noise, a1111Noise } from "./a1111.ts";
import { type ComfyNoise, comfyNoise } from "./comfyui.ts";
import { type DiffusersNoise, diffusersNoise } from "./diffusers.ts";
import { createGenerator, type Rng } from "./generators.ts";
import { type RenoNoise, renoNoise } from "./reno.ts";
import type { CudaOptions } from "./torchCuda.ts";
import { checkShape, type NoiseDType, type Seed, type Shape, shown } from "./types.ts";

export { createGenerator, type Rng, rngs } from "./generators.ts";
export { TorchCpuGenerator } from "./torchCpu.ts";
export { type CudaOptions, TorchCudaGenerator } from "./torchCuda.ts";
export { type NoiseDType, type NoiseGenerator, noiseDTypes, type Seed, type Shape } from "./types.ts";
export type { A1111Noise, ComfyNoise, DiffusersNoise, RenoNoise };

/** torch.randn(shape, generator=torch.Generator(rng).manual_seed(seed), dtype=dtype), on the CPU unless told otherwise. */
export interface TorchNoise extends CudaOptions {
  readonly host?: undefined;
  readonly seed: Seed;
  readonly shape: Shape;
  readonly rng?: Rng;
  readonly dtype?: NoiseDType;
}

export type NoiseRequest = TorchNoise | A1111Noise | ComfyNoise | DiffusersNoise | RenoNoise;
export type NoiseHost = NonNullable<NoiseRequest["host"]>;

interface Recipe {
  readonly draw: (request: never) => Float32Array;
  /** What else than seed and shape it can be told. */
  readonly knows: readonly string[];
  /** What it can not be told otherwise. */
  readonly always?: Readonly<Record<string, string>>;
}

const hosts: Record<NoiseHost, Recipe> = {
  a1111: {
    draw: a1111Noise,
    knows: ["index", "rng", "threads", "subseed", "subseedStrength", "resizeFrom"],
    always: { dtype: "float32" },
  },
  comfyui: { draw: comfyNoise, knows: ["index", "dtype"], always: { rng: "cpu" } },
  diffusers: { draw: diffusersNoise, knows: ["rng", "threads", "dtype"] },
  reno: { draw: renoNoise, knows: ["rng", "threads", "dtype", "skip"] },
};
const torch: Recipe = { draw: torchNoise, knows: ["rng", "threads", "dtype"] };

export const noiseHosts = Object.keys(hosts) as NoiseHost[];

/** The noise before any scaling by a scheduler, as float32 in row-major order. */
export function noise(request: NoiseRequest): Float32Array {
  const recipe = recipeOf(request.host);
  checkOptions(request, recipe);
  return recipe.draw(request as never);
}

function recipeOf(host: NoiseRequest["host"]): Recipe {
  if (host === undefined) return torch;
  if (Object.hasOwn(hosts, host)) return hosts[host];
  throw new RequestError(`How ${shown(host)} draws its noise is not known; known are ${noiseHosts.join(", ")}.`, {
    hint: 'Forge is "a1111". Leave the host out for torch.randn itself.',
  });
}

function torchNoise({ seed, shape, rng = "cpu", dtype, ...options }: TorchNoise): Float32Array {
  checkShape(shape);
  return createGenerator(rng, seed, options).randn(shape, dtype);
}

/** An option that a host knows nothing of would be passed over in silence, and the noise be another one than was meant. */
function checkOptions(request: NoiseRequest, { knows, always = {} }: Recipe): void {
  const who = request.host ?? "torch.randn";
  for (const [name, value] of Object.entries(request)) {
    if (value === undefined || ["host", "seed", "shape", ...knows].includes(name) || always[name] === value) continue;
    if (Object.hasOwn(always, name)) {
      throw new RequestError(`${who} always draws with ${name} "${always[name]}"; given was ${shown(value)}.`, {
        hint: `Leave "${name}" out.`,
      });
    }
    throw new RequestError(`${who} knows no "${name}"; beside seed and shape it knows ${knows.join(", ")}.`, {
      hint: `Leave "${name}" out, or name the host that draws so.`,
    });
  }
}
