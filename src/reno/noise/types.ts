// What a draw of noise is described by, and the checks that all of its makers share.

import { RequestError } from "../../errors.ts";

/** Whole numbers from -2^63 to 2^64 - 1; beyond 2^53 only a bigint has all the digits. */
export type Seed = number | bigint;
export type Shape = readonly number[];
/** What the numbers are drawn in; they come back as float32 whatever it is. */
export const noiseDTypes = ["float32", "float16", "bfloat16"] as const;
export type NoiseDType = (typeof noiseDTypes)[number];

/** A stream of normal numbers that goes on where the last draw ended, as torch.Generator does. */
export interface NoiseGenerator {
  randn(size: number | Shape, dtype?: NoiseDType): Float32Array;
}

/** 1 GiB of float32: the noise of 4096 pictures of 1024x1024 pixels with 4 channels. */
export const MAX_NUMBERS = 2 ** 28;

/** No host's batches come near it; a larger index is a slip, and would draw for hours. */
const MAX_INDEX = 65535;

const lowestSeed = -(2n ** 63n);
const highestSeed = 2n ** 64n - 1n;

/** A seed's 64 bits as torch.Generator.manual_seed takes them: -1 is 2^64 - 1. */
export function seedBits(seed: Seed, what = "seed"): bigint {
  if (typeof seed === "number" && Number.isInteger(seed) && !Number.isSafeInteger(seed)) {
    throw new RequestError(`The ${what} ${seed} is a number beyond 2^53, where numbers lose their last digits.`, {
      hint: "Give it as a bigint, as in 18446744073709551615n.",
    });
  }
  const isWhole = typeof seed === "bigint" || Number.isSafeInteger(seed);
  if (isWhole && BigInt(seed) >= lowestSeed && BigInt(seed) <= highestSeed) return BigInt.asUintN(64, BigInt(seed));
  throw new RequestError(
    `The ${what} is ${shown(seed)}; wanted is a whole number from -2^63 (${lowestSeed}) to 2^64 - 1 (${highestSeed}).`,
    { hint: "Take the seed that the picture's file names, or any whole number such as 42." },
  );
}

/** How many numbers a shape has. */
export const countOf = (shape: Shape): number => shape.reduce((product, length) => product * length, 1);

/** The array that a draw fills, of the size and dtype that a generator was asked for. */
export function emptyDraw(size: number | Shape, dtype: NoiseDType): Float32Array {
  checkDType(dtype);
  const count = typeof size === "number" ? size : countOf(size);
  if (Number.isSafeInteger(count) && count >= 0) return new Float32Array(count);
  throw new RequestError(
    `A draw of ${shown(size)} numbers was asked for; wanted is a whole number from 0, or a shape.`,
    {
      hint: "Give it as in 16384 or [1, 4, 64, 64].",
    },
  );
}

export function checkShape(shape: unknown, rank?: number): void {
  const example = "Give it as in [1, 4, 64, 64]: pictures, channels, height and width divided by 8.";
  if (
    !Array.isArray(shape) ||
    shape.length === 0 ||
    !shape.every((length) => Number.isSafeInteger(length) && length > 0)
  ) {
    throw new RequestError(`The shape is ${shown(shape)}; wanted are whole numbers from 1.`, { hint: example });
  }
  if (rank !== undefined && shape.length !== rank) {
    throw new RequestError(`The shape [${shape}] has ${shape.length} dimensions; this host's noise has ${rank}.`, {
      hint: example,
    });
  }
  checkCount(shape);
}

export function checkCount(shape: Shape): void {
  if (countOf(shape) <= MAX_NUMBERS) return;
  throw new RequestError(
    `The shape [${shape}] has ${countOf(shape)} numbers; at most ${MAX_NUMBERS} are made at once.`,
    {
      hint: "Draw fewer pictures at once; width and height are those of the picture divided by 8.",
    },
  );
}

export function checkDType(dtype: unknown): void {
  if (noiseDTypes.some((known) => known === dtype)) return;
  throw new RequestError(`The dtype is ${shown(dtype)}; noise is drawn in ${noiseDTypes.join(", ")}.`, {
    hint: "It is the dtype of the tensor that the host draws, float32 in most.",
  });
}

/** A place in a batch or stream: 0, 1, 2 and so on. */
export function checkIndex(index: unknown, what: string): void {
  if (Number.isSafeInteger(index) && (index as number) >= 0 && (index as number) <= MAX_INDEX) return;
  throw new RequestError(`The ${what} is ${shown(index)}; wanted is a whole number from 0 to ${MAX_INDEX}.`, {
    hint: "The first picture of a batch has 0, the second 1.",
  });
}

/** A value as people write it; a bigint is its digits. */
export const shown = (value: unknown): string =>
  typeof value === "string" || typeof value === "object" ? JSON.stringify(value, bigintAsText) : String(value);

const bigintAsText = (_key: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
