// The safetensors format: 8 bytes of header length, a JSON header, the data. https://github.com/huggingface/safetensors#format
import { randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { ShapeError, SystemError, WeightError } from "../errors.ts";
import type { Checkpoint, StoredDType, StoredTensor } from "./checkpoint.ts";
import { dtypeOfTag, dtypes } from "./dtype.ts";
import { count, type OpenFile, readBytes } from "./file.ts";
import { parseJson } from "./json.ts";
import { list } from "./nearest.ts";
import { isCount, MAX_TENSORS, refuseOverlap, storedTensor } from "./tensor.ts";

/** The reference implementation's own limit (MAX_HEADER_SIZE, safetensors/src/tensor.rs). */
export const MAX_HEADER_BYTES = 100_000_000;
const LENGTH_BYTES = 8;

/** Whether a file that begins with `start` means to be safetensors: a believable header length, then a brace. */
export function looksLikeSafetensors(start: Uint8Array): boolean {
  return start.length > LENGTH_BYTES && start[LENGTH_BYTES] === 0x7b && headerLength(start) <= BigInt(MAX_HEADER_BYTES);
}

const headerLength = (start: Uint8Array) =>
  Buffer.from(start.buffer, start.byteOffset, start.byteLength).readBigUInt64LE(0);

export async function openSafetensors(file: OpenFile): Promise<Checkpoint> {
  const length = Number(headerLength(await readBytes(file.handle, 0, LENGTH_BYTES)));
  const dataStart = LENGTH_BYTES + length;
  if (dataStart > file.size) throw brokenOff(file, dataStart);
  const header = parseJson(`the header of ${file.name}`, await readBytes(file.handle, LENGTH_BYTES, length));
  if (!isObject(header)) throw refuse(file, "its header is not an object of tensors");
  const { __metadata__: metadata, ...entries } = header;
  const names = Object.keys(entries);
  if (names.length > MAX_TENSORS)
    throw refuse(file, `it lists ${count(names.length)} tensors, more than ${count(MAX_TENSORS)}`);
  const tensors = new Map(names.map((name) => [name, tensorOf(file, dataStart, name, entries[name])]));
  refuseOverlap(file.name, Array.from(tensors.values(), rangeOf));
  return { path: file.path, name: file.name, kind: "safetensors", tensors, metadata: metadataOf(file, metadata) };
}

const rangeOf = ({ name, offset, byteLength }: StoredTensor) => ({
  what: `tensor "${name}"`,
  start: offset,
  end: offset + byteLength,
});

function tensorOf(file: OpenFile, dataStart: number, name: string, entry: unknown): StoredTensor {
  if (!isObject(entry)) throw refuse(file, `the header's entry of tensor "${name}" is not an object`);
  const { dtype: tag, shape, data_offsets: offsets } = entry;
  const dtype = dtypeOfTag.get(tag as string);
  if (!dtype) throw unknownDType(file, name, tag);
  if (!Array.isArray(shape)) throw refuse(file, `tensor "${name}" has no shape`);
  const [first, last] = Array.isArray(offsets) && offsets.length === 2 ? offsets : [];
  if (!isCount(first) || !isCount(last) || first > last) {
    const found = JSON.stringify(offsets);
    throw refuse(file, `tensor "${name}" has the data_offsets ${found}, which are not a beginning and an end`);
  }
  const [start, end] = [dataStart + first, dataStart + last];
  if (end > file.size) throw brokenOff(file, end);
  const tensor = storedTensor(file.name, { name, dtype, shape, file: file.realPath, start, end });
  if (tensor.byteLength === end - start) return tensor;
  throw refuse(
    file,
    `tensor "${name}" of shape [${shape}] and dtype ${tag} has ${tensor.byteLength} bytes, but its data_offsets cover ${end - start}`,
  );
}

function metadataOf(file: OpenFile, metadata: unknown): Record<string, string> {
  if (metadata === undefined || metadata === null) return {};
  const entries = isObject(metadata) ? Object.entries(metadata) : [];
  if (isObject(metadata) && entries.every(([, value]) => typeof value === "string")) {
    return Object.fromEntries(entries) as Record<string, string>;
  }
  throw refuse(file, "the header's __metadata__ is not a table of strings");
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const refuse = (file: OpenFile, why: string) =>
  new WeightError(`${file.name} is damaged: ${why}.`, { hint: "Download the file again from its publisher." });

const unknownDType = (file: OpenFile, name: string, tag: unknown) =>
  new WeightError(
    `${file.name}: tensor "${name}" has the dtype ${JSON.stringify(tag)}. The ones that can be read are ${list([...dtypeOfTag.keys()])}.`,
    { hint: "Look for this model in float32, float16 or bfloat16." },
  );

const brokenOff = (file: OpenFile, wanted: number) =>
  new WeightError(
    `${file.name} has ${count(file.size)} bytes, but its header describes at least ${count(wanted)}: the download or copy broke off.`,
    { hint: "Download the file again." },
  );

export interface TensorToWrite {
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  /** The elements in row-major order; of formats JavaScript lacks, their bits. */
  readonly data: ArrayBufferView;
}

/** Writes to a temporary file in the same folder and renames it, so that `path` never holds half a checkpoint. */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, TensorToWrite>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { header, pieces } = layOut(tensors, metadata);
  const folder = dirname(resolve(path));
  const temporary = join(folder, `.${randomUUID()}.safetensors.tmp`);
  try {
    await writeAll(temporary, [header, ...pieces]);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new SystemError(`${path} could not be written: ${(cause as Error).message}.`, {
      hint: `Check that ${folder} exists, may be written to and has room.`,
      cause,
    });
  }
  await syncFolder(folder);
}

/** Wide dtypes first, as the reference implementation has them, so that each tensor is aligned to its dtype; then by name. */
function layOut(tensors: Readonly<Record<string, TensorToWrite>>, metadata: Readonly<Record<string, string>>) {
  const names = Object.keys(tensors).sort(
    (a, b) => dtypes[tensors[b]!.dtype].bytes - dtypes[tensors[a]!.dtype].bytes || (a < b ? -1 : 1),
  );
  const entries = new Map<string, object>();
  if (Object.keys(metadata).length) entries.set("__metadata__", metadata);
  let end = 0;
  for (const name of names) {
    const { dtype, shape, data } = checked(name, tensors[name]!);
    const start = end;
    end += data.byteLength;
    entries.set(name, { dtype: dtypes[dtype].safetensors, shape, data_offsets: [start, end] });
  }
  const pieces = names.map((name) => tensors[name]!.data);
  return { header: headerBytes(Object.fromEntries(entries)), pieces };
}

function headerBytes(header: object): Uint8Array {
  const json = Buffer.from(JSON.stringify(header));
  // Spaces bring the data to a multiple of 8 bytes.
  const padded = Math.ceil(json.length / LENGTH_BYTES) * LENGTH_BYTES;
  const bytes = Buffer.alloc(LENGTH_BYTES + padded, " ");
  bytes.writeBigUInt64LE(BigInt(padded), 0);
  json.copy(bytes, LENGTH_BYTES);
  return bytes;
}

function checked(name: string, tensor: TensorToWrite): TensorToWrite {
  if (name === "__metadata__") throw new ShapeError(`"${name}" is the format's own word and can not name a tensor.`);
  const wanted = tensor.shape.reduce((a, b) => a * b, 1) * dtypes[tensor.dtype].bytes;
  if (tensor.data.byteLength === wanted) return tensor;
  throw new ShapeError(
    `Tensor "${name}" of shape [${tensor.shape}] and dtype ${tensor.dtype} is ${wanted} bytes, but ${tensor.data.byteLength} were given.`,
  );
}

async function writeAll(path: string, pieces: readonly ArrayBufferView[]): Promise<void> {
  const handle = await open(path, "wx");
  try {
    for (const piece of pieces) await writePiece(handle, piece);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writePiece(handle: FileHandle, { buffer, byteOffset, byteLength }: ArrayBufferView): Promise<void> {
  let done = 0;
  while (done < byteLength) {
    const rest = new Uint8Array(buffer, byteOffset + done, Math.min(byteLength - done, 2 ** 30));
    done += (await handle.write(rest)).bytesWritten;
  }
}

/** Makes the rename last through a power cut. Windows can not open folders, and needs no such step. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  await handle.sync().finally(() => handle.close());
}
