// Residual blocks of convolutions, as a decoder has them, with what they are fed: a small graph that needs memory.

import {
  add,
  conv2d,
  type Feeds,
  gradients,
  groupNorm,
  input,
  mul,
  silu,
  sum,
  type Tensor,
} from "../../src/graph/index.ts";

type Apply = (f: (...x: Tensor[]) => Tensor, ...x: Tensor[]) => Tensor;
export const kept: Apply = (f, ...x) => f(...x);

export const random = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin((i + 1) * 12.9898 * (seed + 1)));

/** A graph of so many blocks, each applied by `apply`, with its gradients to its input and to what the blocks use beside it. */
export function blocks(apply: Apply, { count, channels, side }: { count: number; channels: number; side: number }) {
  const noise = input("noise", [1, channels, side, side]);
  const emb = input("emb", [1, channels, 1, 1]);
  const weights = Array.from({ length: count }, (_, i) => input(`w${i}`, [channels, channels, 3, 3]));
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
