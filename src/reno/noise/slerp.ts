// A1111's and Forge's mix of two noises (modules/rng.py, slerp), with what is peculiar to it.

const round = Math.fround;
/** Above this mean cosine the two are taken to be parallel. */
const NEARLY_PARALLEL = 0.9995;

/** Channels, height, width. */
export type PlanesShape = readonly [number, number, number];

/**
 * `low` turned towards `high` by the share t, each column of each channel on its own: dim 1 of (C, H, W) is the height,
 * where (N, C, H, W) would have had its channels. Every step rounds to float32, as torch's do.
 */
export function slerp(t: number, low: Float32Array, high: Float32Array, shape: PlanesShape): Float32Array {
  const cosines = columnCosines(low, high, shape);
  if (mean(cosines) > NEARLY_PARALLEL) {
    // The shares are the other way round here than on the sphere. So they are upstream.
    return low.map((x, i) => round(x * round(t)) + round(high[i]! * round(1 - t)));
  }
  const [ofLow, ofHigh] = sphereShares(t, cosines);
  const columnAt = columnOf(shape);
  return low.map((x, i) => round(ofLow[columnAt(i)]! * x) + round(ofHigh[columnAt(i)]! * high[i]!));
}

/** sin((1 - t) ω) / sin ω and sin(t ω) / sin ω, where cos ω is given. */
function sphereShares(t: number, cosines: Float32Array): [Float32Array, Float32Array] {
  const angles = cosines.map(Math.acos);
  const share = (part: number) =>
    angles.map((angle) => round(Math.sin(round(round(part) * angle))) / round(Math.sin(angle)));
  return [share(1 - t), share(t)];
}

/** Which column of which channel holds a number. */
const columnOf =
  ([, height, width]: PlanesShape) =>
  (i: number): number =>
    Math.floor(i / (height * width)) * width + (i % width);

/**
 * Row after row in float32: where columns are short and nearly parallel, the last bit of a cosine moves the noise by 1e-5.
 * (torch sums columns of 16 rows and more in parts that depend on the processor; a bit of those moves nothing.)
 */
function columnCosines(low: Float32Array, high: Float32Array, shape: PlanesShape): Float32Array {
  const columnAt = columnOf(shape);
  const sums = (term: (i: number) => number): Float32Array => {
    const totals = new Float32Array(shape[0] * shape[2]);
    for (let i = 0; i < low.length; i++) totals[columnAt(i)]! += round(term(i));
    return totals;
  };
  const lowNorms = sums((i) => low[i]! ** 2).map(Math.sqrt);
  const highNorms = sums((i) => high[i]! ** 2).map(Math.sqrt);
  return sums((i) => round(low[i]! / lowNorms[columnAt(i)]!) * round(high[i]! / highNorms[columnAt(i)]!));
}

const mean = (numbers: Float32Array): number => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
