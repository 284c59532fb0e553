import { expect, test } from "vitest";
import {
  add,
  compile,
  conv2d,
  type Feeds,
  gradients,
  groupNorm,
  input,
  mul,
  recomputed,
  silu,
  sum,
  type Tensor,
} from "../../src/graph/index.ts";
import { cosine, largestDifference } from "../support/compare.ts";
import { peakOf } from "./peak.ts";

type Apply = (f: (...x: Tensor[]) => Tensor, ...x: Tensor[]) => Tensor;
const kept: Apply = (f, ...x) => f(...x);

const random = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin((i + 1) * 12.9898 * (seed + 1)));

/** Residual blocks as a decoder has them: what is in each is forgotten where `apply` recomputes. */
function net(apply: Apply, { blocks, channels, side }: { blocks: number; channels: number; side: number }) {
  const noise = input("noise", [1, channels, side, side]);
  const emb = input("emb", [1, channels, 1, 1]);
  const weights = Array.from({ length: blocks }, (_, i) => input(`w${i}`, [channels, channels, 3, 3]));
  const scale = input("scale", [channels]);
  let x = noise;
  const later = silu(emb); // used by every block beside its input
  for (const w of weights) {
    x = apply(
      (h) => add(h, conv2d(silu(add(groupNorm(h, 4, scale, scale, 1e-5), later)), w, undefined, { padding: 1 })),
      x,
    );
  }
  const y = sum(mul(x, x));
  const wrt = { noise, emb, scale, last: weights.at(-1)! };
  const slopes = gradients(y, Object.values(wrt));
  const outputs: Record<string, Tensor> = {
    y,
    ...Object.fromEntries(Object.keys(wrt).map((name, i) => [`d ${name}`, slopes[i]!])),
  };
  const feeds: Feeds = {
    noise: random(channels * side ** 2, 1),
    emb: random(channels, 2),
    scale: random(channels, 3),
    ...Object.fromEntries(weights.map((_, i) => [`w${i}`, random(channels ** 2 * 9, 4 + i).map((v) => v * 0.1)])),
  };
  return { outputs, feeds };
}

test("gradients of recomputed blocks are those of kept ones, to the input and to all that the blocks use beside it", async () => {
  const results = [];
  for (const apply of [kept, recomputed]) {
    const { outputs, feeds } = net(apply, { blocks: 3, channels: 8, side: 17 });
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
  const sizes = { blocks: 8, channels: 32, side: 160 };
  const [plain, saved] = [net(kept, sizes), net(recomputed, sizes)].map(async ({ outputs, feeds }) =>
    peakOf({ y: outputs.y!, dx: outputs["d noise"]! }, feeds),
  );
  const [whole, less] = [await plain!, await saved!];
  expect(less).toBeLessThan(0.7 * whole);
});
