// Part of a graph in 16 bits: how values go in and come out, and how their gradients stay within float16's range on the way
// (loss scaling: Micikevicius et al. 2018, arXiv 1710.03740, section 3.2).

import { pullBack } from "./gradient.ts";
import { abs, cast, div, maximum, mul } from "./ops/elementwise.ts";
import { max } from "./ops/reduce.ts";
import { dtypes, type Node, type Tensor } from "./tensor.ts";

/** What a model computes in. */
export type ComputeDType = "float32" | "float16";

/**
 * The largest number of a gradient where it enters. Through small U-Nets and decoders nothing was lost from 0.04 to 4e4: below,
 * gradients inside fall under float16's smallest number, above, they pass its largest (docs/pitfalls.md).
 */
const largestEntering = 64;
/** So that a gradient of zeros stays one. */
const tiny = 1e-30;

/**
 * f of float32 values, computed in `dtype`; its result is float32 again. A gradient is scaled on its way in, by its own size,
 * and back on its way out: what f does to it is linear.
 */
export function computedIn(dtype: ComputeDType, f: (...x: Tensor[]) => Tensor, ...inputs: Tensor[]): Tensor {
  if (dtype === "float32") return f(...inputs);
  const entered = inputs.map((x) => cast(x, dtype));
  const inside = f(...entered);
  const outputs: Tensor[] = [];
  const node: Node = {
    type: "Cast",
    inputs: [inside, ...inputs],
    outputs,
    lowering: { attributes: { to: dtypes.float32.onnx }, operands: 1 },
    backward([dy], wanted) {
      const scale = div(largestEntering, maximum(max(abs(dy!)), tiny));
      const wrt = entered.filter((_, i) => wanted[i + 1]);
      const dxs = pullBack(inside, cast(mul(dy!, scale), dtype), wrt, new Set(entered));
      const back = dxs.map((dx) => dx && div(cast(dx, "float32"), scale));
      return [null, ...wanted.slice(1).map((each) => (each ? back.shift()! : null))];
    },
  };
  outputs.push({ shape: inside.shape, dtype: "float32", origin: { kind: "node", node, output: 0 } });
  return outputs[0]!;
}
