// Tensor data out of its file: as stored, widened to float32, or searched for values that are not finite.
import { type FileHandle, open } from "node:fs/promises";
import { basename } from "node:path";
import { WeightError } from "../errors.ts";
import type { StoredDType, StoredTensor } from "./checkpoint.ts";
import { dtypes, type TypedArray, valuesOf } from "./dtype.ts";
import { readBytes } from "./file.ts";

/** A view may repeat elements (stride 0), so a small file can describe a tensor of any size: 1 GiB of repetition is enough. */
const MAX_REPEATED_BYTES = 2 ** 30;
/** Of one step of a search: small beside a checkpoint, large beside the cost of a read. */
const CHUNK_BYTES = 2 ** 22;

/** A contiguous copy in the stored dtype; strides are honoured. */
export async function readTensor(t: StoredTensor): Promise<{ data: TypedArray; shape: readonly number[] }> {
  const span = await withData(t, (handle) => readBytes(handle, t.offset, t.byteLength));
  const data = new dtypes[t.dtype].array(span.buffer);
  return { data: t.contiguous ? data : gather(t, data), shape: t.shape };
}

/** The values as float32: exact for the narrower formats, rounded to nearest from float64. */
export async function readFloat32(t: StoredTensor): Promise<Float32Array> {
  const { data } = await readTensor(t);
  if (data instanceof Float32Array) return data;
  if (data instanceof Float64Array) return Float32Array.from(data);
  const values = valuesOf(t.dtype);
  if (!values) {
    throw new WeightError(
      `${basename(t.file)}: tensor "${t.name}" holds ${t.dtype}, but floating-point numbers were wanted.`,
    );
  }
  return Float32Array.from(data as Uint8Array | Uint16Array, (bits) => values[bits]!);
}

/** Where in row-major order the first NaN or infinity is, or null. Reads contiguous tensors piece by piece. */
export async function findNonFinite(t: StoredTensor): Promise<number | null> {
  if (!isFloat(t.dtype)) return null;
  if (!t.contiguous) return firstNonFinite(t.dtype, (await readTensor(t)).data);
  return withData(t, (handle) => searchChunks(t, handle));
}

async function searchChunks(t: StoredTensor, handle: FileHandle): Promise<number | null> {
  const { bytes, array } = dtypes[t.dtype];
  for (let start = 0; start < t.byteLength; start += CHUNK_BYTES) {
    const size = Math.min(CHUNK_BYTES, t.byteLength - start);
    const chunk = new array((await readBytes(handle, t.offset + start, size)).buffer);
    const found = firstNonFinite(t.dtype, chunk);
    if (found !== null) return start / bytes + found;
  }
  return null;
}

function firstNonFinite(dtype: StoredDType, data: TypedArray): number | null {
  const values = valuesOf(dtype);
  const numbers = data as Exclude<TypedArray, BigInt64Array>;
  for (let i = 0; i < numbers.length; i++) {
    const x = values ? values[numbers[i]!]! : numbers[i]!;
    if (!Number.isFinite(x)) return i;
  }
  return null;
}

const isFloat = (dtype: StoredDType) => dtype === "float64" || dtype === "float32" || valuesOf(dtype) !== undefined;

async function withData<T>(t: StoredTensor, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(t.file, "r").catch((cause) => {
    throw new WeightError(`${t.file} can no longer be opened, but tensor "${t.name}" lies in it.`, { cause });
  });
  try {
    const { size } = await handle.stat();
    if (size >= t.offset + t.byteLength) return await use(handle);
    throw new WeightError(
      `${basename(t.file)}: tensor "${t.name}" ends at byte ${t.offset + t.byteLength}, but the file now has ${size}: it changed after it was opened.`,
      { hint: "Open the checkpoint again." },
    );
  } finally {
    await handle.close();
  }
}

/** The elements of a strided view, in row-major order. */
function gather(t: StoredTensor, span: TypedArray): TypedArray {
  const { bytes, array } = dtypes[t.dtype];
  const elements = t.shape.reduce((a, b) => a * b, 1);
  if (elements * bytes > Math.max(MAX_REPEATED_BYTES, t.byteLength)) {
    throw new WeightError(
      `${basename(t.file)}: tensor "${t.name}" repeats ${t.byteLength} bytes to a shape of [${t.shape}], more than is believed.`,
    );
  }
  const data = new array(new ArrayBuffer(elements * bytes));
  const index = new Array<number>(t.shape.length).fill(0);
  let at = 0;
  for (let i = 0; i < elements; i++) {
    data[i] = span[at]!;
    for (let axis = index.length - 1; axis >= 0; axis--) {
      at += t.strides[axis]!;
      if (++index[axis]! < t.shape[axis]!) break;
      at -= t.strides[axis]! * t.shape[axis]!;
      index[axis] = 0;
    }
  }
  return data;
}
