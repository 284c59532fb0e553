// The originals' own noise: fixtures/noise.json, by test/reference/noise.py, which says the versions.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createGenerator, type NoiseDType, type NoiseRequest, noise, type Rng } from "../../src/reno/noise/index.ts";
import { decodeFloat32, dot, largestDifference } from "./compare.ts";

export interface StoredNoise {
  readonly request: Readonly<Record<string, unknown>>;
  readonly sum: number;
  readonly squares: number;
  readonly sha256?: string;
  /** Where the numbers stand; without it they are all. */
  readonly places?: readonly number[];
  readonly numbers: string;
}

export interface StoredStream {
  readonly rng: Rng;
  readonly seed: number;
  readonly draws: readonly { readonly size: number; readonly dtype: NoiseDType }[];
  readonly numbers: readonly string[];
}

export const stored: { readonly cases: readonly StoredNoise[]; readonly streams: readonly StoredStream[] } = JSON.parse(
  readFileSync(new URL("../reno/noise/fixtures/noise.json", import.meta.url), "utf8"),
);

/** Without a host it is torch.randn alone. */
export const hosts = [undefined, "a1111", "comfyui", "diffusers", "reno"] as const;
export const storedOf = (host: (typeof hosts)[number]) => stored.cases.filter(({ request }) => request.host === host);
export const hashed = stored.cases.filter(({ sha256 }) => sha256 !== undefined);

/** Seeds are stored as text, for their digits. */
function requestOf({ request }: StoredNoise): NoiseRequest {
  const { seed, subseed } = request as { seed: string | string[]; subseed?: string };
  return {
    ...request,
    seed: Array.isArray(seed) ? seed.map(BigInt) : BigInt(seed),
    ...(subseed !== undefined && { subseed: BigInt(subseed) }),
  } as NoiseRequest;
}

/** Of the numbers that are stored, and of the means of all and of their squares. */
export function noiseDifferences(want: StoredNoise): { numbers: number; mean: number; meanSquare: number } {
  const got = noise(requestOf(want));
  const chosen = want.places ? Float32Array.from(want.places, (place) => got[place]!) : got;
  const sum = got.reduce((total, x) => total + x, 0);
  return {
    numbers: largestDifference(chosen, decodeFloat32(want.numbers)),
    mean: Math.abs(sum - want.sum) / got.length,
    meanSquare: Math.abs(dot(got, got) - want.squares) / got.length,
  };
}

export function noiseHash(want: StoredNoise): string {
  const { buffer, byteOffset, byteLength } = noise(requestOf(want));
  return createHash("sha256")
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest("hex");
}

/** Of each draw from one generator. */
export function streamDifferences({ rng, seed, draws, numbers }: StoredStream): number[] {
  const generator = createGenerator(rng, seed);
  return draws.map(({ size, dtype }, i) =>
    largestDifference(generator.randn([size], dtype), decodeFloat32(numbers[i]!)),
  );
}
