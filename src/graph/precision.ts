// Part of a graph in 16 bits: how values go in and come out, and how their gradients stay within float16's range on the way.
// (Micikevicius et al. 2018, arXiv 1710.03740, "Mixed Precision Training", section 3.2: loss scaling.)

import { defineOp } from "./define.ts";
import { cast, mul } from "./ops/elementwise.ts";
import { type DType, dtypes, type Tensor } from "./tensor.ts";

/** What a model computes in. */
export type ComputeDType = "float32" | "float16";

/**
 * By what gradients are larger inside. Those of a picture's values are often below float16's smallest number, 6e-8, and below
 * 6e-5 it has fewer bits: docs/pitfalls.md has the measured effect.
 */
const gradientScale = 1024;

const lower = ({ to }: { to: DType }) => ({ attributes: { to: dtypes[to].onnx } });

const enter = defineOp("Cast", ["x"], {
  shape: ({ x }) => x.shape,
  dtype: (_, { to }: { to: DType }) => to,
  gradient: ({ x, dy }) => ({ x: mul(cast(dy, x.dtype), 1 / gradientScale) }),
  lower,
});

const leave = defineOp("Cast", ["x"], {
  shape: ({ x }) => x.shape,
  dtype: (_, { to }: { to: DType }) => to,
  gradient: ({ x, dy }) => ({ x: cast(mul(dy, gradientScale), x.dtype) }),
  lower,
});

/** f of float32 values, computed in `dtype`; its result is float32 again, and so are the gradients outside. */
export function computedIn(dtype: ComputeDType, f: (...x: Tensor[]) => Tensor, ...x: Tensor[]): Tensor {
  if (dtype === "float32") return f(...x);
  return leave(f(...x.map((each) => enter(each, { to: dtype }))), { to: "float32" });
}
