// Activations whose gradient is cheaper computed again than kept for.

import { tied, withGradient } from "../recompute.ts";
import type { Tensor } from "../tensor.ts";
import { add, mul, sigmoid, sub } from "./elementwise.ts";

/** y = x s with s = sigmoid(x);  ∂x = ∂y s (1 + x (1 − s)), where s is computed anew: kept, it is a third of what a decoder keeps. */
export const silu = (x: Tensor): Tensor =>
  withGradient(mul(x, sigmoid(x)), [x], (dy) => {
    const s = sigmoid(tied(x, dy));
    return [mul(dy, mul(s, add(mul(x, sub(1, s)), 1)))];
  });
