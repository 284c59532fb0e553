// Our ops on the inputs that PyTorch was given: fixtures/ops.json, by test/reference/ops.py.

import type { NumericArray, Tensor } from "../../src/graph/index.ts";
import * as graph from "../../src/graph/index.ts";
import fixture from "../graph/fixtures/ops.json" with { type: "json" };
import { decodeFloat32, relativeDifference } from "./compare.ts";
import { seededNormal, seededUniform } from "./seededWeights.ts";

interface InputSpec {
  readonly kind: string;
  readonly shape: readonly number[];
  readonly mean?: number;
  readonly scale?: number;
  readonly low?: number;
  readonly high?: number;
  readonly values?: readonly number[];
}

interface Case {
  readonly inputs: Readonly<Record<string, InputSpec>>;
  readonly attributes: Attributes;
  readonly y: { readonly shape: readonly number[]; readonly float32: string };
  readonly gradients: Readonly<Record<string, { readonly float32: string }>>;
}

// A table's attributes are as various as its ops.
// biome-ignore lint/suspicious/noExplicitAny: each entry below names the attributes that its cases have
type Attributes = any;
type Apply = (inputs: Record<string, Tensor>, attributes: Attributes) => Tensor;

export const cases = fixture.cases as unknown as Readonly<Record<string, Case>>;

const unary =
  (op: (x: Tensor) => Tensor): Apply =>
  ({ x }) =>
    op(x!);
const binary =
  (op: (a: Tensor, b: Tensor) => Tensor): Apply =>
  ({ a, b }) =>
    op(a!, b!);
const reduction =
  (op: typeof graph.sum): Apply =>
  ({ x }, options) =>
    op(x!, options);

/** Each case's op, by the part of its name before the slash. */
const ops: Readonly<Record<string, Apply>> = {
  neg: unary(graph.neg),
  exp: unary(graph.exp),
  log: unary(graph.log),
  sqrt: unary(graph.sqrt),
  reciprocal: unary(graph.reciprocal),
  abs: unary(graph.abs),
  erf: unary(graph.erf),
  tanh: unary(graph.tanh),
  sigmoid: unary(graph.sigmoid),
  softplus: unary(graph.softplus),
  sin: unary(graph.sin),
  cos: unary(graph.cos),
  gelu: unary(graph.gelu),
  silu: unary(graph.silu),
  quickGelu: unary(graph.quickGelu),
  softmax: unary(graph.softmax),
  logSoftmax: unary(graph.logSoftmax),
  add: binary(graph.add),
  sub: binary(graph.sub),
  mul: binary(graph.mul),
  div: binary(graph.div),
  maximum: binary(graph.maximum),
  minimum: binary(graph.minimum),
  matmul: binary(graph.matmul),
  sum: reduction(graph.sum),
  mean: reduction(graph.mean),
  max: reduction(graph.max),
  logSigmoid: ({ x }) => graph.neg(graph.softplus(graph.neg(x!))),
  pow: ({ x }, { exponent }) => graph.pow(x!, exponent),
  clip: ({ x }, { low, high }) => graph.clip(x!, low, high),
  linear: ({ x, w, b }) => graph.linear(x!, w!, b),
  attention: ({ q, k, v, mask }) => joinHeads(graph.attention(...rows(q!, k!, v!), q!.shape[1]!, mask), q!.shape[1]!),
  layerNorm: ({ x, w, b }, { eps }) => graph.layerNorm(x!, w!, b!, eps),
  groupNorm: ({ x, w, b }, { groups, eps }) => graph.groupNorm(x!, groups, w!, b!, eps),
  conv: ({ x, w, b }, options) => graph.conv2d(x!, w!, b, options),
  convTranspose: ({ x, w, b }, options) => graph.convTranspose2d(x!, w!, b, options),
  gather: ({ w, i }) => graph.gather(w!, i!),
  slice: ({ x }, { axis, start, end }) => graph.slice(x!, axis, start, end),
  concat: ({ a, b }, { axis }) => graph.concat([a!, b!], axis),
  pad: ({ x }, { before, after }) =>
    x!.shape.reduce((padded, _, axis) => graph.pad(padded, axis, before[axis], after[axis]), x!),
  transpose: ({ x }, { perm }) => graph.transpose(x!, perm),
  reshape: ({ x }, { shape }) => graph.reshape(x!, shape),
  expand: ({ x }, { shape }) => graph.expand(x!, shape),
  nearest: ({ x }, { size }) => graph.upsampleNearest(x!, size[0] / x!.shape[2]!),
  bicubic: ({ x }, { size: [height, width] }) => graph.resizeBicubic(x!, { height, width }),
};

// PyTorch's attention has its heads apart, [N, heads, T, d]; ours has them side by side, [N, T, heads * d].
const rows = (...parts: [Tensor, Tensor, Tensor]) =>
  parts.map((x) => {
    const [n, heads, length, width] = x.shape as [number, number, number, number];
    return graph.reshape(graph.transpose(x, [0, 2, 1, 3]), [n, length, heads * width]);
  }) as [Tensor, Tensor, Tensor];

function joinHeads(y: Tensor, heads: number): Tensor {
  const [n, length, width] = y.shape as [number, number, number];
  return graph.transpose(graph.reshape(y, [n, length, heads, width / heads]), [0, 2, 1, 3]);
}

// The one op whose gradient src/graph declines to give.
const withoutGradient = new Set(["max"]);

/** Relative differences of y and of each gradient of Σ y ⊙ dy between ours and PyTorch's. */
export async function differencesOf(name: string): Promise<Record<string, number>> {
  const { inputs: specs, attributes, y: wanted, gradients } = cases[name]!;
  const op = name.split("/")[0]!;
  const entries = Object.entries(specs);
  const inputs = Object.fromEntries(
    entries.map(([key, { kind, shape }]) => [key, graph.input(key, shape, kind === "int64" ? "int64" : "float32")]),
  );
  const feeds = Object.fromEntries(entries.map(([key, spec]) => [key, valuesOf(`${name}/${key}`, spec)]));
  const y = ops[op]!(inputs, attributes);
  if (`${y.shape}` !== `${wanted.shape}`) throw new Error(`${name} has the shape [${y.shape}], not [${wanted.shape}]`);

  const want = withoutGradient.has(op) ? [] : Object.keys(gradients);
  const dy = graph.constant(seededNormal(`${name}/dy`, y.shape), y.shape);
  const slopes = want.length
    ? graph.gradients(
        graph.sum(graph.mul(y, dy)),
        want.map((key) => inputs[key]!),
      )
    : [];
  const outputs = { y, ...Object.fromEntries(want.map((key, i) => [`d${key}`, slopes[i]!])) };
  const session = await graph.compile(outputs, { provider: "cpu", threads: 1 });
  const results = await session.run(feeds);
  await session.release();
  return Object.fromEntries(
    Object.entries({ y: wanted, ...Object.fromEntries(want.map((key) => [`d${key}`, gradients[key]!])) }).map(
      ([key, { float32 }]) => [key, relativeDifference(results[key]!, decodeFloat32(float32))],
    ),
  );
}

function valuesOf(name: string, { kind, shape, mean, scale, low, high, values }: InputSpec): NumericArray {
  if (kind === "int64") return BigInt64Array.from(values!, BigInt);
  return kind === "normal" ? seededNormal(name, shape, mean, scale) : seededUniform(name, shape, low, high);
}
