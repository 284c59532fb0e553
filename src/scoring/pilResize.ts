// Pillow's own bicubic and nearest-neighbour resize, to the bit: src/libImaging/Resample.c and Geometry.c (Pillow 13.0.0).
// Only a window of the result is computed; it has the very pixels the whole result would have there.

/** What Pillow's images are made of: 8-bit samples, I;16, I and F. */
export type Samples = Uint8Array | Uint16Array | Int32Array | Float32Array;

/** Interleaved samples, rows from the top. */
export interface Raster<S extends Samples = Samples> {
  width: number;
  height: number;
  bands: number;
  data: S;
}

/** A rectangle of the resized picture. */
export interface Window {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Size {
  width: number;
  height: number;
}

/** For one output place: which inputs it is made of, and their weights. */
interface Tap {
  first: number;
  weights: Float64Array;
}

const A = -0.5;
const SUPPORT = 2;

/** Resample.c, bicubic_filter: the Keys kernel with a = -0.5. */
function bicubic(at: number): number {
  const x = Math.abs(at);
  if (x < 1) return ((A + 2) * x - (A + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * A;
  return 0;
}

/** Resample.c, precompute_coeffs: the kernel widens when shrinking. */
function taps(inSize: number, outSize: number, from: number, count: number): Tap[] {
  const scale = inSize / outSize;
  const widening = Math.max(scale, 1);
  const support = SUPPORT * widening;
  const inverse = 1 / widening; // Pillow multiplies by it, which rounds otherwise than dividing
  return Array.from({ length: count }, (_, i) => {
    const center = (from + i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const last = Math.min(inSize, Math.trunc(center + support + 0.5));
    const weights = new Float64Array(last - first);
    let total = 0;
    for (let x = 0; x < weights.length; x++) total += weights[x] = bicubic((x + first - center + 0.5) * inverse);
    if (total !== 0) for (let x = 0; x < weights.length; x++) weights[x]! /= total;
    return { first, weights };
  });
}

const PRECISION_BITS = 32 - 8 - 2;
const HALF = 1 << (PRECISION_BITS - 1);

/** Resample.c, normalize_coeffs_8bpc: weights as integers of 22 bits after the point. */
function fixedPoint(weights: Float64Array): Int32Array {
  return Int32Array.from(weights, (w) => Math.trunc(w * (1 << PRECISION_BITS) + (w < 0 ? -0.5 : 0.5)));
}

function clip8(sum: number): number {
  const value = sum >> PRECISION_BITS;
  return (value & ~255) === 0 ? value : value < 0 ? 0 : 255;
}

type Pass<S extends Samples> = (source: Raster<S>, columns: Tap[]) => Raster<S>;

/** One row after the other, so that memory is read in order; colours are summed side by side, which is three times faster. */
const acrossBytes: Pass<Uint8Array> = ({ width, height, bands, data }, columns) => {
  const out = new Uint8Array(columns.length * height * bands);
  const weights = columns.map((tap) => fixedPoint(tap.weights));
  const starts = columns.map((tap) => tap.first * bands);
  let to = 0;
  for (let y = 0; y < height; y++) {
    const row = y * width * bands;
    for (let x = 0; x < columns.length; x++, to += bands) {
      const from = row + starts[x]!;
      const w = weights[x]!;
      if (bands >= 3) sumThree(data, from, bands, w, out, to);
      for (let band = bands >= 3 ? 3 : 0; band < bands; band++) out[to + band] = sumOne(data, from + band, bands, w);
    }
  }
  return { width: columns.length, height, bands, data: out };
};

function sumOne(data: Uint8Array, from: number, step: number, w: Int32Array): number {
  let sum = HALF;
  for (let i = 0, at = from; i < w.length; i++, at += step) sum = (sum + Math.imul(data[at]!, w[i]!)) | 0;
  return clip8(sum);
}

function sumThree(data: Uint8Array, from: number, step: number, w: Int32Array, out: Uint8Array, to: number): void {
  let a = HALF;
  let b = HALF;
  let c = HALF;
  for (let i = 0, at = from; i < w.length; i++, at += step) {
    const weight = w[i]!;
    a = (a + Math.imul(data[at]!, weight)) | 0;
    b = (b + Math.imul(data[at + 1]!, weight)) | 0;
    c = (c + Math.imul(data[at + 2]!, weight)) | 0;
  }
  out[to] = clip8(a);
  out[to + 1] = clip8(b);
  out[to + 2] = clip8(c);
}

/** Whole rows are added up, so that memory is read in order. */
const downBytes: Pass<Uint8Array> = ({ width, bands, data }, rows) => {
  const stride = width * bands;
  const out = new Uint8Array(rows.length * stride);
  const sums = new Int32Array(stride);
  rows.forEach(({ first, weights }, y) => {
    sums.fill(HALF);
    const w = fixedPoint(weights);
    for (let i = 0, from = first * stride; i < w.length; i++, from += stride) addRow(sums, data, from, w[i]!);
    for (let x = 0; x < stride; x++) out[y * stride + x] = clip8(sums[x]!);
  });
  return { width, height: rows.length, bands, data: out };
};

function addRow(sums: Int32Array, data: Uint8Array, from: number, weight: number): void {
  for (let x = 0; x < sums.length; x++) sums[x] = sums[x]! + Math.imul(data[from + x]!, weight);
}

/** Resample.c, ROUND_UP: half away from zero. */
const rounded = (sum: number) => Math.trunc(sum >= 0 ? sum + 0.5 : sum - 0.5);

/** What a sum in double precision becomes in each of Pillow's wide modes. */
function settle(data: Samples): (sum: number) => number {
  if (data instanceof Uint16Array) return (sum) => Math.min(65535, Math.max(0, rounded(sum)));
  if (data instanceof Int32Array) return rounded;
  return (sum) => sum; // storing rounds to float32
}

/** The wide modes have one band and are summed in double precision. */
const acrossWide: Pass<Samples> = ({ width, height, data }, columns) => {
  const out = emptyLike(data, columns.length * height);
  const finish = settle(data);
  for (let y = 0; y < height; y++) {
    columns.forEach(({ first, weights }, x) => {
      let sum = 0;
      for (let i = 0; i < weights.length; i++) sum += data[y * width + first + i]! * weights[i]!;
      out[y * columns.length + x] = finish(sum);
    });
  }
  return { width: columns.length, height, bands: 1, data: out };
};

const downWide: Pass<Samples> = ({ width, data }, rows) => {
  const out = emptyLike(data, rows.length * width);
  const finish = settle(data);
  rows.forEach(({ first, weights }, y) => {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let i = 0; i < weights.length; i++) sum += data[(first + i) * width + x]! * weights[i]!;
      out[y * width + x] = finish(sum);
    }
  });
  return { width, height: rows.length, bands: 1, data: out };
};

function emptyLike<S extends Samples>(data: S, length: number): S {
  return new (data.constructor as new (length: number) => S)(length);
}

const isBytes = (raster: Raster): raster is Raster<Uint8Array> => raster.data instanceof Uint8Array;

function across(source: Raster, columns: Tap[] | undefined): Raster {
  if (!columns) return source;
  return isBytes(source) ? acrossBytes(source, columns) : acrossWide(source, columns);
}

function down(source: Raster, rows: Tap[] | undefined): Raster {
  if (!rows) return source;
  return isBytes(source) ? downBytes(source, rows) : downWide(source, rows);
}

/** A part of the picture; copied only where columns are left out. */
function crop({ width, bands, data }: Raster, { left, top, width: columns, height }: Window): Raster {
  if (columns === width) {
    return { width, height, bands, data: data.subarray(top * width * bands, (top + height) * width * bands) };
  }
  const out = emptyLike(data, columns * height * bands);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * width + left) * bands;
    out.set(data.subarray(from, from + columns * bands), y * columns * bands);
  }
  return { width: columns, height, bands, data: out };
}

/**
 * Resample.c, ImagingResampleInner: pictures that lose over twice as many rows as columns go down first (since Pillow 13; 12
 * always went across first, which differs by 1 here and there). Rounding to 8 bits in between makes the order visible.
 */
const downFirst = (from: Size, to: Size) =>
  from.height > to.height && from.height - to.height > 2 * (from.width - to.width);

/** One axis after the other, rounded in between; an axis that keeps its size is left alone. */
export function resizeBicubic(source: Raster, to: Size, window: Window): Raster {
  const columns = axis(source.width, to.width, window.left, window.width);
  const rows = axis(source.height, to.height, window.top, window.height);
  const part = crop(source, { left: columns.first, top: rows.first, width: columns.length, height: rows.length });
  return downFirst(source, to)
    ? across(down(part, rows.taps), columns.taps)
    : down(across(part, columns.taps), rows.taps);
}

/** The stretch of an axis that is needed, and taps that count from its start; none if nothing is to be resized. */
interface Axis {
  first: number;
  length: number;
  taps: Tap[] | undefined;
}

function axis(inSize: number, outSize: number, from: number, count: number): Axis {
  if (inSize === outSize) return { first: from, length: count, taps: undefined };
  const all = taps(inSize, outSize, from, count);
  const first = all[0]!.first;
  const last = all.at(-1)!;
  return {
    first,
    length: last.first + last.weights.length - first,
    taps: all.map((tap) => ({ ...tap, first: tap.first - first })),
  };
}

/** A strip one pixel wide grows to billions of rows; Pillow would run out of memory, here the steps are jumped over. */
const MOST_STEPS = 50_000_000;

/** Geometry.c, ImagingScaleAffine: places are added up step by step, with the rounding that brings. */
function nearestPlaces(inSize: number, outSize: number, from: number, count: number): Int32Array {
  const step = inSize / outSize;
  const places = new Int32Array(count);
  let at = step * 0.5;
  let i = 0;
  if (from > MOST_STEPS) [i, at] = [from, (from + 0.5) * step];
  for (; i < from + count; i++, at += step) if (i >= from) places[i - from] = Math.trunc(at);
  return places;
}

/** Every pixel is one of the source's. */
export function resizeNearest(source: Raster, to: Size, window: Window): Raster {
  const { width, bands, data } = source;
  const columns = nearestPlaces(width, to.width, window.left, window.width);
  const rows = nearestPlaces(source.height, to.height, window.top, window.height);
  const out = emptyLike(data, window.width * window.height * bands);
  let at = 0;
  for (const row of rows) {
    for (const column of columns) {
      const from = (row * width + column) * bands;
      for (let band = 0; band < bands; band++) out[at++] = data[from + band]!;
    }
  }
  return { width: window.width, height: window.height, bands, data: out };
}

/** ImagingUtils.h, MULDIV255: a b / 255, rounded. */
export function mulDiv255(a: number, b: number): number {
  const product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

/** Convert.c, rgbA2rgba and lA2la: the last band is alpha, and the others are multiplied by it. */
export function premultiply({ data, bands, ...size }: Raster): Raster {
  const out = new Uint8Array(data.length);
  for (let at = 0; at < out.length; at += bands) {
    const alpha = data[at + bands - 1]!;
    for (let i = at; i < at + bands - 1; i++) out[i] = mulDiv255(data[i]!, alpha);
    out[at + bands - 1] = alpha;
  }
  return { ...size, bands, data: out };
}

/** Convert.c, rgba2rgbA and la2lA: cut off, not rounded; clear and solid places stay as they are. */
export function unpremultiply({ data, bands, ...size }: Raster): Raster {
  const out = new Uint8Array(data);
  for (let at = 0; at < out.length; at += bands) {
    const alpha = out[at + bands - 1]!;
    if (alpha === 0 || alpha === 255) continue;
    for (let i = at; i < at + bands - 1; i++) out[i] = Math.min(255, Math.trunc((255 * out[i]!) / alpha));
  }
  return { ...size, bands, data: out };
}
