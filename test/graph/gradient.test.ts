import { describe, expect, test } from "vitest";
import * as ops from "../../src/graph/index.ts";
import { compile, constant, gradients, input, mul, type Shape, sum, type Tensor } from "../../src/graph/index.ts";
import { seededNormal } from "../support/seededWeights.ts";

interface Case {
  readonly f: (...inputs: Tensor[]) => Tensor;
  readonly shapes: readonly Shape[];
  /** Brings the seeded normal numbers to where the op is smooth. */
  readonly from?: (x: number) => number;
}

const positive = (x: number) => 0.5 + Math.abs(x);
const awayFromZero = (x: number) => x + 0.3 * Math.sign(x || 1);
const ids = constant([2, 0, 2, 1], [4], "int64"); // one id comes twice
const condition = constant([1, 0, 1, 1, 0, 0], [2, 3], "bool");

/** A small case for each differentiable op, by its exported name. */
const cases: Record<string, Case> = {
  add: { f: ops.add, shapes: [[2, 3], [3]] },
  sub: {
    f: ops.sub,
    shapes: [
      [2, 1],
      [2, 3],
    ],
  },
  mul: {
    f: ops.mul,
    shapes: [
      [2, 3, 1],
      [3, 4],
    ],
  },
  div: {
    f: ops.div,
    shapes: [
      [2, 3],
      [2, 1],
    ],
    from: awayFromZero,
  },
  maximum: { f: ops.maximum, shapes: [[3, 4], [4]] },
  minimum: {
    f: ops.minimum,
    shapes: [
      [3, 4],
      [3, 1],
    ],
  },
  neg: { f: ops.neg, shapes: [[5]] },
  exp: { f: ops.exp, shapes: [[5]] },
  log: { f: ops.log, shapes: [[5]], from: positive },
  sqrt: { f: ops.sqrt, shapes: [[5]], from: positive },
  reciprocal: { f: ops.reciprocal, shapes: [[5]], from: awayFromZero },
  abs: { f: ops.abs, shapes: [[5]], from: awayFromZero },
  sign: { f: (x) => ops.add(ops.sign(x), x), shapes: [[5]], from: awayFromZero },
  erf: { f: ops.erf, shapes: [[5]] },
  tanh: { f: ops.tanh, shapes: [[5]] },
  sigmoid: { f: ops.sigmoid, shapes: [[5]] },
  softplus: { f: ops.softplus, shapes: [[5]] },
  sin: { f: ops.sin, shapes: [[5]] },
  cos: { f: ops.cos, shapes: [[5]] },
  pow: { f: (x) => ops.pow(x, 2.5), shapes: [[5]], from: positive },
  clip: { f: (x) => ops.clip(x, -0.6, 0.7), shapes: [[9]] },
  where: { f: (a, b) => ops.where(condition, a, b), shapes: [[2, 3], [3]] },
  cast: { f: (x) => ops.cast(ops.cast(x, "float64"), "float32"), shapes: [[4]] },
  gelu: { f: ops.gelu, shapes: [[7]] },
  silu: { f: ops.silu, shapes: [[7]] },
  quickGelu: { f: ops.quickGelu, shapes: [[7]] },
  reshape: { f: (x) => mul(ops.reshape(x, [3, -1]), ramp([3, 2])), shapes: [[2, 3]] },
  transpose: { f: (x) => mul(ops.transpose(x, [2, 0, 1]), ramp([4, 2, 3])), shapes: [[2, 3, 4]] },
  slice: { f: (x) => mul(ops.slice(x, -1, 1, 3), ramp([2, 2])), shapes: [[2, 4]] },
  reverse: { f: (x) => mul(ops.reverse(x, [0, 1]), ramp([2, 3])), shapes: [[2, 3]] },
  pad: { f: (x) => mul(ops.pad(x, 1, 2, 1), ramp([2, 6])), shapes: [[2, 3]] },
  concat: {
    f: (a, b, c) => mul(ops.concat([a, b, c], 1), ramp([2, 6])),
    shapes: [
      [2, 1],
      [2, 3],
      [2, 2],
    ],
  },
  split: { f: (x) => mul(ops.split(x, 3)[1]!, ops.split(x, 3)[2]!), shapes: [[2, 6]] },
  expand: { f: (x) => mul(ops.expand(x, [3, 2, 4]), ramp([3, 2, 4])), shapes: [[2, 1]] },
  zeros: { f: (x) => ops.add(ops.zeros(x), x), shapes: [[3]] },
  gather: { f: (x) => mul(ops.gather(x, ids, 1), ramp([2, 4, 2])), shapes: [[2, 3, 2]] },
  embedding: { f: (x) => mul(ops.embedding(x, ids), ramp([4, 5])), shapes: [[3, 5]] },
  scatterAdd: {
    f: (x, u) => ops.scatterAdd(x, ops.reshape(ids, [4, 1]), u),
    shapes: [
      [3, 2],
      [4, 2],
    ],
  },
  sum: { f: (x) => ops.sum(x, { axes: [0, 2] }), shapes: [[2, 3, 4]] },
  mean: { f: (x) => ops.mean(x, { axes: [-1], keepDims: true }), shapes: [[2, 3, 4]] },
  norm: { f: ops.norm, shapes: [[2, 3]] },
  sumTo: { f: (x) => ops.sumTo(x, [3, 1]), shapes: [[2, 3, 4]] },
  softmax: { f: ops.softmax, shapes: [[2, 3, 5]] },
  logSoftmax: { f: ops.logSoftmax, shapes: [[2, 5]] },
  matmul: {
    f: ops.matmul,
    shapes: [
      [2, 3, 4],
      [4, 5],
    ],
  }, // b broadcasts over a's batch
  gemm: {
    f: (a, b) => ops.gemm(a, b, { transA: true, transB: true }),
    shapes: [
      [4, 3],
      [5, 4],
    ],
  },
  linear: { f: ops.linear, shapes: [[2, 3, 4], [5, 4], [5]] },
  attention: {
    f: (q, k, v, m) => ops.attention(q, k, v, 2, m),
    shapes: [
      [1, 3, 4],
      [1, 5, 4],
      [1, 5, 4],
      [1, 1, 1, 5],
    ],
  },
  resizeBicubic: {
    f: (x) => ops.resizeBicubic(x, { height: 4, width: 11 }, { top: 1, left: 2, height: 3, width: 7 }),
    shapes: [[1, 2, 9, 6]],
  },
  layerNorm: { f: (x, scale, bias) => ops.layerNorm(x, scale, bias, 1e-5), shapes: [[3, 6], [6], [6]] },
  groupNorm: { f: (x, scale, bias) => ops.groupNorm(x, 2, scale, bias, 1e-5), shapes: [[2, 4, 3, 2], [4], [4]] },
  conv2d: {
    f: (x, w, b) => ops.conv2d(x, w, b, { stride: 2, padding: 1, groups: 2 }),
    shapes: [[2, 4, 6, 5], [4, 2, 3, 3], [4]],
  },
  "conv2d flipped": {
    f: (x, w) => ops.conv2d(x, w, undefined, { padding: 1 }),
    shapes: [
      [1, 2, 16, 17],
      [2, 2, 3, 3],
    ],
  },
  "conv2d dilated": {
    f: (x, w) => ops.conv2d(x, w, undefined, { dilation: 2 }),
    shapes: [
      [1, 2, 7, 8],
      [3, 2, 3, 2],
    ],
  },
  convTranspose2d: {
    f: (x, w, b) => ops.convTranspose2d(x, w, b, { stride: 2, padding: 1, outputPadding: 1 }),
    shapes: [[1, 3, 4, 5], [3, 2, 3, 3], [2]],
  },
  pad2d: { f: (x) => mul(ops.pad2d(x, 0, 1, 2, 0), ramp([1, 1, 3, 5])), shapes: [[1, 1, 2, 3]] },
  upsampledConv2d: { f: (x, w, b) => ops.upsampledConv2d(x, w, b), shapes: [[1, 2, 2, 3], [3, 2, 3, 3], [3]] }, // larger maps: its own test
  upsampleNearest: { f: (x) => mul(ops.upsampleNearest(x, 2), ramp([1, 2, 4, 6])), shapes: [[1, 2, 2, 3]] },
};

/** Exports that build or run graphs, or that have no gradient to check. */
const notDifferentiable = [
  ...[
    "compile",
    "constant",
    "describe",
    "elementCount",
    "gradients",
    "input",
    "listProviders",
    "parameter",
    "providers",
  ],
  ...[
    "Session",
    "sameShape",
    "bicubicWeights",
    "greater",
    "greaterOrEqual",
    "equal",
    "max",
    "quantizedLinear",
    "recomputed",
    "pullBack",
    "memoryOf",
    "bytesOf",
    "computedIn", // in test/graph/precision.test.ts
    "float16Bits",
    "roundHalfEven",
    "chooseDType",
  ],
];

/** 0.1, 0.2, ...: a weight for each place, so that a gradient at the wrong place shows. */
const ramp = (shape: Shape) =>
  constant(
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => 0.1 * (i + 1)),
    shape,
  );

// Σ y² and not Σ y: a rule that ignores ∂y cannot pass.
const objective = (y: Tensor) => sum(mul(y, y));

/** The gradient of Σ f² and its central differences, for each input; all displaced copies run in one session, one after another. */
async function slopes({ f, shapes, from = (x) => x }: Case, name: string) {
  const inputs = shapes.map((shape, i) => input(`x${i}`, shape));
  const y = objective(f(...inputs));
  const dxs = gradients(y, inputs);
  const session = await compile({ y, ...Object.fromEntries(dxs.map((dx, i) => [`dx${i}`, dx])) }, { provider: "cpu" });
  const values = shapes.map((shape, i) => seededNormal(`${name}/${i}`, shape).map(from));
  const at = (feeds: Float32Array[]) => session.run(Object.fromEntries(feeds.map((x, i) => [`x${i}`, x])));
  const h = 1e-2;
  const analytic = await at(values);
  const numeric: number[][] = [];
  for (const [i, value] of values.entries()) {
    numeric.push([]);
    for (let k = 0; k < value.length; k++) {
      const moved = (step: number) => values.map((x, j) => (j === i ? x.with(k, x[k]! + step) : x));
      const [above, below] = [await at(moved(h)), await at(moved(-h))];
      numeric[i]!.push((above.y![0]! - below.y![0]!) / (2 * h));
    }
  }
  await session.release();
  return values.map((_, i) => ({ analytic: [...analytic[`dx${i}`]!], numeric: numeric[i]! }));
}

describe("the gradient agrees with central differences", () => {
  for (const [name, each] of Object.entries(cases)) {
    test(name, async () => {
      for (const { analytic, numeric } of await slopes(each, name)) {
        const scale = Math.max(...numeric.map(Math.abs), 1e-3);
        const worst = Math.max(...analytic.map((a, i) => Math.abs(a - numeric[i]!)));
        expect(worst / scale, `${analytic} against ${numeric}`).toBeLessThan(5e-3); // float32, h = 1e-2
        expect(analytic.some((a) => a !== 0)).toBe(true);
      }
    });
  }
});

test("every exported op has a case", () => {
  const checked = new Set(Object.keys(cases).map((name) => name.split(" ")[0]));
  expect(
    Object.keys(ops)
      .filter((name) => !checked.has(name))
      .sort(),
  ).toEqual([...notDifferentiable].sort());
});

test("a gradient can be differentiated again", async () => {
  const x = input("x", [3]);
  const [dx] = gradients(sum(ops.pow(x, 4)), [x]);
  const [ddx] = gradients(sum(dx!), [x]);
  const session = await compile({ ddx: ddx! }, { provider: "cpu" });
  const { ddx: values } = await session.run({ x: Float32Array.of(1, 2, 3) });
  expect([...values!]).toEqual([12, 48, 108]); // 12 x²
  await session.release();
});

test("a layer norm's gradient can be differentiated again, through its mean and deviation", async () => {
  const second = ([x]: Tensor[]) => {
    const y = ops.layerNorm(x!, constant([1, 2, 0.5, 1], [4]), constant([0, 0, 1, 0], [4]), 1e-5);
    return gradients(sum(ops.pow(y, 3)), [x!])[0]!;
  };
  for (const { analytic, numeric } of await slopes({ f: (x) => second([x]), shapes: [[2, 4]] }, "second")) {
    const scale = Math.max(...numeric.map(Math.abs));
    expect(Math.max(...analytic.map((a, i) => Math.abs(a - numeric[i]!))) / scale).toBeLessThan(1e-2);
  }
});

test("a value that y does not depend on gets zeros", async () => {
  const [x, other] = [input("x", [2]), input("other", [3])];
  const session = await compile({ d: gradients(sum(x), [other])[0]! }, { provider: "cpu" });
  expect([...(await session.run({})).d!]).toEqual([0, 0, 0]);
  await session.release();
});
