// One model inside a single-file checkpoint: the tensors whose names begin alike.

import { WeightError } from "../../errors.ts";
import type { Checkpoint, StoredTensor } from "../checkpoint.ts";
import { list, nearest } from "../nearest.ts";

type Tensors = Pick<Checkpoint, "name" | "tensors">;

/** The tensor of that name; WeightError names the nearest ones where there is none. */
export function need({ name, tensors }: Tensors, key: string): StoredTensor {
  const tensor = tensors.get(key);
  if (tensor) return tensor;
  throw new WeightError(
    `${name} has no tensor "${key}", which Stable Diffusion needs. The nearest names in it are ${list(nearest(key, tensors.keys()))}.`,
    { hint: "Is the file whole? Download it again, or take another version of the model." },
  );
}

/** How a file's own names below a prefix are numbered and shaped. */
export class Names {
  readonly #checkpoint: Tensors;
  readonly #prefix: string;
  readonly #keys: readonly string[];

  constructor(checkpoint: Tensors, prefix: string) {
    this.#checkpoint = checkpoint;
    this.#prefix = prefix;
    this.#keys = Array.from(checkpoint.tensors.keys())
      .filter((key) => key.startsWith(prefix))
      .map((key) => key.slice(prefix.length));
  }

  has(start: string): boolean {
    return this.#keys.some((key) => key.startsWith(start));
  }

  /** One more than the largest number after `start`: a gap is found later, by the name of what is missing. */
  count(start: string): number {
    const numbers = this.#keys
      .filter((key) => key.startsWith(start))
      .map((key) => Number.parseInt(key.slice(start.length), 10));
    return Math.max(0, ...numbers.filter(Number.isInteger).map((n) => n + 1));
  }

  /** The shape of the first of these tensors that is there; the error names the first of them where none is. */
  shape(...names: readonly string[]): readonly number[] {
    const name = names.find((each) => this.#keys.includes(each)) ?? names[0]!;
    return need(this.#checkpoint, this.#prefix + name).shape;
  }
}

const headWidth = 64; // SD2's num_head_channels; CLIP's text encoders have the same

/** How many heads share a width, where the weights cannot tell. */
export const headsOf = (width: number): number => Math.max(1, Math.floor(width / headWidth));
