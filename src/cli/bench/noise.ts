// The random numbers that the bench's models are made of: the same on every machine.

/** A prime number of normal numbers, so that tensors that begin at different places do not repeat each other's rows. */
export function normalNoise(count = 4_000_037): Float32Array {
  let state = 0x9e3779b9;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0; // mulberry32
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return new Float32Array(count).map(() => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()));
}

/** `size` numbers of the noise from the index-th place on, scaled and shifted. */
export function scaledNoise(
  noise: Float32Array,
  index: number,
  size: number,
  mean: number,
  scale: number,
): Float32Array {
  let at = (index * 7_919_333) % noise.length;
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    values[i] = mean + scale * noise[at]!;
    if (++at === noise.length) at = 0;
  }
  return values;
}

export const bytesOf = (array: Float32Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
