// Ops that move elements without computing: reshape, transpose, slices, joins, gathers.

import { ShapeError } from "../../errors.ts";
import { broadcast, defineOp, positiveAxis } from "../define.ts";
import { constant, describe, elementCount, type Shape, type Tensor } from "../tensor.ts";
import { cast } from "./elementwise.ts";

const reshapeTo = defineOp("Reshape", ["x"], {
  shape({ x }, { shape }: { shape: Shape }) {
    if (elementCount(shape) !== elementCount(x.shape)) {
      throw new ShapeError(
        `Reshape: ${describe(x)} has not the ${elementCount(shape)} elements of [${shape.join(", ")}].`,
      );
    }
    return shape;
  },
  gradient: ({ x, dy }) => ({ x: reshape(dy, x.shape) }),
  lower: ({ shape }) => ({ vectors: [shape] }),
});

/** The same elements in another shape; one size may be -1. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = shape.reduce((product, size) => (size === -1 ? product : product * size), 1);
  const whole = shape.map((size) => (size === -1 ? elementCount(x.shape) / known : size));
  return sameShape(whole, x.shape) ? x : reshapeTo(x, { shape: whole });
}

const permute = defineOp("Transpose", ["x"], {
  shape: ({ x }, { perm }: { perm: readonly number[] }) => perm.map((axis) => x.shape[axis]!),
  gradient: ({ dy }, { perm }) => ({ x: transpose(dy, inverse(perm)) }),
});

/** Axes in another order; the last two swapped where none is given. */
export function transpose(x: Tensor, perm?: readonly number[]): Tensor {
  const axes = x.shape.map((_, axis) => axis);
  const order = perm ?? [...axes.slice(0, -2), ...axes.slice(-2).reverse()];
  if (order.length !== axes.length || new Set(order).size !== axes.length || order.some((axis) => !(axis in axes))) {
    throw new ShapeError(`Transpose: [${order.join(", ")}] is no order of the axes of ${describe(x)}.`);
  }
  return order.every((axis, i) => axis === i) ? x : permute(x, { perm: order });
}

const inverse = (perm: readonly number[]) => perm.map((_, axis) => perm.indexOf(axis));

interface Range {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
}

const sliceRange = defineOp("Slice", ["x"], {
  shape: ({ x }, { axis, start, end }: Range) => x.shape.with(axis, end - start),
  gradient: ({ x, dy }, { axis, start, end }) => ({ x: pad(dy, axis, start, x.shape[axis]! - end) }),
  lower: ({ axis, start, end }) => ({ vectors: [[start], [end], [axis]] }),
});

/** Elements start .. end (exclusive) along an axis. */
export function slice(x: Tensor, axis: number, start: number, end: number): Tensor {
  const at = positiveAxis("Slice", axis, x.shape.length);
  const size = x.shape[at]!;
  if (!(0 <= start && start < end && end <= size)) {
    throw new ShapeError(`Slice: ${start} to ${end} does not lie in axis ${axis} of ${describe(x)}.`);
  }
  return start === 0 && end === size ? x : sliceRange(x, { axis: at, start, end });
}

const reverseAll = defineOp("Slice", ["x"], {
  shape: ({ x }) => x.shape,
  gradient: ({ dy }, { axes }: { axes: readonly number[] }) => ({ x: reverse(dy, axes) }),
  lower: ({ axes }, { x }) => ({
    vectors: [
      axes.map((axis) => x.shape[axis]! - 1),
      axes.map(() => -(2 ** 31)), // before the first: ONNX clamps it there
      axes,
      axes.map(() => -1),
    ],
  }),
});

/** Elements in opposite order along each of the axes. */
export const reverse = (x: Tensor, axes: readonly number[]): Tensor => reverseAll(x, { axes });

const padZeros = defineOp("Pad", ["x"], {
  shape: ({ x }, { axis, before, after }: Padding) => x.shape.with(axis, x.shape[axis]! + before + after),
  gradient: ({ x, dy }, { axis, before }) => ({ x: slice(dy, axis, before, before + x.shape[axis]!) }),
  lower({ axis, before, after }, { x }) {
    const zeros = x.shape.map(() => 0);
    return { vectors: [[...zeros.with(axis, before), ...zeros.with(axis, after)]] };
  },
});

interface Padding {
  readonly axis: number;
  readonly before: number;
  readonly after: number;
}

/** Zeros before and after along an axis. */
export function pad(x: Tensor, axis: number, before: number, after: number): Tensor {
  const at = positiveAxis("Pad", axis, x.shape.length);
  return before === 0 && after === 0 ? x : padZeros(x, { axis: at, before, after });
}

const joinTwo = defineOp("Concat", ["a", "b"], {
  shape({ a, b }, { axis }: { axis: number }) {
    const fits = a.shape.length === b.shape.length && a.shape.every((size, i) => i === axis || size === b.shape[i]);
    if (!fits)
      throw new ShapeError(`Concat: ${describe(a)} and ${describe(b)} differ elsewhere than along axis ${axis}.`);
    return a.shape.with(axis, a.shape[axis]! + b.shape[axis]!);
  },
  gradient({ a, dy }, { axis }) {
    const cut = a.shape[axis]!;
    return { a: slice(dy, axis, 0, cut), b: slice(dy, axis, cut, dy.shape[axis]!) };
  },
});

/** The parts one after another along an axis. */
export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const [first, ...rest] = parts;
  if (!first) throw new ShapeError("Concat: there is nothing to join.");
  const at = positiveAxis("Concat", axis, first.shape.length);
  return rest.reduce((joined, part) => joinTwo(joined, part, { axis: at }), first);
}

const divide = defineOp("Split", ["x"], {
  shape: ({ x }) => x.shape,
  outputs: ({ x }, { axis, sizes }: { axis: number; sizes: readonly number[] }) =>
    sizes.map((size) => ({ shape: x.shape.with(axis, size), dtype: x.dtype })),
  gradient: ({ ys, dys }, { axis }) => ({
    x: concat(
      dys.map((dy, i) => dy ?? zeros(ys[i]!)),
      axis,
    ),
  }),
  lower: ({ axis, sizes }) => ({ attributes: { axis }, vectors: [sizes] }),
});

/** x cut along an axis into `count` equal parts. */
export function split(x: Tensor, count: number, axis = -1): readonly Tensor[] {
  const at = positiveAxis("Split", axis, x.shape.length);
  const size = x.shape[at]! / count;
  if (!Number.isInteger(size))
    throw new ShapeError(`Split: axis ${axis} of ${describe(x)} does not divide by ${count}.`);
  return divide.all(x, { axis: at, sizes: Array(count).fill(size) as number[] });
}

const expandTo = defineOp("Expand", ["x"], {
  shape: ({ x }, { shape }: { shape: Shape }) => broadcast("Expand", x, x, x.shape, shape),
  gradient: ({ dy }) => ({ x: dy }), // the walk sums it back to x's shape
  lower: ({ shape }) => ({ vectors: [shape] }),
});

/** x repeated to `shape` as broadcasting repeats it. */
export const expand = (x: Tensor, shape: Shape): Tensor => (sameShape(x.shape, shape) ? x : expandTo(x, { shape }));

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((size, i) => size === b[i]);

/** Zeros of x's shape and dtype. */
export const zeros = (x: Tensor): Tensor => expand(constant(0, x.dtype), x.shape);

const take = defineOp("Gather", ["x", "indices"], {
  shape: ({ x, indices }, { axis }: { axis: number }) => [
    ...x.shape.slice(0, axis),
    ...indices.shape,
    ...x.shape.slice(axis + 1),
  ],
  dtype: ({ x }) => x.dtype,
  gradient({ x, indices, dy }, { axis }) {
    // ∂x gathers what each index took: the axis first, then one scattered row per index.
    const order = [axis, ...x.shape.map((_, i) => i).filter((i) => i !== axis)];
    const rows = order.map((i) => x.shape[i]!);
    const before = x.shape.slice(0, axis);
    const count = elementCount(indices.shape);
    const flat = reshape(dy, [...before, count, ...x.shape.slice(axis + 1)]);
    const sums = scatterAdd(expand(constant(0, dy.dtype), rows), reshape(indices, [count, 1]), transpose(flat, order));
    return { x: transpose(sums, inverse(order)), indices: null };
  },
});

/** The slices of x along an axis at int64 indices (each within 0 .. size − 1). */
export function gather(x: Tensor, indices: Tensor, axis = 0): Tensor {
  return take(x, indices, { axis: positiveAxis("Gather", axis, x.shape.length) });
}

/** y = x with updates[k] added to its row indices[k]; an index may come more than once. */
export const scatterAdd = defineOp("ScatterND", ["x", "indices", "updates"], {
  shape: ({ x }) => x.shape,
  dtype: ({ x }) => x.dtype,
  gradient: ({ indices, dy }) => ({
    x: dy,
    indices: null,
    updates: gather(dy, reshape(indices, [elementCount(indices.shape)])),
  }),
  lower: () => ({ attributes: { reduction: "add" } }),
});

/** Rows of a table at ids, [..., width]. */
export const embedding = (table: Tensor, ids: Tensor): Tensor => gather(table, cast(ids, "int64"));
