// The autoencoder of latent diffusion (Rombach et al. 2022, arXiv 2112.10752), as diffusers' AutoencoderKL builds it
// (autoencoder_kl.py, vae.py). Keys are diffusers'; widths are read from the weights, the rest from config.json.

import { add, attention, clip, pad2d, silu, split, type Tensor } from "../graph/index.ts";
import type { Weights } from "../weights/weights.ts";
import type { VaeConfig } from "./config.ts";
import {
  conv,
  dense,
  type GroupNormOptions,
  groupNorm,
  keep,
  type Layer,
  resnetBlock,
  toMap,
  toTokens,
  upsample,
} from "./layers.ts";

export type { VaeConfig } from "./config.ts";

const epsilon = 1e-6; // vae.py: of every group norm here

const normOf = (config: VaeConfig): GroupNormOptions => ({ groups: config.norm_num_groups, epsilon });

/** The picture [N, 3, H, W] in -1..1 (not clamped) of latents [N, C, h, w] that have been divided by the scaling factor. */
export function decode(weights: Weights, latents: Tensor, config: VaeConfig, layer: Layer = keep): Tensor {
  const w = weights.in("decoder");
  const norm = normOf(config);
  const levels = config.block_out_channels.length;
  const z = config.use_post_quant_conv ? conv(weights.in("post_quant_conv"), latents) : latents;

  let x = middle(w.in("mid_block"), conv(w.in("conv_in"), z), config, layer);
  for (let i = 0; i < levels; i++) {
    const block = w.in("up_blocks").in(i);
    x = residuals(block, x, config.layers_per_block + 1, norm, layer);
    if (i < levels - 1) x = layer((x) => upsample(block.in("upsamplers").in(0), x), x);
  }
  return layer((x) => head(w, x, norm), x);
}

/** What the encoder tells of a picture: a normal distribution of latents, before the scaling factor. */
export interface Posterior {
  readonly mean: Tensor;
  /** ln σ², kept within -30 and 20 as diffusers' DiagonalGaussianDistribution does. */
  readonly logVariance: Tensor;
}

/** The distribution of latents [N, C, h, w] of a picture [N, 3, H, W] in -1..1. */
export function encode(weights: Weights, image: Tensor, config: VaeConfig, layer: Layer = keep): Posterior {
  const w = weights.in("encoder");
  const norm = normOf(config);
  const levels = config.block_out_channels.length;

  let x = conv(w.in("conv_in"), image);
  for (let i = 0; i < levels; i++) {
    const block = w.in("down_blocks").in(i);
    x = residuals(block, x, config.layers_per_block, norm, layer);
    if (i < levels - 1) x = layer((x) => halve(block.in("downsamplers").in(0).in("conv"), x), x);
  }
  x = middle(w.in("mid_block"), x, config, layer);
  const moments = layer((x) => head(w, x, norm), x);
  const quantised = config.use_quant_conv ? conv(weights.in("quant_conv"), moments) : moments;
  const [mean, logVariance] = split(quantised, 2, 1) as [Tensor, Tensor];
  return { mean, logVariance: clip(logVariance, -30, 20) };
}

function residuals(w: Weights, x: Tensor, count: number, norm: GroupNormOptions, layer: Layer): Tensor {
  const blocks = Array.from({ length: count }, (_, j) => w.in("resnets").in(j));
  return blocks.reduce((x, block) => layer((x) => resnetBlock(block, x, norm), x), x);
}

function middle(w: Weights, x: Tensor, config: VaeConfig, layer: Layer): Tensor {
  const norm = normOf(config);
  x = layer((x) => resnetBlock(w.in("resnets").in(0), x, norm), x);
  if (config.mid_block_add_attention) x = layer((x) => pixelAttention(w.in("attentions").in(0), x, norm), x);
  return layer((x) => resnetBlock(w.in("resnets").in(1), x, norm), x);
}

/** Attention of one head among the pixels, added to x. */
function pixelAttention(w: Weights, x: Tensor, norm: GroupNormOptions): Tensor {
  const tokens = toTokens(groupNorm(w.in("group_norm"), x, norm));
  const [q, k, v] = ["to_q", "to_k", "to_v"].map((name) => dense(w.in(name), tokens)) as [Tensor, Tensor, Tensor];
  return add(toMap(dense(w.in("to_out").in(0), attention(q, k, v, 1)), x), x);
}

/** Half the size; the zeros stand at the right and below only (diffusers' Downsample2D with padding 0). */
const halve = (w: Weights, x: Tensor) => conv(w, pad2d(x, 0, 1, 0, 1), { stride: 2, padding: 0 });

const head = (w: Weights, x: Tensor, norm: GroupNormOptions) =>
  conv(w.in("conv_out"), silu(groupNorm(w.in("conv_norm_out"), x, norm)));
