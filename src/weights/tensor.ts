// One description of a stored tensor, checked against the bytes it claims before anybody believes it.
import { WeightError } from "../errors.ts";
import type { StoredDType, StoredTensor } from "./checkpoint.ts";
import { dtypes } from "./dtype.ts";

/** PyTorch allows 64 (c10 TensorImpl's iterators); published models use 5 at most. */
export const MAX_DIMS = 64;
/** FLUX has 1,500 tensors and SDXL 2,600; a file of a hundred times that is an attack on memory. */
export const MAX_TENSORS = 2 ** 18;

export interface Claim {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  /** Row-major when left out. */
  readonly strides?: readonly number[];
  readonly file: string;
  /** The bytes it may cover: element 0 is `skip` elements after `start`. */
  readonly start: number;
  readonly end: number;
  readonly skip?: number;
}

/** The tensor that `claim` describes; an error that begins with `where` if its numbers can not be true. */
export function storedTensor(where: string, claim: Claim): StoredTensor {
  const { name, dtype, shape, file, start, end, skip = 0 } = claim;
  const refuse = (why: string) =>
    new WeightError(`${where}: tensor "${name}" ${why}.`, { hint: "Download the file again." });
  if (shape.length > MAX_DIMS)
    throw refuse(`has ${shape.length} dimensions, more than the ${MAX_DIMS} that PyTorch allows`);
  if (!shape.every(isCount)) throw refuse(`has the shape [${shape}], which is not a list of sizes`);
  const strides = claim.strides ?? rowMajor(shape);
  if (strides.length !== shape.length) throw refuse(`has ${shape.length} sizes but ${strides.length} strides`);
  const elements = shape.reduce((a, b) => a * b, 1);
  // The strides of an empty tensor reach nothing; those of any other must be numbers its storage can hold.
  if (elements > 0 && !strides.every(isCount))
    throw refuse(`has the strides [${strides}], which are not steps forwards`);
  const { bytes } = dtypes[dtype];
  const span = elements === 0 ? 0 : 1 + shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis]!, 0);
  const needed = (skip + span) * bytes;
  if (!isCount(skip) || !Number.isSafeInteger(needed) || !Number.isSafeInteger(elements * bytes)) {
    throw refuse(`of shape [${shape}] is larger than any file`);
  }
  if (needed > end - start) {
    throw refuse(`of shape [${shape}] and dtype ${dtype} needs ${needed} bytes, but its storage holds ${end - start}`);
  }
  const contiguous = elements === 0 || isRowMajor(shape, strides);
  return { name, dtype, shape, strides, contiguous, file, offset: start + skip * bytes, byteLength: span * bytes };
}

export const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;

/** Strides of an array whose last axis runs fastest. Sizes of 0 count as 1, as in PyTorch. */
export function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= Math.max(shape[axis]!, 1);
  }
  return strides;
}

/** The stride of an axis of size 1 is never stepped along, so it may be anything. */
function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  const wanted = rowMajor(shape);
  return shape.every((size, axis) => size === 1 || strides[axis] === wanted[axis]);
}

export interface Range {
  readonly what: string;
  readonly start: number;
  readonly end: number;
}

/** Refuses ranges that share bytes: no writer makes them, and a file that has them says two things at once. */
export function refuseOverlap(where: string, ranges: readonly Range[]): void {
  const sorted = ranges.filter(({ start, end }) => end > start).sort((a, b) => a.start - b.start);
  for (const [i, range] of sorted.slice(1).entries()) {
    const before = sorted[i]!;
    if (range.start >= before.end) continue;
    throw new WeightError(
      `${where}: ${before.what} (bytes ${before.start} to ${before.end}) and ${range.what} ` +
        `(bytes ${range.start} to ${range.end}) overlap, but each must have bytes of its own.`,
      { hint: "The file is damaged or was made to mislead: download it from its publisher." },
    );
  }
}
