// A graph value: something with a shape and a dtype that a node makes, a caller feeds, or a file holds.

import { float16Bits } from "./half.ts";

/** What a value's elements are, by the names NumPy and PyTorch use. */
export type DType = "float32" | "float16" | "bfloat16" | "float64" | "int64" | "int32" | "int8" | "uint8" | "bool";

/** ONNX's number for each dtype (TensorProto.DataType), and the bytes that an element takes. */
export const dtypes: Readonly<Record<DType, { onnx: number; bytes: number }>> = {
  float32: { onnx: 1, bytes: 4 },
  uint8: { onnx: 2, bytes: 1 },
  int8: { onnx: 3, bytes: 1 },
  int32: { onnx: 6, bytes: 4 },
  int64: { onnx: 7, bytes: 8 },
  bool: { onnx: 9, bytes: 1 },
  float16: { onnx: 10, bytes: 2 },
  float64: { onnx: 11, bytes: 8 },
  bfloat16: { onnx: 16, bytes: 2 },
};

export type Shape = readonly number[];

/** Numbers in memory, as a caller feeds them and a run returns them. Float16 travels as its bits. */
export type NumericArray =
  | Float32Array
  | Float64Array
  | Uint16Array
  | BigInt64Array
  | Int32Array
  | Int8Array
  | Uint8Array;

/** Where a parameter's bytes lie: in place in a file, in memory, or to be made when a session is built. */
export type Source =
  | { readonly file: string; readonly offset: number; readonly byteLength: number }
  | { readonly data: Uint8Array }
  | { readonly load: () => Promise<Uint8Array> };

/** What ONNX is told of a node beyond its inputs: attributes, and small integer vectors that it takes as inputs. */
export interface Lowering {
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly vectors?: readonly (readonly number[])[];
  readonly domain?: string;
  /** How many of the node's inputs ONNX is told of, where not all: the others only matter to its gradient. */
  readonly operands?: number;
}

/** Numbers are written as integers, `{ float }` as a float. */
export type AttributeValue = number | string | readonly number[] | { readonly float: number };

/** An application of an op: it remembers how it was made, so that it can be differentiated and lowered. */
export interface Node {
  readonly type: string;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly lowering: Lowering;
  /** One gradient for each input, given one for each output (null: nothing flows there). */
  readonly backward: (dys: readonly (Tensor | null)[], wanted: readonly boolean[]) => readonly (Tensor | null)[];
}

export interface Tensor {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly origin: Origin;
}

export type Origin =
  | { readonly kind: "node"; readonly node: Node; readonly output: number }
  | { readonly kind: "input"; readonly name: string }
  | { readonly kind: "parameter"; readonly name: string; readonly source: Source }
  | { readonly kind: "constant"; readonly data: Uint8Array };

/** A value that the caller feeds at every run. */
export function input(name: string, shape: Shape, dtype: DType = "float32"): Tensor {
  return { shape: [...shape], dtype, origin: { kind: "input", name } };
}

/** A value that lies in a checkpoint under `name`. */
export function parameter(name: string, shape: Shape, dtype: DType, source: Source): Tensor {
  return { shape: [...shape], dtype, origin: { kind: "parameter", name, source } };
}

/** A value known while the graph is built: a scalar, or numbers with their shape. */
export function constant(value: number, dtype?: DType): Tensor;
export function constant(value: ArrayLike<number>, shape: Shape, dtype?: DType): Tensor;
export function constant(value: number | ArrayLike<number>, second?: DType | Shape, third?: DType): Tensor {
  const scalar = typeof value === "number";
  const dtype = (scalar ? (second as DType | undefined) : third) ?? "float32";
  const numbers = scalar ? [value] : value;
  const shape = scalar ? [] : (second as Shape);
  return { shape: [...shape], dtype, origin: { kind: "constant", data: encode(numbers, dtype) } };
}

const encoders: Partial<Record<DType, (numbers: ArrayLike<number>) => NumericArray>> = {
  float32: (numbers) => Float32Array.from(numbers),
  float64: (numbers) => Float64Array.from(numbers),
  float16: (numbers) => Uint16Array.from(numbers, float16Bits),
  int64: (numbers) => BigInt64Array.from(Array.from(numbers, BigInt)),
  int32: (numbers) => Int32Array.from(numbers),
  int8: (numbers) => Int8Array.from(numbers),
  uint8: (numbers) => Uint8Array.from(numbers),
  bool: (numbers) => Uint8Array.from(numbers),
};

/** The bytes of `numbers` as `dtype`, little-endian as ONNX wants them. */
function encode(numbers: ArrayLike<number>, dtype: DType): Uint8Array {
  const array = encoders[dtype]?.(numbers);
  if (!array) throw new TypeError(`A constant of dtype ${dtype} cannot be written; write float32 and cast it.`);
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

export const elementCount = (shape: Shape): number => shape.reduce((product, size) => product * size, 1);

/** "matmul's a blocks.0.attn.qkv.weight [3072, 1024]", for messages. */
export function describe(tensor: Tensor): string {
  const { origin } = tensor;
  const name =
    origin.kind === "node" ? origin.node.type : origin.kind === "constant" ? "a constant" : JSON.stringify(origin.name);
  return `${name} [${tensor.shape.join(", ")}]`;
}
