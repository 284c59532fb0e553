// Ops that work on each element alone, and the arithmetic that broadcasts two values against each other.

import { broadcast, defineOp, type Op } from "../define.ts";
import { constant, type DType, dtypes, type Tensor } from "../tensor.ts";

/** A value, or a number that stands for a scalar of the other side's dtype. */
export type Operand = Tensor | number;

type Binary = (a: Operand, b: Operand) => Tensor;

const binary = (
  type: string,
  gradient: (at: { a: Tensor; b: Tensor; y: Tensor; dy: Tensor; wants: (name: "a" | "b") => boolean }) => {
    a: Tensor | null;
    b: Tensor | null;
  },
): Binary => {
  const op = defineOp(type, ["a", "b"], { shape: ({ a, b }) => broadcast(type, a, b), gradient });
  return (a, b) => op(...lift(a, b));
};

function lift(a: Operand, b: Operand): [Tensor, Tensor] {
  const dtype: DType = typeof a === "number" ? (typeof b === "number" ? "float32" : b.dtype) : a.dtype;
  const asTensor = (x: Operand) => (typeof x === "number" ? constant(x, dtype) : x);
  return [asTensor(a), asTensor(b)];
}

// Each rule writes its gradient at the output's shape: the walk sums what broadcasting had repeated (gradient.ts).

/** y = a + b */
export const add = binary("Add", ({ dy }) => ({ a: dy, b: dy }));

/** y = a − b */
export const sub = binary("Sub", ({ dy, wants }) => ({ a: dy, b: wants("b") ? neg(dy) : null }));

/** y = a ⊙ b */
export const mul = binary("Mul", ({ a, b, dy, wants }) => ({
  a: wants("a") ? mul(dy, b) : null,
  b: wants("b") ? mul(dy, a) : null,
}));

/** y = a / b;  ∂b = −∂y y / b */
export const div = binary("Div", ({ b, y, dy, wants }) => ({
  a: wants("a") ? div(dy, b) : null,
  b: wants("b") ? neg(div(mul(dy, y), b)) : null,
}));

/** y = max(a, b); where both are equal a takes the whole gradient. */
export const maximum = binary("Max", ({ a, b, dy }) => choose(greaterOrEqual(a, b), dy));

/** y = min(a, b); where both are equal a takes the whole gradient. */
export const minimum = binary("Min", ({ a, b, dy }) => choose(greaterOrEqual(b, a), dy));

function choose(first: Tensor, dy: Tensor) {
  const mask = cast(first, dy.dtype);
  return { a: mul(dy, mask), b: mul(dy, sub(1, mask)) };
}

const comparison = (type: string): Binary => {
  const op = defineOp(type, ["a", "b"], {
    shape: ({ a, b }) => broadcast(type, a, b),
    dtype: () => "bool",
    gradient: { none: "a truth value does not vary smoothly" },
  });
  return (a, b) => op(...lift(a, b));
};

export const greater = comparison("Greater");
export const greaterOrEqual = comparison("GreaterOrEqual");
export const equal = comparison("Equal");

const unary = (type: string, gradient: (at: { x: Tensor; y: Tensor; dy: Tensor }) => Tensor) =>
  defineOp(type, ["x"], { shape: ({ x }) => x.shape, gradient: (at) => ({ x: gradient(at) }) });

/** y = −x */
export const neg = unary("Neg", ({ dy }) => neg(dy));

/** y = eˣ;  ∂x = ∂y y */
export const exp = unary("Exp", ({ y, dy }) => mul(dy, y));

/** y = ln x;  ∂x = ∂y / x */
export const log = unary("Log", ({ x, dy }) => div(dy, x));

/** y = √x;  ∂x = ∂y / 2y */
export const sqrt = unary("Sqrt", ({ y, dy }) => div(mul(dy, 0.5), y));

/** y = 1 / x;  ∂x = −∂y y² */
export const reciprocal = unary("Reciprocal", ({ y, dy }) => neg(mul(dy, mul(y, y))));

/** y = |x|;  ∂x = ∂y sign x, and 0 at 0 as PyTorch has it */
export const abs = unary("Abs", ({ x, dy }) => mul(dy, sign(x)));

/** y = −1, 0 or 1;  ∂x = 0 almost everywhere */
export const sign = unary("Sign", ({ dy }) => mul(dy, 0));

/** y = 2/√π ∫₀ˣ e^(−t²) dt;  ∂x = ∂y 2/√π e^(−x²) */
export const erf = unary("Erf", ({ x, dy }) => mul(dy, mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI))));

/** y = tanh x;  ∂x = ∂y (1 − y²) */
export const tanh = unary("Tanh", ({ y, dy }) => mul(dy, sub(1, mul(y, y))));

/** y = 1 / (1 + e⁻ˣ);  ∂x = ∂y y (1 − y) */
export const sigmoid = unary("Sigmoid", ({ y, dy }) => mul(dy, mul(y, sub(1, y))));

/** y = ln(1 + eˣ), stable at both ends;  ∂x = ∂y sigmoid(x) */
export const softplus = unary("Softplus", ({ x, dy }) => mul(dy, sigmoid(x)));

/** y = sin x */
export const sin = unary("Sin", ({ x, dy }) => mul(dy, cos(x)));

/** y = cos x */
export const cos = unary("Cos", ({ x, dy }) => neg(mul(dy, sin(x))));

/** y = xⁿ for a fixed n;  ∂x = ∂y n xⁿ⁻¹ */
export function pow(x: Tensor, exponent: number): Tensor {
  return raise(x, constant(exponent, x.dtype));
}

const raise: Op<["x", "exponent"]> = defineOp("Pow", ["x", "exponent"], {
  shape: ({ x }) => x.shape,
  gradient: ({ x, exponent, dy }) => ({ x: mul(dy, mul(exponent, raise(x, sub(exponent, 1)))), exponent: null }),
});

/** y = x kept within [low, high];  the gradient passes where x is within, bounds included, as in PyTorch */
export function clip(x: Tensor, low: number, high: number): Tensor {
  return clamp(x, constant(low, x.dtype), constant(high, x.dtype));
}

const clamp = defineOp("Clip", ["x", "low", "high"], {
  shape: ({ x }) => x.shape,
  gradient: ({ x, low, high, dy }) => {
    const inside = mul(cast(greaterOrEqual(x, low), dy.dtype), cast(greaterOrEqual(high, x), dy.dtype));
    return { x: mul(dy, inside), low: null, high: null };
  },
});

/** y = a where the condition holds, b elsewhere */
export const where = defineOp("Where", ["condition", "a", "b"], {
  shape: ({ condition, a, b }) => broadcast("Where", condition, a, condition.shape, broadcast("Where", a, b)),
  dtype: ({ a }) => a.dtype,
  gradient: ({ condition, dy }) => {
    const mask = cast(condition, dy.dtype);
    return { condition: null, a: mul(dy, mask), b: mul(dy, sub(1, mask)) };
  },
});

const convert = defineOp("Cast", ["x"], {
  shape: ({ x }) => x.shape,
  dtype: (_, { to }: { to: DType }) => to,
  gradient: ({ x, dy }) => ({ x: cast(dy, x.dtype) }),
  lower: ({ to }) => ({ attributes: { to: dtypes[to].onnx } }),
});

/** x in another dtype; itself where it already is. */
export const cast = (x: Tensor, to: DType): Tensor => (x.dtype === to ? x : convert(x, { to }));

/** x Φ(x), by the error function as BERT, timm and ViT-H have it; not the tanh form. */
export const gelu = (x: Tensor): Tensor => mul(mul(x, add(erf(div(x, Math.SQRT2)), 1)), 0.5); // the form that the runtime fuses

/** x sigmoid(1.702 x), the form of OpenAI's CLIP */
export const quickGelu = (x: Tensor): Tensor => mul(x, sigmoid(mul(x, 1.702)));
