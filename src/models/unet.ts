// The conditional U-Net of latent diffusion (Rombach et al. 2022, arXiv 2112.10752), as diffusers' UNet2DConditionModel builds
// it for SD1 and SD2 (unet_2d_condition.py). Keys are diffusers'; widths are read from the weights, the rest from config.json.

import {
  add,
  attention,
  cast,
  concat,
  constant,
  cos,
  gelu,
  mul,
  reshape,
  silu,
  sin,
  split,
  type Tensor,
} from "../graph/index.ts";
import type { Weights } from "../weights/weights.ts";
import type { UnetConfig } from "./config.ts";
import {
  conv,
  dense,
  groupNorm,
  keep,
  type Layer,
  layerNorm,
  resnetBlock,
  toMap,
  toTokens,
  upsample,
} from "./layers.ts";

export type { UnetConfig } from "./config.ts";

const transformerGroupNormEpsilon = 1e-6; // transformer_2d.py; the residual blocks' is norm_eps of the config
const layerNormEpsilon = 1e-5; // attention.py: PyTorch's default

/** What the blocks have in common: how they are applied, and what they look at. */
interface Surroundings {
  readonly config: UnetConfig;
  readonly layer: Layer;
  /** The time embedding [1, width], already through the silu with which each residual block begins. */
  readonly time: Tensor;
  /** The prompt's tokens [N, T, width]. */
  readonly text: Tensor;
}

/** How one level is made. */
interface Level {
  readonly crossAttention: boolean;
  /** Residual blocks on the way down; one more on the way up. */
  readonly layers: number;
  readonly heads: number;
  /** Transformer blocks after each residual block. */
  readonly depth: number;
}

/**
 * The model's output (noise, or velocity) for sample [N, C, h, w] at a timestep, float32 [1], given the text [N, T, width].
 * Sample and text are of the weights' dtype, and so is the output.
 */
export function unet(
  w: Weights,
  sample: Tensor,
  timestep: Tensor,
  text: Tensor,
  config: UnetConfig,
  layer: Layer = keep,
): Tensor {
  const around = { config, layer, text, time: silu(timeEmbedding(w, timestep, config)) };
  const levels = config.block_out_channels.map((_, i) => levelOf(config, i));
  const last = levels.length - 1;

  // 1. Down: every state on the way is kept for the way up.
  const states = [conv(w.in("conv_in"), sample)];
  for (const [i, level] of levels.entries()) {
    downBlock(w.in("down_blocks").in(i), states, level, i < last, around);
  }
  // 2. The middle.
  let x = midBlock(w.in("mid_block"), states.at(-1)!, levels[last]!, around);
  // 3. Up, by the same levels in opposite order; each residual block takes one state of the way down.
  for (const [i, level] of levels.toReversed().entries()) {
    x = upBlock(w.in("up_blocks").in(i), x, states, level, around);
  }
  // 4. Out.
  const norm = { groups: config.norm_num_groups, epsilon: config.norm_eps };
  return layer((x) => conv(w.in("conv_out"), silu(groupNorm(w.in("conv_norm_out"), x, norm))), x);
}

function levelOf(config: UnetConfig, i: number): Level {
  return {
    crossAttention: config.down_block_types[i] === "CrossAttnDownBlock2D",
    layers: perLevel(config.layers_per_block, i),
    heads: perLevel(config.attention_head_dim, i), // a count of heads under a historic name
    depth: perLevel(config.transformer_layers_per_block, i),
  };
}

const perLevel = (value: number | readonly number[], i: number) => (typeof value === "number" ? value : value[i]!);

/** Sines and cosines of the timestep (Vaswani et al. 2017), which float16 could not count, through an MLP, [1, width]. */
function timeEmbedding(w: Weights, timestep: Tensor, config: UnetConfig): Tensor {
  const waves = cast(sinusoids(timestep, config.block_out_channels[0]!, config), w.dtype);
  const mlp = w.in("time_embedding");
  return dense(mlp.in("linear_2"), silu(dense(mlp.in("linear_1"), waves)));
}

export function sinusoids(
  timestep: Tensor,
  width: number,
  { flip_sin_to_cos, freq_shift }: Pick<UnetConfig, "flip_sin_to_cos" | "freq_shift">,
): Tensor {
  const half = width / 2;
  // In the float32 steps of diffusers' get_timestep_embedding: a frequency's last bit counts a thousandfold at timestep 999.
  const { fround } = Math;
  const frequencies = Float32Array.from({ length: half }, (_, i) =>
    Math.exp(fround(fround(fround(-Math.log(10000)) * i) / fround(half - freq_shift))),
  );
  const angles = mul(reshape(timestep, [-1, 1]), constant(frequencies, [1, half]));
  return concat(flip_sin_to_cos ? [cos(angles), sin(angles)] : [sin(angles), cos(angles)], 1);
}

/** Adds the level's states to `states`; the last of them is where the next level begins. */
function downBlock(w: Weights, states: Tensor[], level: Level, downsamples: boolean, around: Surroundings): void {
  for (let j = 0; j < level.layers; j++) {
    const x = residual(w.in("resnets").in(j), [states.at(-1)!], around);
    states.push(level.crossAttention ? transformer(w.in("attentions").in(j), x, level, around) : x);
  }
  if (!downsamples) return;
  const halve = (x: Tensor) => conv(w.in("downsamplers").in(0).in("conv"), x, { stride: 2 });
  states.push(around.layer(halve, states.at(-1)!));
}

function midBlock(w: Weights, x: Tensor, level: Level, around: Surroundings): Tensor {
  x = residual(w.in("resnets").in(0), [x], around);
  x = transformer(w.in("attentions").in(0), x, level, around);
  return residual(w.in("resnets").in(1), [x], around);
}

function upBlock(w: Weights, x: Tensor, states: Tensor[], level: Level, around: Surroundings): Tensor {
  for (let j = 0; j <= level.layers; j++) {
    x = residual(w.in("resnets").in(j), [x, states.pop()!], around);
    if (level.crossAttention) x = transformer(w.in("attentions").in(j), x, level, around);
  }
  const next = states.at(-1);
  if (!next) return x;
  return around.layer((x) => upsample(w.in("upsamplers").in(0), x, next.shape.slice(2)), x);
}

/** A residual block of the parts' channels together. */
function residual(w: Weights, parts: readonly Tensor[], { config, layer, time }: Surroundings): Tensor {
  const norm = { groups: config.norm_num_groups, epsilon: config.norm_eps };
  return layer((time, ...parts) => resnetBlock(w, concat(parts, 1), norm, time), time, ...parts);
}

/** diffusers' Transformer2DModel: the pixels as tokens through the level's transformer blocks, added to x. */
function transformer(w: Weights, x: Tensor, level: Level, { config, layer, text }: Surroundings): Tensor {
  const norm = { groups: config.norm_num_groups, epsilon: transformerGroupNormEpsilon };
  const apply = (x: Tensor, text: Tensor) => {
    let tokens = projectIn(w.in("proj_in"), groupNorm(w.in("norm"), x, norm));
    for (let k = 0; k < level.depth; k++) {
      tokens = transformerBlock(w.in("transformer_blocks").in(k), tokens, text, level.heads);
    }
    return add(projectOut(w.in("proj_out"), tokens, x), x);
  };
  return layer(apply, x, text);
}

/** SD1's projections are 1x1 convolutions, SD2's and SDXL's linear layers: the weight's shape says which. */
const isConvolution = (w: Weights) => w.get("weight").shape.length === 4;

const projectIn = (w: Weights, x: Tensor) => (isConvolution(w) ? toTokens(conv(w, x)) : dense(w, toTokens(x)));

const projectOut = (w: Weights, tokens: Tensor, like: Tensor) =>
  isConvolution(w) ? conv(w, toMap(tokens, like)) : toMap(dense(w, tokens), like);

/** BasicTransformerBlock: attention among the pixels, from the pixels to the text, and a gated MLP, each after a norm. */
function transformerBlock(w: Weights, x: Tensor, text: Tensor, heads: number): Tensor {
  const own = layerNorm(w.in("norm1"), x, layerNormEpsilon);
  x = add(x, attend(w.in("attn1"), own, own, heads));
  x = add(x, attend(w.in("attn2"), layerNorm(w.in("norm2"), x, layerNormEpsilon), text, heads));
  return add(x, feedForward(w.in("ff").in("net"), layerNorm(w.in("norm3"), x, layerNormEpsilon)));
}

function attend(w: Weights, x: Tensor, context: Tensor, heads: number): Tensor {
  const [q, k, v] = [dense(w.in("to_q"), x), dense(w.in("to_k"), context), dense(w.in("to_v"), context)];
  return dense(w.in("to_out").in(0), attention(q, k, v, heads));
}

/** GEGLU (Shazeer 2020): half of the channels, times the GELU of the other half. */
function feedForward(w: Weights, x: Tensor): Tensor {
  const [value, gate] = split(dense(w.in(0).in("proj"), x), 2) as [Tensor, Tensor];
  return dense(w.in(2), mul(value, gelu(gate)));
}
