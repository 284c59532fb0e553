import { expect, test } from "vitest";
import { compile, gradients, input, mul, recomputed, silu, sum, type Tensor } from "../../src/graph/index.ts";
import { cosine, largestDifference } from "../support/compare.ts";
import { blocks, kept } from "./blocks.ts";
import { peakOf } from "./peak.ts";

test("gradients of recomputed blocks are those of kept ones, to the input and to all that the blocks use beside it", async () => {
  const results = [];
  for (const apply of [kept, recomputed]) {
    const { outputs, feeds } = blocks(apply, { count: 3, channels: 8, side: 17 });
    const session = await compile(outputs, { provider: "cpu", threads: 1 });
    results.push(await session.run(feeds));
    await session.release();
  }
  const [direct, again] = results as [Record<string, Float32Array>, Record<string, Float32Array>];
  expect(again.y![0]! / direct.y![0]!).toBeCloseTo(1, 5);
  for (const [name, values] of Object.entries(direct)) {
    if (name === "y") continue;
    const size = Math.max(...values.map(Math.abs));
    expect(size, name).toBeGreaterThan(0.1);
    expect(largestDifference(again[name]!, values), name).toBeLessThan(1e-5 * size);
    expect(cosine(again[name]!, values), name).toBeGreaterThan(0.999999);
  }
});

test("a recomputed block within a recomputed block has the same gradient", async () => {
  const x = input("x", [2, 3]);
  const inner = (h: Tensor) => recomputed((g) => mul(g, silu(g)), h);
  const build = (f: (h: Tensor) => Tensor) => gradients(sum(f(x)), [x])[0]!;
  const twice = (h: Tensor) => inner(mul(inner(h), h));
  const session = await compile(
    {
      nested: build((h) => recomputed(twice, h)),
      direct: build(twice),
      flat: build((h) => {
        const a = mul(h, silu(h));
        const b = mul(a, h);
        return mul(b, silu(b));
      }),
    },
    { provider: "cpu" },
  );
  const { nested, direct, flat } = await session.run({ x: Float32Array.of(-2, -1, 0.5, 1, 2, 3) });
  await session.release();
  expect(largestDifference(nested!, flat!)).toBeLessThan(1e-5 * 200);
  expect(largestDifference(direct!, flat!)).toBeLessThan(1e-5 * 200);
});

test("recomputed blocks take less memory, in a process of its own", { timeout: 60_000 }, async () => {
  const sizes = { count: 8, channels: 32, side: 160 };
  const [plain, saved] = [blocks(kept, sizes), blocks(recomputed, sizes)].map(async ({ outputs, feeds }) =>
    peakOf({ y: outputs.y!, dx: outputs["d noise"]! }, feeds),
  );
  const [whole, less] = [await plain!, await saved!];
  expect(less).toBeLessThan(0.75 * whole);
});
