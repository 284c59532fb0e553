// Ops that fold axes away, and the softmax family.

import { defineOp, positiveAxis } from "../define.ts";
import { elementCount, type Shape, type Tensor } from "../tensor.ts";
import { exp, mul, sqrt, sub } from "./elementwise.ts";
import { expand, reshape, sameShape } from "./movement.ts";

interface Reduction {
  readonly axes: readonly number[];
}

// Reductions keep their axes with size 1; `keepDims: false` reshapes them away afterwards.
const folded = (shape: Shape, axes: readonly number[]) => shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
const lower = ({ axes }: Reduction) => ({ attributes: { keepdims: 1 }, vectors: [axes] });

const reduceSum = defineOp("ReduceSum", ["x"], {
  shape: ({ x }, { axes }: Reduction) => folded(x.shape, axes),
  gradient: ({ x, dy }) => ({ x: expand(dy, x.shape) }),
  lower,
});

const reduceMean = defineOp("ReduceMean", ["x"], {
  shape: ({ x }, { axes }: Reduction) => folded(x.shape, axes),
  gradient: ({ x, dy }) => ({ x: expand(mul(dy, elementCount(dy.shape) / elementCount(x.shape)), x.shape) }),
  lower,
});

const reduceMax = defineOp("ReduceMax", ["x"], {
  shape: ({ x }, { axes }: Reduction) => folded(x.shape, axes),
  gradient: { none: "only used where nothing flows back, such as the shift inside a stable logarithm of sums" },
  lower,
});

const reduction = (op: typeof reduceSum) => {
  return (x: Tensor, { axes, keepDims = false }: { axes?: readonly number[]; keepDims?: boolean } = {}): Tensor => {
    const all = axes ?? x.shape.map((_, axis) => axis);
    const positive = all.map((axis) => positiveAxis(op.type, axis, x.shape.length)).sort((a, b) => a - b);
    if (positive.length === 0) return x;
    const y = op(x, { axes: positive });
    return keepDims
      ? y
      : reshape(
          y,
          x.shape.filter((_, axis) => !positive.includes(axis)),
        );
  };
};

/** Σ x over the axes (all where none is given). */
export const sum = reduction(reduceSum);

/** The mean of x over the axes (all where none is given). */
export const mean = reduction(reduceMean);

/** The largest x over the axes (all where none is given). */
export const max = reduction(reduceMax);

/** y = eˣ / Σ eˣ along the last axis;  ∂x = y ⊙ (∂y − Σ y ⊙ ∂y) */
export const softmax = defineOp("Softmax", ["x"], {
  shape: ({ x }) => x.shape,
  gradient: ({ y, dy }) => ({ x: mul(y, sub(dy, sum(mul(y, dy), { axes: [-1], keepDims: true }))) }),
  lower: () => ({ attributes: { axis: -1 } }),
});

/** ln softmax(x) along the last axis;  ∂x = ∂y − softmax(x) Σ ∂y */
export const logSoftmax = defineOp("LogSoftmax", ["x"], {
  shape: ({ x }) => x.shape,
  gradient: ({ y, dy }) => ({ x: sub(dy, mul(exp(y), sum(dy, { axes: [-1], keepDims: true }))) }),
  lower: () => ({ attributes: { axis: -1 } }),
});

/** |x|₂ over all elements. */
export const norm = (x: Tensor): Tensor => sqrt(sum(mul(x, x)));

/** x summed back to `shape`, which broadcasting had repeated: the one place where broadcasting is undone. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const added = x.shape.length - shape.length;
  const axes = x.shape.map((_, axis) => axis).filter((axis) => axis < added || shape[axis - added] !== x.shape[axis]);
  return reshape(sum(x, { axes, keepDims: true }), shape);
}
