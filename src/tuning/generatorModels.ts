// The built-in generator's parts: a CLIP text encoder, a U-Net and an autoencoder in diffusers' layout, at small widths.

import type { Shape } from "../graph/index.ts";
import type { VaeConfig } from "../models/autoencoderKl.ts";
import type { UnetConfig } from "../models/unet.ts";
import { type ClipTokenizer, type ClipVocabulary, clipTokenizer, vocabularyOf } from "../reno/clipTokenizer.ts";
import type { Random } from "../shapes/random.ts";
import { side } from "../shapes/scene.ts";
import { words } from "../shapes/vocabulary.ts";
import type { Tensors } from "./adamw.ts";
import { linear, norm, numbered, under } from "./rewardWeights.ts";

export interface GeneratorSizes {
  /** The text encoder's width and depth. */
  textWidth: number;
  textDepth: number;
  /** Channels of the U-Net's levels, each at half the size of the one before. */
  unet: readonly number[];
  /** Channels of the autoencoder's levels. */
  vae: readonly number[];
}

export const latentChannels = 4;
export const latentSide = 16;
const heads = 4;
const groups = 8;

// ── Words ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** Merges by which each word of the world becomes one token: what a word still needs after the merges of those before it. */
export function wordMerges(list: readonly string[]): string[] {
  const merges: string[] = [];
  for (const word of list) {
    for (;;) {
      const tokens = piecesOf(word, merges);
      if (tokens.length === 1) break;
      merges.push(`${tokens[0]} ${tokens[1]}`);
    }
  }
  return merges;
}

function piecesOf(word: string, merges: readonly string[]): string[] {
  const vocabulary = vocabularyOf(merges);
  const names = [...vocabulary.ids.keys()];
  return clipTokenizer(vocabulary)
    .encode(word)
    .map((id) => names[id]!);
}

export const merges: readonly string[] = wordMerges(words);
export const vocabulary: ClipVocabulary = vocabularyOf(merges);
export const tokenizer: ClipTokenizer = clipTokenizer(vocabulary);

// ── Configurations, as diffusers and transformers write them ────────────────────────────────────────────────────

export const textConfig = ({ textWidth, textDepth }: GeneratorSizes) => ({
  architectures: ["CLIPTextModel"],
  model_type: "clip_text_model",
  hidden_size: textWidth,
  intermediate_size: 4 * textWidth,
  num_attention_heads: heads,
  num_hidden_layers: textDepth,
  hidden_act: "quick_gelu",
  layer_norm_eps: 1e-5,
  max_position_embeddings: tokenizer.length,
  vocab_size: tokenizer.size,
  projection_dim: textWidth,
  bos_token_id: tokenizer.begin,
  eos_token_id: tokenizer.end,
  pad_token_id: tokenizer.pad,
});

/** Attention everywhere but at the largest level, where it would cost most. */
export const unetConfig = ({ unet, textWidth }: GeneratorSizes) =>
  ({
    _class_name: "UNet2DConditionModel",
    sample_size: latentSide,
    in_channels: latentChannels,
    out_channels: latentChannels,
    block_out_channels: [...unet],
    down_block_types: unet.map((_, i) => (i === 0 ? "DownBlock2D" : "CrossAttnDownBlock2D")),
    up_block_types: unet.map((_, i) => (i === unet.length - 1 ? "UpBlock2D" : "CrossAttnUpBlock2D")),
    mid_block_type: "UNetMidBlock2DCrossAttn",
    layers_per_block: 1,
    attention_head_dim: heads, // the number of heads: a misnomer that diffusers keeps for old files
    cross_attention_dim: textWidth,
    use_linear_projection: true,
    norm_num_groups: groups,
    norm_eps: 1e-5,
    act_fn: "silu",
    center_input_sample: false,
    flip_sin_to_cos: true,
    freq_shift: 0,
    downsample_padding: 1,
    mid_block_scale_factor: 1,
  }) satisfies Partial<UnetConfig> & Record<string, unknown>;

export const vaeConfig = ({ vae }: GeneratorSizes) =>
  ({
    _class_name: "AutoencoderKL",
    sample_size: side,
    in_channels: 3,
    out_channels: 3,
    latent_channels: latentChannels,
    block_out_channels: [...vae],
    down_block_types: vae.map(() => "DownEncoderBlock2D"),
    up_block_types: vae.map(() => "UpDecoderBlock2D"),
    layers_per_block: 1,
    norm_num_groups: groups,
    act_fn: "silu",
    scaling_factor: 1, // latents lie within -1 .. 1 as they are
  }) satisfies Partial<VaeConfig> & Record<string, unknown>;

/** Stable Diffusion's noise levels, one trailing step from the highest, as SD-Turbo is sampled; but the network tells the velocity. */
export const schedulerConfig = {
  _class_name: "EulerDiscreteScheduler",
  num_train_timesteps: 1000,
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
  prediction_type: "v_prediction",
  timestep_spacing: "trailing",
  interpolation_type: "linear",
  use_karras_sigmas: false,
  steps_offset: 1,
};

// ── Names and shapes ────────────────────────────────────────────────────────────────────────────────────────────

type Shapes = Record<string, Shape>;

const conv = (outputs: number, inputs: number, kernel = 3): Shapes => ({
  weight: [outputs, inputs, kernel, kernel],
  bias: [outputs],
});
const unbiased = (outputs: number, inputs: number): Shapes => ({ weight: [outputs, inputs] });

export function textShapes({ textWidth: width, textDepth }: GeneratorSizes): Shapes {
  return under("text_model", {
    "embeddings.token_embedding.weight": [tokenizer.size, width],
    "embeddings.position_embedding.weight": [tokenizer.length, width],
    ...numbered("encoder.layers", textDepth, {
      ...under("layer_norm1", norm(width)),
      ...Object.assign({}, ...["q", "k", "v", "out"].map((x) => under(`self_attn.${x}_proj`, linear(width, width)))),
      ...under("layer_norm2", norm(width)),
      ...under("mlp.fc1", linear(4 * width, width)),
      ...under("mlp.fc2", linear(width, 4 * width)),
    }),
    ...under("final_layer_norm", norm(width)),
  });
}

/** Two convolutions beside a shortcut, which needs weights where the width changes; `time` is the width of the time's embedding. */
const residual = (inputs: number, outputs: number, time?: number): Shapes => ({
  ...under("norm1", norm(inputs)),
  ...under("conv1", conv(outputs, inputs)),
  ...(time ? under("time_emb_proj", linear(outputs, time)) : {}),
  ...under("norm2", norm(outputs)),
  ...under("conv2", conv(outputs, outputs)),
  ...(inputs === outputs ? {} : under("conv_shortcut", conv(outputs, inputs, 1))),
});

function transformer(width: number, textWidth: number): Shapes {
  const attention = (asked: number): Shapes => ({
    ...under("to_q", unbiased(width, width)),
    ...under("to_k", unbiased(width, asked)),
    ...under("to_v", unbiased(width, asked)),
    ...under("to_out.0", linear(width, width)),
  });
  return {
    ...under("norm", norm(width)),
    ...under("proj_in", linear(width, width)),
    ...under("transformer_blocks.0", {
      ...under("norm1", norm(width)),
      ...under("attn1", attention(width)),
      ...under("norm2", norm(width)),
      ...under("attn2", attention(textWidth)),
      ...under("norm3", norm(width)),
      ...under("ff.net.0.proj", linear(8 * width, width)),
      ...under("ff.net.2", linear(width, 4 * width)),
    }),
    ...under("proj_out", linear(width, width)),
  };
}

export function unetShapes({ unet, textWidth }: GeneratorSizes): Shapes {
  const first = unet[0]!;
  const last = unet.at(-1)!;
  const time = 4 * first;
  const attends = (level: number) => level > 0;
  const attentionAt = (level: number, name: string) =>
    attends(level) ? under(name, transformer(unet[level]!, textWidth)) : {};
  const down = unet.map((width, level) => ({
    ...under("resnets.0", residual(unet[level - 1] ?? first, width, time)),
    ...attentionAt(level, "attentions.0"),
    ...(width === last && level === unet.length - 1 ? {} : under("downsamplers.0.conv", conv(width, width))),
  }));
  // The way up takes back what each step down left: its own level's block, then what came into the level.
  const up = unet.map((_, i) => {
    const level = unet.length - 1 - i;
    const width = unet[level]!;
    const below = unet[level + 1] ?? last;
    return {
      ...under("resnets.0", residual(below + width, width, time)),
      ...under("resnets.1", residual(width + (unet[level - 1] ?? first), width, time)),
      ...attentionAt(level, "attentions.0"),
      ...attentionAt(level, "attentions.1"),
      ...(level === 0 ? {} : under("upsamplers.0.conv", conv(width, width))),
    };
  });
  return {
    ...under("conv_in", conv(first, latentChannels)),
    ...under("time_embedding.linear_1", linear(time, first)),
    ...under("time_embedding.linear_2", linear(time, time)),
    ...listed("down_blocks", down),
    ...under("mid_block", {
      ...under("resnets.0", residual(last, last, time)),
      ...under("attentions.0", transformer(last, textWidth)),
      ...under("resnets.1", residual(last, last, time)),
    }),
    ...listed("up_blocks", up),
    ...under("conv_norm_out", norm(first)),
    ...under("conv_out", conv(latentChannels, first)),
  };
}

export function vaeShapes({ vae }: GeneratorSizes): Shapes {
  const first = vae[0]!;
  const last = vae.at(-1)!;
  const upwards = vae.toReversed();
  const middle = {
    ...under("resnets.0", residual(last, last)),
    ...under("attentions.0", {
      ...under("group_norm", norm(last)),
      ...Object.assign({}, ...["to_q", "to_k", "to_v", "to_out.0"].map((name) => under(name, linear(last, last)))),
    }),
    ...under("resnets.1", residual(last, last)),
  };
  const down = vae.map((width, level) => ({
    ...under("resnets.0", residual(vae[level - 1] ?? first, width)),
    ...(level === vae.length - 1 ? {} : under("downsamplers.0.conv", conv(width, width))),
  }));
  const up = upwards.map((width, i) => ({
    ...under("resnets.0", residual(upwards[i - 1] ?? last, width)),
    ...under("resnets.1", residual(width, width)),
    ...(i === vae.length - 1 ? {} : under("upsamplers.0.conv", conv(width, width))),
  }));
  const ends = (width: number, outputs: number): Shapes => ({
    ...under("conv_norm_out", norm(width)),
    ...under("conv_out", conv(outputs, width)),
  });
  return {
    ...under("encoder", {
      ...under("conv_in", conv(first, 3)),
      ...listed("down_blocks", down),
      ...under("mid_block", middle),
      ...ends(last, 2 * latentChannels),
    }),
    ...under("quant_conv", conv(2 * latentChannels, 2 * latentChannels, 1)),
    ...under("post_quant_conv", conv(latentChannels, latentChannels, 1)),
    ...under("decoder", {
      ...under("conv_in", conv(last, latentChannels)),
      ...under("mid_block", middle),
      ...listed("up_blocks", up),
      ...ends(first, 3),
    }),
  };
}

const listed = (prefix: string, tables: readonly Shapes[]): Shapes =>
  Object.assign({}, ...tables.map((table, i) => under(`${prefix}.${i}`, table)));

/** The folders of the pipeline in which weights lie. */
export const parts = ["text_encoder", "unet", "vae"] as const;
export type Part = (typeof parts)[number];

export const weightFiles: Record<Part, string> = {
  text_encoder: "text_encoder/model.safetensors",
  unet: "unet/diffusion_pytorch_model.safetensors",
  vae: "vae/diffusion_pytorch_model.safetensors",
};

export const partShapes: Record<Part, (sizes: GeneratorSizes) => Shapes> = {
  text_encoder: textShapes,
  unet: unetShapes,
  vae: vaeShapes,
};

/** The tensors of some parts, each behind its part's name. */
export const shapesOf = (sizes: GeneratorSizes, wanted: readonly Part[]): Shapes =>
  Object.assign({}, ...wanted.map((part) => under(part, partShapes[part](sizes))));

// ── How they begin ──────────────────────────────────────────────────────────────────────────────────────────────

const isNorm = (name: string) => /norm\w*\.weight$/.test(name);
const isEmbedding = (name: string) => /embedding\.weight$/.test(name);
/** What a residual branch ends in: small at first, so that the whole begins near the identity. */
const endsBranch = (name: string) => /(conv2|to_out\.0|net\.2|proj_out|out_proj|fc2|conv_out)\.weight$/.test(name);

export const decays = (name: string): boolean => name.endsWith("weight") && !isNorm(name) && !isEmbedding(name);

export function freshWeights(shapes: Readonly<Shapes>, random: Random): Tensors {
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, freshTensor(name, shape, random)]));
}

function freshTensor(name: string, shape: Shape, random: Random): Float32Array {
  const tensor = new Float32Array(shape.reduce((a, b) => a * b, 1));
  if (isNorm(name)) return tensor.fill(1);
  if (name.endsWith("bias")) return tensor;
  const deviation = deviationOf(name, shape.slice(1));
  return tensor.map(() => deviation * random.normal());
}

function deviationOf(name: string, inputs: Shape): number {
  if (isEmbedding(name)) return name.includes("position") ? 0.1 : 0.3; // what a word is counts more than where it stands
  return (endsBranch(name) ? 0.3 : 1) / Math.sqrt(inputs.reduce((a, b) => a * b, 1));
}
