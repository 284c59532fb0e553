// A fresh ImageReward at any widths: the published checkpoint's names, their shapes, and how each begins.

import type { Shape } from "../graph/index.ts";
import type { Random } from "../shapes/random.ts";
import type { Tensors } from "./adamw.ts";

/** Widths are multiples of 64, which is one head. */
export interface RewardSizes {
  side: number;
  patch: number;
  visionWidth: number;
  visionDepth: number;
  textWidth: number;
  textDepth: number;
  vocabulary: number;
  positions: number;
}

export const linear = (outputs: number, inputs: number): Record<string, Shape> => ({
  weight: [outputs, inputs],
  bias: [outputs],
});
export const norm = (width: number): Record<string, Shape> => ({ weight: [width], bias: [width] });

/** Every name of a nested table, joined by dots. */
export function under(prefix: string, ...tables: Record<string, Shape>[]): Record<string, Shape> {
  const entries = tables.flatMap((table) => Object.entries(table));
  return Object.fromEntries(entries.map(([name, shape]) => [`${prefix}.${name}`, shape]));
}

export const rewardShapes = (sizes: RewardSizes): Record<string, Shape> => ({
  ...under("blip", under("visual_encoder", visionShapes(sizes)), under("text_encoder", textShapes(sizes))),
  ...under("mlp.layers", headShapes(sizes.textWidth)),
});

function visionShapes({ side, patch, visionWidth: width, visionDepth }: RewardSizes): Record<string, Shape> {
  return {
    cls_token: [1, 1, width],
    pos_embed: [1, (side / patch) ** 2 + 1, width],
    "patch_embed.proj.weight": [width, 3, patch, patch],
    "patch_embed.proj.bias": [width],
    ...numbered("blocks", visionDepth, {
      ...under("norm1", norm(width)),
      ...under("attn.qkv", linear(3 * width, width)),
      ...under("attn.proj", linear(width, width)),
      ...under("norm2", norm(width)),
      ...under("mlp.fc1", linear(4 * width, width)),
      ...under("mlp.fc2", linear(width, 4 * width)),
    }),
    ...under("norm", norm(width)),
  };
}

function textShapes({ vocabulary, positions, textWidth: width, textDepth, visionWidth }: RewardSizes) {
  return {
    ...under("embeddings", {
      "word_embeddings.weight": [vocabulary, width],
      "position_embeddings.weight": [positions, width],
      ...under("LayerNorm", norm(width)),
    }),
    ...numbered("encoder.layer", textDepth, {
      ...under("attention", attention(width, width)),
      ...under("crossattention", attention(width, visionWidth)),
      ...under("intermediate.dense", linear(4 * width, width)),
      ...under("output", under("dense", linear(width, 4 * width)), under("LayerNorm", norm(width))),
    }),
  };
}

const attention = (width: number, asked: number): Record<string, Shape> => ({
  ...under("self.query", linear(width, width)),
  ...under("self.key", linear(width, asked)),
  ...under("self.value", linear(width, asked)),
  ...under("output", under("dense", linear(width, width)), under("LayerNorm", norm(width))),
});

/** ImageReward's five layers, 768-1024-128-64-16-1, at a small width; the numbers between are its dropouts. */
function headShapes(width: number): Record<string, Shape> {
  const widths = [width, 128, 64, 32, 16, 1];
  return Object.assign({}, ...[0, 2, 4, 6, 7].map((layer, i) => under(`${layer}`, linear(widths[i + 1]!, widths[i]!))));
}

export const numbered = (prefix: string, count: number, table: Record<string, Shape>): Record<string, Shape> =>
  Object.assign({}, ...Array.from({ length: count }, (_, i) => under(`${prefix}.${i}`, table)));

const isNorm = (name: string) => /norm\d?\.weight$/i.test(name);
const isEmbedding = (name: string) => /embeddings\.weight$|cls_token$|pos_embed$/.test(name);
/** What a residual branch of the vision tower ends in: smaller at first, so that deep towers start near the identity (GPT-2). */
const endsBranch = (name: string) => /visual.*(attn\.proj|mlp\.fc2)\.weight$/.test(name);

/** Norms and biases do not decay, nor do embeddings. */
export const decays = (name: string): boolean => name.endsWith("weight") && !isNorm(name) && !isEmbedding(name);

export function freshWeights(shapes: Readonly<Record<string, Shape>>, random: Random): Tensors {
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, freshTensor(name, shape, random)]));
}

function freshTensor(name: string, shape: Shape, random: Random): Float32Array {
  const tensor = new Float32Array(shape.reduce((a, b) => a * b, 1));
  if (isNorm(name)) return tensor.fill(1);
  if (name.endsWith("bias")) return tensor;
  if (name.endsWith("pos_embed")) return placeWaves(tensor, shape[2]!, Math.sqrt(shape[1]! - 1));
  const inputs = shape.slice(1).reduce((a, b) => a * b, 1);
  const deviation = isEmbedding(name) ? 0.02 : (endsBranch(name) ? 0.3 : 0.7) / Math.sqrt(inputs);
  return tensor.map(() => deviation * random.normal());
}

/**
 * Sines and cosines of the row and the column (He et al. 2022, MAE), the class token's left at nothing. Small random numbers, as
 * in larger models, are drowned by the patches' contents here: after 1000 steps nothing had been learned about places.
 */
function placeWaves(tensor: Float32Array, width: number, across: number): Float32Array {
  const waves = width / 4; // sine and cosine, along and down
  for (let patch = 0; patch < across * across; patch++)
    for (let i = 0; i < width; i++) {
      const place = i < width / 2 ? patch % across : Math.floor(patch / across);
      const frequency = 10 ** (-2 * ((i % waves) / waves)); // a patch is a sixth of the shortest wave; the longest is 100 times it
      const phase = i % (2 * waves) < waves ? 0 : Math.PI / 2;
      tensor[(1 + patch) * width + i] = 0.5 * Math.sin(place * frequency + phase);
    }
  return tensor;
}
