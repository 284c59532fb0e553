// Layer and group normalisation on ONNX's LayerNormalization, whose second and third outputs are what the gradient needs.

import { defineOp } from "../define.ts";
import { constant, type DType, type Tensor } from "../tensor.ts";
import { add, cast, mul, sub } from "./elementwise.ts";
import { expand, reshape } from "./movement.ts";
import { mean } from "./reduce.ts";

/** The mean over the last axis, its size kept as 1. */
const rowMean = (x: Tensor) => mean(x, { axes: [-1], keepDims: true });

/** What sums over a row are kept in: ONNX's stash_type. A group of pixels has up to four million numbers. */
const stash = ({ dtype }: Tensor): DType => (dtype === "float16" ? "float32" : dtype);

/** y = (x − μ) / √(σ² + ε) ⊙ scale + bias over the last axis; further outputs: μ and s = 1 / √(σ² + ε). */
const normalize = defineOp("LayerNormalization", ["x", "scale", "bias"], {
  shape: ({ x }) => x.shape,
  outputs: ({ x }, _: { epsilon: number }) => [
    { shape: x.shape, dtype: x.dtype },
    { shape: x.shape.with(-1, 1), dtype: stash(x) },
    { shape: x.shape.with(-1, 1), dtype: stash(x) },
  ],
  gradient({ x, scale, ys, dys, wants }) {
    const [, center, inverse] = ys as [Tensor, Tensor, Tensor];
    const [narrow, dCenter, dInverse] = dys as [Tensor | null, Tensor | null, Tensor | null];
    const wide = (value: Tensor) => cast(value, center.dtype);
    const dy = narrow && wide(narrow);
    const standard = mul(sub(wide(x), center), inverse);
    const dx = () =>
      total(
        dy && throughRow(mul(dy, wide(scale)), standard, inverse),
        dCenter && mul(expand(dCenter, x.shape), 1 / x.shape.at(-1)!), // ∂μ/∂x = 1/n
        dInverse && mul(mul(standard, mul(inverse, inverse)), mul(dInverse, -1 / x.shape.at(-1)!)), // ∂s/∂x = −s² x̂/n
      );
    return {
      x: wants("x") ? cast(dx()!, x.dtype) : null,
      scale: dy && wants("scale") ? cast(mul(dy, standard), scale.dtype) : null,
      bias: narrow,
    };
  },
  lower: ({ epsilon }) => ({ attributes: { axis: -1, epsilon: { float: epsilon } } }),
});

/** ∂x = s (g − mean g − x̂ mean(g ⊙ x̂)), with g = ∂y ⊙ scale. */
const throughRow = (g: Tensor, standard: Tensor, inverse: Tensor) =>
  mul(inverse, sub(sub(g, rowMean(g)), mul(standard, rowMean(mul(g, standard)))));

const total = (...terms: (Tensor | null)[]): Tensor | null =>
  terms.reduce((sum, term) => (sum && term ? add(sum, term) : (sum ?? term)), null);

/** Layer normalisation over the last axis (Ba et al. 2016). */
export const layerNorm = (x: Tensor, scale: Tensor, bias: Tensor, epsilon: number): Tensor =>
  normalize(x, scale, bias, { epsilon });

/** Group normalisation (Wu & He 2018) of x [N, C, ...]: each group of channels is one row of a layer normalisation. */
export function groupNorm(x: Tensor, groups: number, scale: Tensor, bias: Tensor, epsilon: number): Tensor {
  const [batch, channels] = x.shape as [number, number];
  const rows = reshape(x, [batch, groups, -1]);
  const one = expand(constant(1, x.dtype), [rows.shape[2]!]);
  const zero = expand(constant(0, x.dtype), [rows.shape[2]!]);
  const standard = reshape(normalize(rows, one, zero, { epsilon }), x.shape);
  const perChannel = (v: Tensor) => reshape(v, [1, channels, ...x.shape.slice(2).map(() => 1)]);
  return add(mul(standard, perChannel(scale)), perChannel(bias));
}
