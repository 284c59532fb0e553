// A checkpoint is a table of contents: where each tensor lies in whose file. Its data stays there, unread, until somebody asks for it.
import { type OpenFile, readBytes, withFile } from "./file.ts";
import { looksLikeSafetensors, openSafetensors } from "./safetensors.ts";
import { openSharded } from "./sharded.ts";
import { looksLikeTorchLegacy, openTorchLegacy } from "./torchLegacy.ts";
import { openTorchZip } from "./torchZip.ts";
import { unknownKind } from "./unknownKind.ts";

export type StoredDType =
  | "float64"
  | "float32"
  | "float16"
  | "bfloat16"
  | "int64"
  | "int32"
  | "int16"
  | "int8"
  | "uint8"
  | "bool"
  | "float8_e4m3fn"
  | "float8_e5m2";

export interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  /** In elements, as PyTorch counts them. */
  readonly strides: readonly number[];
  /** Whether the elements lie one after another in row-major order, so that the file's bytes are the tensor. */
  readonly contiguous: boolean;
  /** The real path, all links resolved. */
  readonly file: string;
  /** Of element 0, in bytes from the start of the file. */
  readonly offset: number;
  /** Of the span from element 0 to the end of the furthest element. */
  readonly byteLength: number;
}

export interface Checkpoint {
  readonly path: string;
  /** The file's name, for messages. */
  readonly name: string;
  readonly kind: "safetensors" | "torch" | "torch-legacy" | "sharded";
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Opens the checkpoint at `path` in place: its table of contents is read, its tensors are not.
 * What it is, its content says; names and endings of files are often wrong.
 */
export const openCheckpoint = (path: string): Promise<Checkpoint> => openAs(path, [...whole, index]);

interface Reader {
  readonly matches: (start: Uint8Array) => boolean;
  readonly open: (file: OpenFile) => Promise<Checkpoint>;
}

const whole: readonly Reader[] = [
  { matches: looksLikeSafetensors, open: openSafetensors },
  { matches: (start) => latin1(start).startsWith("PK\x03\x04"), open: openTorchZip },
  { matches: looksLikeTorchLegacy, open: openTorchLegacy },
];

/** Its shards are files of the other kinds, never another index. */
const index: Reader = {
  matches: (start) => /^\s*\{/.test(latin1(start)),
  open: (file) => openSharded(file, (path) => openAs(path, whole)),
};

/** The furthest signature lies at byte 257 (tar). */
const SNIFF_BYTES = 512;

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");

function openAs(path: string, readers: readonly Reader[]): Promise<Checkpoint> {
  return withFile(path, async (file) => {
    const start = await readBytes(file.handle, 0, Math.min(SNIFF_BYTES, file.size));
    const reader = readers.find(({ matches }) => matches(start));
    if (reader) return reader.open(file);
    throw unknownKind(file, start);
  });
}
