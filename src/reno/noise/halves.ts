// float32 numbers rounded to the nearest float16 or bfloat16, ties to even (IEEE 754-2019, 4.3.1).

import type { NoiseDType } from "./types.ts";

/** How many of float32's 23 bits of mantissa each lacks. */
const lacking: Record<NoiseDType, number> = { float32: 0, float16: 13, bfloat16: 16 };
const SMALLEST_NORMAL = 2 ** -14; // of float16

/** Rounds in place; the numbers stay in a Float32Array, which holds those of both formats. */
export function roundTo(dtype: NoiseDType, numbers: Float32Array): Float32Array {
  if (dtype !== "float16") return dropBits(numbers, lacking[dtype]);
  const small = numbers.map((x) => (Math.abs(x) < SMALLEST_NORMAL ? x : 0));
  dropBits(numbers, lacking.float16);
  small.forEach((x, i) => {
    if (x !== 0) numbers[i] = subnormal(x);
  });
  return numbers;
}

/** Rounds away the lowest bits of the mantissas. Noise is far from where that would overflow. */
function dropBits(numbers: Float32Array, count: number): Float32Array {
  if (count === 0) return numbers;
  const words = new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length);
  const belowHalf = 2 ** (count - 1) - 1;
  words.forEach((word, i) => {
    const odd = (word >>> count) & 1;
    words[i] = ((word + belowHalf + odd) >>> count) << count;
  });
  return numbers;
}

/** Below the smallest normal float16 the steps are 2^-24, which are those of float32 from 0.5 to 1. */
const subnormal = (x: number): number => Math.sign(x) * (Math.fround(Math.abs(x) + 0.5) - 0.5);
