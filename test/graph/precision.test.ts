// Parts of a graph in float16: values, and gradients of any size, against the same in float32.

import { expect, test } from "vitest";
import {
  cast,
  chooseDType,
  compile,
  computedIn,
  constant,
  gradients,
  groupNorm,
  input,
  linear,
  mul,
  silu,
  sum,
  type Tensor,
  transpose,
} from "../../src/graph/index.ts";
import { cosine, largestDifference } from "../support/compare.ts";
import { seededNormal } from "../support/seededWeights.ts";

const width = 16;
const weights = (name: string, dtype: "float32" | "float16") =>
  cast(
    constant(
      seededNormal(name, [width, width]).map((x) => x / 4),
      [width, width],
    ),
    dtype,
  );

/** Three layers. The transposition is done in float16 on the CPU too; most other ops it computes in float32, between casts. */
const layers = (dtype: "float32" | "float16") => (x: Tensor) =>
  ["a", "b", "c"].reduce((x, name) => transpose(silu(linear(x, weights(name, dtype)))), x);

/** f's value, and the gradient of Σ f · seeded numbers · size, at each of the sizes. */
async function run(f: (x: Tensor) => Tensor, sizes: readonly number[]) {
  const x = input("x", [width, width]);
  const size = input("size", [1]);
  const y = f(x);
  expect(y.dtype).toBe("float32");
  const [dx] = gradients(sum(mul(mul(y, constant(seededNormal("dy", y.shape), y.shape)), size)), [x]);
  expect(dx!.dtype).toBe("float32");
  const session = await compile({ y, dx: dx! }, { provider: "cpu", threads: 1 });
  const found = [];
  for (const each of sizes) {
    found.push(await session.run({ x: seededNormal("x", [width, width]), size: Float32Array.of(each) }));
  }
  await session.release();
  return found;
}

test("gradients of any size come through float16, though its numbers go from 6e-8 to 65504 alone", async () => {
  const sizes = [1, 1e-12, 1e12];
  const exact = await run(layers("float32"), sizes);
  const half = await run((x) => computedIn("float16", layers("float16"), x), sizes);
  for (const [i, { y, dx }] of half.entries()) {
    expect(largestDifference(y!, exact[i]!.y!)).toBeLessThan(2e-3);
    expect(largestDifference(y!, exact[i]!.y!)).toBeGreaterThan(1e-6); // and it is not secretly float32
    const largest = largestDifference(exact[i]!.dx!, new Float32Array(dx!.length));
    expect(largestDifference(dx!, exact[i]!.dx!) / largest, String(sizes[i])).toBeLessThan(3e-3);
    expect(cosine(dx!, exact[i]!.dx!)).toBeGreaterThan(0.99999);
  }
});

test("without the scaling a small gradient would be lost", async () => {
  const bare = (x: Tensor) => cast(layers("float16")(cast(x, "float16")), "float32");
  const [small] = await run(bare, [1e-12]);
  expect(small!.dx!.every((each) => each === 0)).toBe(true);
});

test("a gradient of zeros stays one, and one that is no number stays none", async () => {
  const [zero, none] = await run((x) => computedIn("float16", layers("float16"), x), [0, Number.NaN]);
  expect(zero!.dx!.every((each) => each === 0)).toBe(true);
  expect(none!.dx!.every(Number.isNaN)).toBe(true);
});

test("a group norm of more numbers than float16 can count is differentiated through float32 sums", async () => {
  const f = (dtype: "float32" | "float16") => (x: Tensor) =>
    groupNorm(x, 1, cast(constant([1.5, -2], [2]), dtype), cast(constant([0.5, 1], [2]), dtype), 1e-5);
  const x = input("x", [1, 2, 200, 200]);
  const values = seededNormal("pixels", x.shape).map((each) => 30 * each + 20); // their squares' sum is 1e8
  const results = [];
  for (const y of [f("float32")(x), computedIn("float16", f("float16"), x)]) {
    const [dx] = gradients(sum(mul(y, constant(seededNormal("dy", y.shape), y.shape))), [x]);
    const session = await compile({ y, dx: dx! }, { provider: "cpu", threads: 1 });
    results.push(await session.run({ x: values }));
    await session.release();
  }
  const [exact, half] = results;
  expect(largestDifference(half!.y!, exact!.y!)).toBeLessThan(2e-2); // of numbers up to 9
  expect(cosine(half!.dx!, exact!.dx!)).toBeGreaterThan(0.99999);
});

test("auto is float32 on the CPU; a provider that is not there is told of where float16 is asked of it", async () => {
  expect(await chooseDType("auto", { provider: "cpu" })).toBe("float32");
  expect(await chooseDType("float16", { provider: "cpu" })).toBe("float16");
  const other = process.platform === "win32" ? "coreml" : "dml";
  expect(await chooseDType("auto", { provider: other })).toBe("float32");
  await expect(chooseDType("float16", { provider: other })).rejects.toThrow(`onnxruntime has no provider ${other}`);
});
