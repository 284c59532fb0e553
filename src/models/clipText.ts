// The text half of CLIP (Radford et al. 2021, arXiv 2103.00020), as Stable Diffusion reads prompts with it: OpenAI's ViT-L
// in SD1, OpenCLIP's ViT-H in SD2. Keys are those of transformers' CLIPTextModel; widths and depth are read from the weights.

import { WeightError } from "../errors.ts";
import {
  add,
  attention,
  type ComputeDType,
  constant,
  embedding,
  gelu,
  quickGelu,
  slice,
  type Tensor,
} from "../graph/index.ts";
import type { Weights } from "../weights/weights.ts";
import { dense, layerNorm } from "./layers.ts";

export interface ClipTextOptions {
  /** What the weights cannot tell: 64 channels a head in every published CLIP. */
  readonly heads: number;
  /** OpenAI's own weights have quick_gelu, OpenCLIP's gelu. */
  readonly activation: "quick_gelu" | "gelu";
  /** How many of the last layers are not run; diffusers' clip_skip, and the WebUIs' less one. Default 0. */
  readonly skipLayers?: number;
  /** Whether the last norm is applied to what comes out, however many layers were skipped. Default true. */
  readonly finalNorm?: boolean;
  /** Of the layer norms. Default 1e-5, as in every published CLIP. */
  readonly epsilon?: number;
}

const masked = -10000; // e^-10000 is 0 as -∞ would give, and float16 has it; but WGSL promises nothing for infinities

/** The states of the tokens [N, T, width]; ids int64 [N, T]. Each token sees those before it and itself. */
export function clipText(weights: Weights, ids: Tensor, options: ClipTextOptions): Tensor {
  const { skipLayers = 0, finalNorm = true, epsilon = 1e-5 } = options;
  const w = weights.in("text_model");
  const layers = w.in("encoder").in("layers");
  const depth = layers.count();
  if (skipLayers >= depth) {
    throw new WeightError(`The text encoder has ${depth} layers, so ${skipLayers} of them cannot be skipped.`);
  }
  const mask = causalMask(ids.shape[1]!, weights.dtype);
  let x = embeddings(w.in("embeddings"), ids);
  for (let i = 0; i < depth - skipLayers; i++) x = encoderLayer(layers.in(i), x, mask, { ...options, epsilon });
  return finalNorm ? layerNorm(w.in("final_layer_norm"), x, epsilon) : x;
}

/** 0 where a token may look, [1, 1, T, T]. */
function causalMask(tokens: number, dtype: ComputeDType): Tensor {
  const hidden = Float32Array.from({ length: tokens * tokens }, (_, i) =>
    i % tokens > Math.floor(i / tokens) ? masked : 0,
  );
  return constant(hidden, [1, 1, tokens, tokens], dtype);
}

function embeddings(w: Weights, ids: Tensor): Tensor {
  const words = embedding(w.get("token_embedding.weight", [-1, -1]), ids);
  const [, tokens, width] = words.shape as [number, number, number];
  const positions = w.get("position_embedding.weight", [-1, width]);
  return add(words, slice(positions, 0, 0, tokens));
}

/** One pre-norm block, as in the vision transformer. */
function encoderLayer(w: Weights, x: Tensor, mask: Tensor, options: ClipTextOptions & { epsilon: number }): Tensor {
  const { heads, activation, epsilon } = options;
  x = add(x, selfAttention(w.in("self_attn"), layerNorm(w.in("layer_norm1"), x, epsilon), heads, mask));
  return add(x, mlp(w.in("mlp"), layerNorm(w.in("layer_norm2"), x, epsilon), activation));
}

function selfAttention(w: Weights, x: Tensor, heads: number, mask: Tensor): Tensor {
  const [q, k, v] = ["q_proj", "k_proj", "v_proj"].map((name) => dense(w.in(name), x)) as [Tensor, Tensor, Tensor];
  return dense(w.in("out_proj"), attention(q, k, v, heads, mask));
}

const activations = { quick_gelu: quickGelu, gelu };

const mlp = (w: Weights, x: Tensor, activation: keyof typeof activations) =>
  dense(w.in("fc2"), activations[activation](dense(w.in("fc1"), x)));
