// Other publishers' names for the same weights: tables of renames. Data stays where it is; only names and views change.

import { WeightError } from "../../errors.ts";
import type { Checkpoint, StoredTensor } from "../checkpoint.ts";
import { dtypes } from "../dtype.ts";

export interface Layout {
  /** Whose names these are, as in "open_clip". */
  readonly name: string;
  /** A name that every file of this layout has, and no other. */
  readonly sample: string;
  readonly renames: readonly Rename[];
}

export interface Rename {
  /** Matches the part of a name that changes. */
  readonly from: RegExp;
  /** What replaces it, with $1 for groups. Several names share the tensor's first axis in equal parts: q, k and v of a fused in_proj. */
  readonly to: string | readonly string[];
  /** Whether the matrix is stored the other way round. */
  readonly transposed?: boolean;
}

/** The layout whose sample is among `keys`. */
export function recognise(keys: ReadonlyMap<string, unknown>, layouts: readonly Layout[]): Layout | undefined {
  return layouts.find(({ sample }) => keys.has(sample));
}

/** The checkpoint under the layout's other names. Every rename that matches applies, in the table's order. */
export function relabel(checkpoint: Checkpoint, { renames }: Layout): Checkpoint {
  const tensors = new Map<string, StoredTensor>();
  for (const tensor of checkpoint.tensors.values()) {
    for (const renamed of renameTensor(checkpoint.name, tensor, renames)) {
      if (tensors.has(renamed.name)) throw clash(checkpoint.name, tensor.name, renamed.name);
      tensors.set(renamed.name, renamed);
    }
  }
  return { ...checkpoint, tensors };
}

function renameTensor(file: string, tensor: StoredTensor, renames: readonly Rename[]): StoredTensor[] {
  let parts = [tensor];
  for (const { from, to, transposed = false } of renames) {
    parts = parts.flatMap((part) => {
      if (!from.test(part.name)) return [part];
      const names = [to].flat().map((name) => part.name.replace(from, name));
      return split(file, transposed ? transpose(part) : part, names);
    });
  }
  return parts;
}

/** Equal parts of the first axis, one for each name: views of the same bytes. */
export function split(file: string, tensor: StoredTensor, names: readonly string[]): StoredTensor[] {
  if (names.length === 1) return [{ ...tensor, name: names[0]! }];
  const [rows = Number.NaN, ...rest] = tensor.shape;
  const size = rows / names.length;
  if (!Number.isInteger(size)) {
    throw new WeightError(
      `${file}: tensor "${tensor.name}" of shape [${tensor.shape}] should hold ${names.length} equal parts, but its rows can not be shared so.`,
    );
  }
  const step = tensor.byteLength && size * tensor.strides[0]! * dtypes[tensor.dtype].bytes;
  // The last row of a part may end before the first of the next begins, by the same bytes in each.
  const byteLength = tensor.byteLength - step * (names.length - 1);
  return names.map((name, i) => ({
    ...tensor,
    name,
    shape: [size, ...rest],
    offset: tensor.offset + i * step,
    byteLength,
  }));
}

/** The same bytes of a 1x1 convolution [O, I, 1, 1] as the matrix [O, I]; any other tensor as it is. */
export function flatten(tensor: StoredTensor): StoredTensor {
  const [outputs = 0, inputs = 0, ...kernel] = tensor.shape;
  if (kernel.length !== 2 || kernel.some((size) => size !== 1)) return tensor;
  return { ...tensor, shape: [outputs, inputs], strides: tensor.strides.slice(0, 2) };
}

/** The same bytes with the last two axes exchanged. */
export function transpose(tensor: StoredTensor): StoredTensor {
  const exchange = (axes: readonly number[]) => [...axes.slice(0, -2), ...axes.slice(-2).reverse()];
  const shape = exchange(tensor.shape);
  const contiguous = tensor.contiguous && shape.slice(-2).some((size) => size <= 1);
  return { ...tensor, shape, strides: exchange(tensor.strides), contiguous };
}

const clash = (file: string, from: string, to: string) =>
  new WeightError(`${file}: tensor "${from}" would be named "${to}", but there is one of that name already.`, {
    hint: "The file mixes two publishers' names: use the model's own file.",
  });
