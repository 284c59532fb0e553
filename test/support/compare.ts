// How far two arrays lie apart, for tests and for the fidelity table.

type Numbers = ArrayLike<number>;

/** Float32 as the reference's scripts store it. */
export function decodeFloat32(base64: string): Float32Array {
  const bytes = new Uint8Array(Buffer.from(base64, "base64"));
  return new Float32Array(bytes.buffer);
}

/** The largest |got − want|; infinite where lengths differ or a number is none. */
export function largestDifference(got: Numbers, want: Numbers): number {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < want.length; i++) {
    const difference = Math.abs(got[i]! - want[i]!);
    if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
    largest = Math.max(largest, difference);
  }
  return largest;
}

/** The largest difference, as a part of the largest number wanted where that is above 1. */
export function relativeDifference(got: Numbers, want: Numbers): number {
  return largestDifference(got, want) / Math.max(1, largestDifference(want, new Float32Array(want.length)));
}

export function dot(a: Numbers, b: Numbers): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

export const norm = (a: Numbers): number => Math.sqrt(dot(a, a));

export const cosine = (a: Numbers, b: Numbers): number => dot(a, b) / (norm(a) * norm(b));
