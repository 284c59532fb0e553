// The noise of A1111, Forge and their kin: modules/rng.py (ImageRNG.first) with the seeds of modules/processing.py.
// "Eta noise seed delta" (ENSD) has no part in it: it replaces the generators after this first draw.

import { RequestError } from "../../errors.ts";
import { createGenerator, type Rng } from "./generators.ts";
import { type PlanesShape, slerp } from "./slerp.ts";
import type { CudaOptions } from "./torchCuda.ts";
import { checkCount, checkIndex, checkShape, countOf, type Seed, type Shape, seedBits, shown } from "./types.ts";

export interface A1111Noise extends CudaOptions {
  readonly host: "a1111";
  /** The first picture's seed. */
  readonly seed: Seed;
  /** [N, C, h, w]: N pictures from number `index` of the batches on. */
  readonly shape: Shape;
  /** The picture's number among all that one press of the button made: the batches follow one another. */
  readonly index?: number;
  /** The host's "Random number generator source": its own default is GPU, "cuda" on Nvidia cards. */
  readonly rng?: Rng;
  readonly dtype?: "float32";
  /** "Variation seed" and "Variation seed strength". */
  readonly subseed?: Seed;
  readonly subseedStrength?: number;
  /** "Seed resize from", in pixels. */
  readonly resizeFrom?: { readonly width: number; readonly height: number };
}

const PIXELS_PER_LATENT = 8; // opt_f

export function a1111Noise(request: A1111Noise): Float32Array {
  const { shape, index = 0 } = request;
  checkShape(shape, 4);
  checkIndex(index, "index");
  checkVariation(request);
  const [count, ...planes] = shape as [number, number, number, number];
  const numbers = new Float32Array(countOf(shape));
  for (let i = 0; i < count; i++) numbers.set(pictureNoise(request, planes, index + i), (i * numbers.length) / count);
  return numbers;
}

function pictureNoise(request: A1111Noise, shape: PlanesShape, index: number): Float32Array {
  const { rng = "cuda", threads } = request;
  const draw = (seed: Seed, of: PlanesShape) =>
    createGenerator(rng, seed, threads === undefined ? {} : { threads }).randn(of);
  const seeds = seedsOf(request, index);
  const size = drawnSize(request, shape);
  const drawn = draw(seeds.seed, size);
  const noise =
    seeds.subseed === undefined ? drawn : slerp(request.subseedStrength!, drawn, draw(seeds.subseed, size), size);
  return sameSize(size, shape) ? noise : centred(noise, size, draw(seeds.seed, shape), shape);
}

/** processing.py:894-899: a variation counts its subseeds up and leaves the seed; otherwise the seed counts. */
function seedsOf({ seed, subseed, subseedStrength = 0 }: A1111Noise, index: number): { seed: Seed; subseed?: Seed } {
  if (subseedStrength === 0) return { seed: plus(seed, index, "seed") };
  return { seed, subseed: plus(subseed!, index, "subseed") };
}

function plus(seed: Seed, index: number, what: string): bigint {
  seedBits(seed, what);
  const sum = BigInt(seed) + BigInt(index);
  seedBits(sum, `${what} of picture ${index}`);
  return sum;
}

/** With "seed resize" the noise is drawn for the old size. */
function drawnSize({ resizeFrom }: A1111Noise, [channels, height, width]: PlanesShape): PlanesShape {
  if (!resizeFrom || resizeFrom.width <= 0 || resizeFrom.height <= 0) return [channels, height, width];
  const toLatents = (pixels: number) => Math.floor(Math.floor(pixels) / PIXELS_PER_LATENT);
  const size = [channels, toLatents(resizeFrom.height), toLatents(resizeFrom.width)] as const;
  checkCount(size);
  return size;
}

const sameSize = (a: PlanesShape, b: PlanesShape): boolean => a.every((length, i) => length === b[i]);

/** The noise of the old size in the middle of a canvas of the new one; what is larger loses its margins. */
function centred(noise: Float32Array, from: PlanesShape, canvas: Float32Array, to: PlanesShape): Float32Array {
  const rows = overlap(from[1], to[1]);
  const columns = overlap(from[2], to[2]);
  for (let channel = 0; channel < to[0]; channel++) {
    for (let row = 0; row < rows.length; row++) {
      const source = (channel * from[1] + rows.source + row) * from[2] + columns.source;
      const target = (channel * to[1] + rows.target + row) * to[2] + columns.target;
      canvas.set(noise.subarray(source, source + columns.length), target);
    }
  }
  return canvas;
}

/** rng.py:144-155. By its rounding down, an odd margin that is cut off takes one row more than it must. */
function overlap(from: number, to: number): { source: number; target: number; length: number } {
  const margin = Math.floor((to - from) / 2);
  return { source: Math.max(-margin, 0), target: Math.max(margin, 0), length: from + 2 * Math.min(margin, 0) };
}

function checkVariation({ subseed, subseedStrength = 0, resizeFrom }: A1111Noise): void {
  if (!(typeof subseedStrength === "number" && subseedStrength >= 0 && subseedStrength <= 1)) {
    throw new RequestError(`The subseed strength is ${shown(subseedStrength)}; wanted is a number from 0 to 1.`, {
      hint: 'It is the "Variation seed strength" of the picture\'s file.',
    });
  }
  if (subseedStrength !== 0 && subseed === undefined) {
    throw new RequestError(`The subseed strength is ${subseedStrength}, but no subseed was given.`, {
      hint: 'Give the "Variation seed" of the picture\'s file, or leave out the strength.',
    });
  }
  if (resizeFrom && !(Number.isFinite(resizeFrom.width) && Number.isFinite(resizeFrom.height))) {
    throw new RequestError(
      `The size to resize from is ${shown(resizeFrom)}; wanted are a width and a height in pixels.`,
      {
        hint: "Give it as in { width: 512, height: 768 }, or leave it out.",
      },
    );
  }
}
