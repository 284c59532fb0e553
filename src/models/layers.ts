// What the diffusion models share: layers that read their weights, and the residual block of convolutions.

import {
  add,
  conv2d,
  groupNorm as groupNormOp,
  layerNorm as layerNormOp,
  linear,
  reshape,
  silu,
  slice,
  type Tensor,
  transpose,
  upsampledConv2d,
  upsampleNearest,
} from "../graph/index.ts";
import type { Weights } from "../weights/weights.ts";

/**
 * How a block is applied: f(...x). Every block of the diffusion models goes through one of these,
 * so that a memory plan can have it computed again for the gradient instead of kept.
 */
export type Layer = (f: (...x: Tensor[]) => Tensor, ...x: Tensor[]) => Tensor;

/** Computed once, and kept. */
export const keep: Layer = (f, ...x) => f(...x);

/** How a model's group norms are set. */
export interface GroupNormOptions {
  readonly groups: number;
  readonly epsilon: number;
}

/** A linear layer over the last axis; without bias where the checkpoint has none. */
export function dense(w: Weights, x: Tensor): Tensor {
  const weight = w.get("weight", [-1, x.shape.at(-1)!]);
  return linear(x, weight, w.has("bias") ? w.get("bias", [weight.shape[0]!]) : undefined);
}

/** A convolution that keeps the size (or divides it by the stride): the zeros around follow from the kernel. */
export function conv(
  w: Weights,
  x: Tensor,
  { stride = 1, padding }: { stride?: number; padding?: number } = {},
): Tensor {
  const weight = w.get("weight", [-1, x.shape[1]!, -1, -1]);
  const around = padding ?? (weight.shape[2]! - 1) / 2;
  return conv2d(x, weight, w.get("bias", [weight.shape[0]!]), { stride, padding: around });
}

export const layerNorm = (w: Weights, x: Tensor, epsilon: number): Tensor =>
  layerNormOp(x, w.get("weight", [x.shape.at(-1)!]), w.get("bias", [x.shape.at(-1)!]), epsilon);

export const groupNorm = (w: Weights, x: Tensor, { groups, epsilon }: GroupNormOptions): Tensor =>
  groupNormOp(x, groups, w.get("weight", [x.shape[1]!]), w.get("bias", [x.shape[1]!]), epsilon);

/**
 * diffusers' ResnetBlock2D: x + conv(silu(norm(conv(silu(norm(x))) + time))), x through a 1x1 convolution where the width changes.
 * `time` [1 or N, width], already through its silu.
 */
export function resnetBlock(w: Weights, x: Tensor, norm: GroupNormOptions, time?: Tensor): Tensor {
  let h = conv(w.in("conv1"), silu(groupNorm(w.in("norm1"), x, norm)));
  if (time) h = add(h, perChannel(dense(w.in("time_emb_proj"), time)));
  h = conv(w.in("conv2"), silu(groupNorm(w.in("norm2"), h, norm)));
  return add(h.shape[1] === x.shape[1] ? x : conv(w.in("conv_shortcut"), x), h);
}

const perChannel = (x: Tensor) => reshape(x, [...x.shape, 1, 1]);

/** Each pixel doubled both ways, cut to `size` where an odd size was halved on the way down, then a convolution. */
export function upsample(w: Weights, x: Tensor, size?: readonly number[]): Tensor {
  const [height, width] = x.shape.slice(2) as [number, number];
  const [rows, columns] = size ?? [2 * height, 2 * width];
  const kernel = w.in("conv");
  if (rows === 2 * height && columns === 2 * width) {
    const weight = kernel.get("weight", [-1, x.shape[1]!, 3, 3]);
    return upsampledConv2d(x, weight, kernel.get("bias", [weight.shape[0]!]));
  }
  // diffusers interpolates to the size itself; for 2n - 1 that takes the very pixels that the cut leaves.
  return conv(kernel, slice(slice(upsampleNearest(x, 2), 2, 0, rows!), 3, 0, columns!));
}

/** [N, C, H, W] as tokens [N, H W, C], for attention. */
export function toTokens(x: Tensor): Tensor {
  const [batch, channels] = x.shape as [number, number];
  return transpose(reshape(x, [batch, channels, -1]));
}

/** Tokens [N, H W, C] back in the places they have in `like` [N, ?, H, W]. */
export function toMap(x: Tensor, like: Tensor): Tensor {
  const [batch, , height, width] = like.shape as [number, number, number, number];
  return reshape(transpose(x), [batch, x.shape[2]!, height, width]);
}
