// BLIP (Li et al. 2022, arXiv 2201.12086) as ImageReward uses it: a ViT that reads the picture, and a BERT that reads
// the prompt and looks at the picture through cross-attention; ImageReward's head on top (Xu et al. 2023, arXiv 2304.05977).
// Keys are those of ImageReward.pt; the widths, depths and sizes are read from the weights.

import { WeightError } from "../errors.ts";
import {
  add,
  attention,
  cast,
  concat,
  constant,
  div,
  embedding,
  expand,
  gather,
  gelu,
  layerNorm,
  linear,
  mul,
  quantizedLinear,
  reshape,
  slice,
  split,
  sub,
  type Tensor,
  transpose,
} from "../graph/index.ts";
import type { Weights } from "../weights/weights.ts";

const vitEpsilon = 1e-6; // BLIP's vit.py, after timm; PyTorch's own default is 1e-5
const bertEpsilon = 1e-12; // med_config.json
const headWidth = 64; // ViT-B, ViT-L and BERT alike; weights cannot tell it
const masked = -10000; // what the reference adds to padding's scores, and not −∞

/** Sizes of a BLIP, read from its weights. */
export interface BlipSizes {
  /** The picture's side in pixels. */
  readonly side: number;
  readonly vocabulary: number;
  /** The longest prompt in tokens that the position embeddings allow. */
  readonly positions: number;
}

export function blipSizes(w: Weights): BlipSizes {
  const visual = w.in("blip").in("visual_encoder");
  const patch = visual.get("patch_embed.proj.weight", [-1, 3, -1, -1]).shape[2]!;
  const tokens = visual.get("pos_embed", [1, -1, -1]).shape[1]!;
  const across = Math.sqrt(tokens - 1);
  if (!Number.isInteger(across)) {
    throw new WeightError(`"${visual.prefix}pos_embed" has ${tokens} places: one and a square number were wanted.`);
  }
  const embeddings = w.in("blip").in("text_encoder").in("embeddings");
  return {
    side: across * patch,
    vocabulary: embeddings.get("word_embeddings.weight", [-1, -1]).shape[0]!,
    positions: embeddings.get("position_embeddings.weight", [-1, -1]).shape[0]!,
  };
}

/**
 * ImageReward's reward before standardisation, [N].
 * Pixels [N, 3, side, side] normalised as CLIP's, of the weights' dtype, as the reward; ids int64 [N, T]; mask float32 [N, T],
 * 1 where a token stands and 0 for padding.
 */
export function imageReward(w: Weights, pixels: Tensor, ids: Tensor, mask?: Tensor): Tensor {
  const image = visionTransformer(w, pixels);
  return rewardHead(w, bertFirstToken(w, ids, image, mask));
}

/** A linear layer, in eight bits where the checkpoint holds it so (quantize.ts). */
const dense = (w: Weights, x: Tensor) => {
  if (w.has("weight_scale")) return quantizedLinear(x, quantized(w), w.get("bias"));
  const inputs = x.shape.at(-1)!;
  const weight = w.get("weight", [-1, inputs]);
  return linear(x, weight, w.get("bias", [weight.shape[0]!]));
};

const quantized = (w: Weights) => ({
  weight: w.get("weight"),
  scale: w.get("weight_scale"),
  zeroPoint: w.get("weight_zero_point"),
});

const norm = (w: Weights, x: Tensor, epsilon: number) =>
  layerNorm(x, w.get("weight", [x.shape.at(-1)!]), w.get("bias", [x.shape.at(-1)!]), epsilon);

const headsOf = (width: number) => Math.max(1, Math.round(width / headWidth));

/** The picture's tokens [N, 1 + patches, width], class token first, after the final norm (Dosovitskiy et al. 2021). */
export function visionTransformer(weights: Weights, pixels: Tensor): Tensor {
  const w = weights.in("blip").in("visual_encoder");
  const patches = patchEmbedding(w.in("patch_embed").in("proj"), pixels);
  const [batch, count, width] = patches.shape as [number, number, number];
  const classToken = expand(w.get("cls_token", [1, 1, width]), [batch, 1, width]);
  let x = add(concat([classToken, patches], 1), w.get("pos_embed", [1, count + 1, width]));
  const blocks = w.in("blocks");
  for (let i = 0; i < blocks.count(); i++) x = visionBlock(blocks.in(i), x);
  return norm(w.in("norm"), x, vitEpsilon);
}

/** A convolution whose stride is its kernel, as the matrix product it is. */
function patchEmbedding(w: Weights, pixels: Tensor): Tensor {
  const [batch, channels, side] = pixels.shape as [number, number, number];
  const kernel = w.get("weight", [-1, channels, -1, -1]);
  const [width, , patch] = kernel.shape as [number, number, number];
  const across = side / patch;
  const tiles = transpose(reshape(pixels, [batch, channels, across, patch, across, patch]), [0, 2, 4, 1, 3, 5]);
  const rows = reshape(tiles, [batch, across * across, channels * patch * patch]);
  return linear(rows, reshape(kernel, [width, -1]), w.get("bias", [width]));
}

/** One pre-norm block: z′ = MSA(LN(z)) + z, z = MLP(LN(z′)) + z′ (equations 2 and 3). */
function visionBlock(w: Weights, x: Tensor): Tensor {
  x = add(x, selfAttention(w.in("attn"), norm(w.in("norm1"), x, vitEpsilon)));
  return add(x, mlp(w.in("mlp"), norm(w.in("norm2"), x, vitEpsilon)));
}

function selfAttention(w: Weights, x: Tensor): Tensor {
  const [q, k, v] = split(dense(w.in("qkv"), x), 3) as [Tensor, Tensor, Tensor];
  return dense(w.in("proj"), attention(q, k, v, headsOf(x.shape.at(-1)!)));
}

const mlp = (w: Weights, x: Tensor) => dense(w.in("fc2"), gelu(dense(w.in("fc1"), x)));

/**
 * BERT's state at [CLS] [N, width], after looking at the picture's tokens in every layer.
 * The last layer is computed for [CLS] alone, since nothing else of it is read.
 */
export function bertFirstToken(weights: Weights, ids: Tensor, image: Tensor, mask?: Tensor): Tensor {
  const w = weights.in("blip").in("text_encoder");
  const [batch, tokens] = ids.shape as [number, number];
  const padding = mask && reshape(mul(sub(1, cast(mask, image.dtype)), masked), [batch, 1, 1, tokens]);
  const layers = w.in("encoder").in("layer");
  const depth = layers.count();
  let x = bertEmbeddings(w.in("embeddings"), ids);
  for (let i = 0; i < depth; i++) {
    const asking = i === depth - 1 ? slice(x, 1, 0, 1) : x;
    x = bertLayer(layers.in(i), asking, x, image, padding);
  }
  return reshape(slice(x, 1, 0, 1), [batch, -1]);
}

/** Word and position embeddings, normalised; BLIP's BERT has no token types. */
function bertEmbeddings(w: Weights, ids: Tensor): Tensor {
  const words = embedding(w.get("word_embeddings.weight", [-1, -1]), ids);
  const [, tokens, width] = words.shape as [number, number, number];
  const positions = gather(
    w.get("position_embeddings.weight", [-1, width]),
    constant(
      Array.from({ length: tokens }, (_, i) => i),
      [tokens],
      "int64",
    ),
  );
  return norm(w.in("LayerNorm"), add(words, positions), bertEpsilon);
}

/** Self-attention, cross-attention, feed-forward, each with the norm after the sum (Devlin et al. 2019; med.py). */
function bertLayer(w: Weights, asking: Tensor, text: Tensor, image: Tensor, padding?: Tensor): Tensor {
  const attended = bertAttention(w.in("attention"), asking, text, padding);
  const looked = bertAttention(w.in("crossattention"), attended, image);
  const inner = gelu(dense(w.in("intermediate").in("dense"), looked));
  return afterSum(w.in("output"), inner, looked);
}

function bertAttention(w: Weights, asking: Tensor, asked: Tensor, padding?: Tensor): Tensor {
  const self = w.in("self");
  const q = dense(self.in("query"), asking);
  const mixed = attention(
    q,
    dense(self.in("key"), asked),
    dense(self.in("value"), asked),
    headsOf(q.shape.at(-1)!),
    padding,
  );
  return afterSum(w.in("output"), mixed, asking);
}

const afterSum = (w: Weights, x: Tensor, residual: Tensor) =>
  norm(w.in("LayerNorm"), add(dense(w.in("dense"), x), residual), bertEpsilon);

/** ImageReward's MLP: linear layers with nothing between them but dropout, which is off; [N, width] -> [N]. */
export function rewardHead(weights: Weights, x: Tensor): Tensor {
  const w = weights.in("mlp").in("layers");
  const y = [0, 2, 4, 6, 7].reduce((state, index) => dense(w.in(index), state), x);
  return reshape(y, [y.shape[0]!]);
}

// The mean and deviation of the raw reward over ImageReward's training data (ImageReward.py, __init__).
export const rewardMean = 0.16717362830052426;
export const rewardDeviation = 1.0333394966054072;

/** The raw reward as people know it: about 0 for the average of what models draw, spread about 1. */
export const standardise = (raw: Tensor): Tensor => div(sub(raw, rewardMean), rewardDeviation);
