// A checkpoint is a table of contents: where each tensor lies in whose file. Its data stays there, unread, until somebody asks for it.

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
