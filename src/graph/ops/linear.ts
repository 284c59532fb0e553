// Matrix products and what is built of them: linear layers, attention, resizing.

import { ShapeError } from "../../errors.ts";
import { broadcast, defineOp, type Op } from "../define.ts";
import { constant, describe, type Tensor } from "../tensor.ts";
import { add, cast, mul } from "./elementwise.ts";
import { reshape, transpose } from "./movement.ts";
import { softmax } from "./reduce.ts";

/** y = a b over the last two axes; the axes before them broadcast. */
export const matmul: Op<["a", "b"]> = defineOp("MatMul", ["a", "b"], {
  shape({ a, b }) {
    const [m, k] = matrix("MatMul", a);
    const [l, n] = matrix("MatMul", b);
    if (k !== l) {
      throw new ShapeError(`MatMul: a has ${k} columns but b has ${l} rows (a ${describe(a)}, b ${describe(b)}).`);
    }
    return [...broadcast("MatMul", a, b, a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n];
  },
  gradient: ({ a, b, dy, wants }) => ({
    a: wants("a") ? matmul(dy, transpose(b)) : null, // ∂a = ∂y bᵀ
    b: wants("b") ? matmul(transpose(a), dy) : null, // ∂b = aᵀ ∂y
  }),
});

function matrix(type: string, x: Tensor): [rows: number, columns: number] {
  if (x.shape.length < 2) throw new ShapeError(`${type}: ${describe(x)} is no matrix.`);
  return [x.shape.at(-2)!, x.shape.at(-1)!];
}

interface Transposed {
  readonly transA: boolean;
  readonly transB: boolean;
}

const lower = ({ transA, transB }: Transposed) => ({ attributes: { transA: Number(transA), transB: Number(transB) } });

const gemmShape = ({ a, b }: { a: Tensor; b: Tensor }, { transA, transB }: Transposed) => {
  if (a.shape.length !== 2 || b.shape.length !== 2) {
    throw new ShapeError(`Gemm: ${describe(a)} and ${describe(b)} must have two axes each.`);
  }
  const [m, k] = transA ? matrix("Gemm", a).reverse() : matrix("Gemm", a);
  const [l, n] = transB ? matrix("Gemm", b).reverse() : matrix("Gemm", b);
  if (k !== l) throw new ShapeError(`Gemm: the inner sizes are ${k} and ${l} (a ${describe(a)}, b ${describe(b)}).`);
  return [m!, n!];
};

/** y = a b for two matrices, either of them read transposed where it lies. */
export const gemm: Op<["a", "b"], Transposed> = defineOp("Gemm", ["a", "b"], {
  shape: gemmShape,
  gradient: ({ a, b, dy, wants }, attributes: Transposed) => gemmGradient(a, b, dy, wants, attributes),
  lower,
});

/** y = a b + c */
const gemmPlus = defineOp("Gemm", ["a", "b", "c"], {
  shape: gemmShape,
  gradient: ({ a, b, dy, wants }, attributes: Transposed) => ({ ...gemmGradient(a, b, dy, wants, attributes), c: dy }),
  lower,
});

function gemmGradient(
  a: Tensor,
  b: Tensor,
  dy: Tensor,
  wants: (name: "a" | "b") => boolean,
  { transA, transB }: Transposed,
) {
  // With A = op(a), B = op(b):  ∂A = ∂y Bᵀ,  ∂B = Aᵀ ∂y;  a transposed side takes the transposed product.
  const product = (x: Tensor, transX: boolean, y: Tensor, transY: boolean) =>
    transX || transY ? gemm(x, y, { transA: transX, transB: transY }) : matmul(x, y); // MatMul reads weights in place
  return {
    a: !wants("a") ? null : transA ? product(b, transB, dy, true) : product(dy, false, b, !transB),
    b: !wants("b") ? null : transB ? product(dy, true, a, transA) : product(a, !transA, dy, false),
  };
}

/**
 * y = x Wᵀ + b, x [..., in], W [out, in] as PyTorch lays it down in the file.
 * Gemm(transB) reads W in place; MatMul(x, Transpose(W)) would be folded into a copy of it.
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const [outputs, inputs] = matrix("linear", weight);
  if (x.shape.at(-1) !== inputs) {
    throw new ShapeError(`linear: ${describe(x)} ends in ${x.shape.at(-1)} but ${describe(weight)} takes ${inputs}.`);
  }
  const rows = reshape(x, [-1, inputs]);
  const attributes = { transA: false, transB: true };
  const y = bias ? gemmPlus(rows, weight, bias, attributes) : gemm(rows, weight, attributes);
  return reshape(y, [...x.shape.slice(0, -1), outputs]);
}

/**
 * y = x W + b with W in eight bits and x rounded to eight bits on the fly (onnxruntime's DynamicQuantizeMatMul).
 * W = scale · (w − zeroPoint), w [in, out], one scale for all of it or one for each column. For inference alone.
 */
export function quantizedLinear(x: Tensor, { weight, scale, zeroPoint }: Quantized, bias: Tensor): Tensor {
  const [inputs, outputs] = matrix("quantizedLinear", weight);
  const y = dynamicQuantizeMatMul(reshape(x, [-1, inputs]), weight, scale, zeroPoint, bias);
  return reshape(y, [...x.shape.slice(0, -1), outputs]);
}

export interface Quantized {
  readonly weight: Tensor;
  readonly scale: Tensor;
  readonly zeroPoint: Tensor;
}

const dynamicQuantizeMatMul = defineOp("DynamicQuantizeMatMul", ["x", "w", "scale", "zeroPoint", "b"], {
  shape: ({ x, w }) => {
    if (x.shape[1] !== w.shape[0]) throw new ShapeError(`DynamicQuantizeMatMul: ${describe(x)} meets ${describe(w)}.`);
    return [x.shape[0]!, w.shape[1]!];
  },
  dtype: ({ x }) => x.dtype,
  gradient: { none: "rounding has no slope; take the float32 weights for gradients" },
  lower: () => ({ domain: "com.microsoft" }),
});

/**
 * Multi-head attention: softmax(q kᵀ / √d + mask) v in each head.
 * q [N, T, W], k and v [N, S, W]; mask broadcasts to [N, heads, T, S] and is added.
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, heads: number, mask?: Tensor): Tensor {
  const [batch, tokens, width] = q.shape as [number, number, number];
  const headWidth = width / heads;
  if (!Number.isInteger(headWidth)) {
    throw new ShapeError(`attention: a width of ${width} does not divide among ${heads} heads (${describe(q)}).`);
  }
  const toHeads = (x: Tensor, perm: readonly number[]) =>
    transpose(reshape(x, [batch, x.shape[1]!, heads, headWidth]), perm);
  const scaled = mul(toHeads(q, [0, 2, 1, 3]), 1 / Math.sqrt(headWidth)); // before the product, which float16 may not hold
  const scores = matmul(scaled, toHeads(k, [0, 2, 3, 1]));
  const weights = softmax(mask ? add(scores, mask) : scores);
  const mixed = matmul(weights, toHeads(v, [0, 2, 1, 3]));
  return reshape(transpose(mixed, [0, 2, 1, 3]), [batch, tokens, width]);
}

interface Size {
  readonly height: number;
  readonly width: number;
}

/** Part of a picture, in pixels. */
export interface Window extends Size {
  readonly top: number;
  readonly left: number;
}

/**
 * x [..., H, W] resampled to `size`, of which only `window` is computed: two matrix products, rows and columns apart.
 * PyTorch's antialiased bicubic (torchvision `Resize(..., antialias=True)`): a = −0.5, the kernel widened when shrinking.
 */
export function resizeBicubic(x: Tensor, size: Size, window: Window = { top: 0, left: 0, ...size }): Tensor {
  const [h, w] = x.shape.slice(-2) as [number, number];
  const mixRows = bicubicWeights(h, size.height, window.top, window.height);
  const mixColumns = bicubicWeights(w, size.width, window.left, window.width);
  const rows = cast(constant(mixRows, [window.height, h]), x.dtype);
  const columns = transpose(cast(constant(mixColumns, [window.width, w]), x.dtype)); // constant: folded when a session is made
  const rowsFirst = window.height * w <= h * window.width; // the order that leaves fewer elements in between
  return rowsFirst ? matmul(matmul(rows, x), columns) : matmul(rows, matmul(x, columns));
}

/** By which weights outputs first .. first + count − 1 of `outputs` mix the inputs: dense rows [count, inputs], each summing to 1. */
export function bicubicWeights(inputs: number, outputs: number, first = 0, count = outputs): Float64Array {
  const scale = inputs / outputs;
  const stretch = Math.max(scale, 1);
  const support = 2 * stretch;
  const weights = new Float64Array(count * inputs);
  for (let i = 0; i < count; i++) {
    const center = scale * (first + i + 0.5);
    const from = Math.max(Math.trunc(center - support + 0.5), 0);
    const to = Math.min(Math.trunc(center + support + 0.5), inputs);
    const taps = Array.from({ length: to - from }, (_, j) => cubic((from + j - center + 0.5) / stretch));
    const total = taps.reduce((a, b) => a + b, 0);
    for (const [j, tap] of taps.entries()) weights[i * inputs + from + j] = tap / total;
  }
  return weights;
}

/** Keys' cubic convolution kernel (1981) with a = −0.5, as PIL and PyTorch's antialiased resize have it. */
function cubic(x: number, a = -0.5): number {
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0;
}
