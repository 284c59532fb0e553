// Arithmetic on latents: float32 values, sums in float64.

export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

export const norm = (a: Float32Array): number => Math.sqrt(dot(a, a));

/** a + scale · b */
export const plus = (a: Float32Array, scale: number, b: Float32Array): Float32Array =>
  a.map((value, i) => value + scale * b[i]!);

export const scaled = (a: Float32Array, scale: number): Float32Array => a.map((value) => scale * value);

export const sumOfSizes = (a: Float32Array): number => a.reduce((sum, value) => sum + Math.abs(value), 0);

export const largestSize = (a: Float32Array): number =>
  a.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
