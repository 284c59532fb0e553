import { expect, test } from "vitest";
import {
  add,
  compile,
  conv2d,
  elementCount,
  gradients,
  input,
  mul,
  sin,
  sum,
  type Tensor,
  upsampledConv2d,
  upsampleNearest,
} from "../../src/graph/index.ts";
import { largestDifference } from "../support/compare.ts";
import { random } from "./blocks.ts";

const plain = (x: Tensor, w: Tensor, b: Tensor) => conv2d(upsampleNearest(x, 2), w, b, { padding: 1 });

test.each([
  [8, 8],
  [32, 35],
])("a doubled map of %i x %i and its convolution, as of the two one after the other", async (height, width) => {
  const x = input("x", [2, 5, height, width]);
  const w = input("w", [3, 5, 3, 3]);
  const b = input("b", [3]);
  const inputs = { x, w, b };
  const outputs: Record<string, Tensor> = {};
  for (const [name, f] of Object.entries({ plain, fused: upsampledConv2d })) {
    const y = f(x, w, b);
    const loss = sum(mul(y, add(sin(y), 1))); // what flows back is different at each pixel
    outputs[`${name} y`] = y;
    gradients(loss, Object.values(inputs)).forEach((dx, i) => {
      outputs[`${name} d${Object.keys(inputs)[i]}`] = dx;
    });
  }
  const session = await compile(outputs, { provider: "cpu", threads: 1 });
  const feeds = Object.entries(inputs).map(([name, { shape }], i) => [name, random(elementCount(shape), i + 1)]);
  const values = await session.run(Object.fromEntries(feeds));
  await session.release();
  for (const name of ["y", "dx", "dw", "db"]) {
    const [wanted, found] = [values[`plain ${name}`]!, values[`fused ${name}`]!];
    const size = Math.max(...wanted.map(Math.abs));
    expect(size, name).toBeGreaterThan(1);
    expect(largestDifference(found, wanted) / size, name).toBeLessThan(2e-6);
  }
});
