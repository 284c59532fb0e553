// A checkpoint as a model reads it: by the file's own keys, prefix by prefix.

import { WeightError } from "../errors.ts";
import { type ComputeDType, cast, type DType, input, parameter, type Shape, type Tensor } from "../graph/index.ts";
import type { Checkpoint, StoredTensor } from "./checkpoint.ts";
import { nearest } from "./nearest.ts";
import { readTensor } from "./read.ts";

/** Where tensors come from: a checkpoint's file, or graph inputs fed at each run. */
interface Shelf {
  readonly name: string;
  readonly dtype: ComputeDType;
  readonly keys: () => Iterable<string>;
  readonly take: (key: string) => Tensor | undefined;
}

/** `w.in("attn").in("qkv").get("weight")` is the tensor "attn.qkv.weight"; each is made once. */
export class Weights {
  readonly prefix: string;
  readonly #shelf: Shelf;

  private constructor(shelf: Shelf, prefix: string) {
    this.#shelf = shelf;
    this.prefix = prefix;
  }

  /** The tensors where they lie in the file, cast inside the graph where they are stored in another dtype than `dtype`. */
  static fromCheckpoint(checkpoint: Checkpoint, { dtype = "float32" }: { dtype?: ComputeDType } = {}): Weights {
    const made = new Map<string, Tensor>();
    const take = (key: string) => {
      const stored = checkpoint.tensors.get(key);
      if (stored && !made.has(key)) made.set(key, inPlace(checkpoint, stored, dtype));
      return made.get(key);
    };
    return new Weights({ name: checkpoint.name, dtype, keys: () => checkpoint.tensors.keys(), take }, "");
  }

  /** Every weight as a float32 graph input of its own name, fed at each run: for training. */
  static fromInputs(shapes: Readonly<Record<string, Shape>>): Weights {
    const made = new Map(Object.entries(shapes).map(([key, shape]) => [key, input(key, shape)]));
    const take = (key: string) => made.get(key);
    return new Weights({ name: "the trained weights", dtype: "float32", keys: () => made.keys(), take }, "");
  }

  /** What the floating-point tensors are in the graph. */
  get dtype(): ComputeDType {
    return this.#shelf.dtype;
  }

  /** The weights below a prefix. */
  in(name: string | number): Weights {
    return new Weights(this.#shelf, `${this.prefix}${name}.`);
  }

  has(key: string): boolean {
    return this.#shelf.take(this.prefix + key) !== undefined;
  }

  /** The tensor of that key; WeightError names the nearest ones where there is none. */
  get(key: string, shape?: Shape): Tensor {
    const whole = this.prefix + key;
    const tensor = this.#shelf.take(whole);
    if (!tensor) {
      const near = nearest(whole, [...this.#shelf.keys()]);
      throw new WeightError(
        `${this.#shelf.name} has no tensor "${whole}". ` +
          (near.length
            ? `The nearest names in it are ${near.map((name) => `"${name}"`).join(" and ")}.`
            : "It is empty."),
        { hint: "Is it a checkpoint of this very model?" },
      );
    }
    if (
      shape &&
      (shape.length !== tensor.shape.length || shape.some((size, i) => size !== -1 && size !== tensor.shape[i]))
    ) {
      const wanted = shape.map((size) => (size === -1 ? "any" : size)).join(", ");
      throw new WeightError(
        `${this.#shelf.name}: "${whole}" is [${tensor.shape.join(", ")}] but the model's other weights want [${wanted}].`,
        { hint: "Is it a checkpoint of this very model, and whole?" },
      );
    }
    return tensor;
  }

  /** How many numbered children there are: blocks.0, blocks.1 ... */
  count(): number {
    let count = 0;
    const keys = [...this.#shelf.keys()];
    while (keys.some((key) => key.startsWith(`${this.prefix}${count}.`))) count++;
    return count;
  }
}

const floats: ReadonlySet<string> = new Set<DType>(["float32", "float16", "bfloat16", "float64"]);
const integers: ReadonlySet<string> = new Set<DType>(["int64", "int32", "int8", "uint8"]);

function inPlace(checkpoint: Checkpoint, stored: StoredTensor, dtype: ComputeDType): Tensor {
  if (!floats.has(stored.dtype) && !integers.has(stored.dtype)) {
    throw new WeightError(
      `${checkpoint.name}: "${stored.name}" is stored as ${stored.dtype}; float32, float16, bfloat16 or float64 was wanted.`,
      { hint: "Take the checkpoint in another precision." },
    );
  }
  const { file, offset, byteLength } = stored;
  // A view with a stride or a storage read backwards has no one place in the file that ONNX could point at.
  const source = stored.contiguous
    ? { file, offset, byteLength }
    : { load: async () => bytesOf((await readTensor(stored)).data) };
  const tensor = parameter(stored.name, stored.shape, stored.dtype as DType, source);
  return floats.has(stored.dtype) ? cast(tensor, dtype) : tensor;
}

const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
