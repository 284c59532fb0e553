// config.json as diffusers and transformers write it: what weights cannot tell. Its own keys, its own defaults
// (unet_2d_condition.py, autoencoder_kl.py, configuration_clip.py); keys that change nothing here are let through.

import { z } from "zod";
import { WeightError } from "../errors.ts";
import { otherInputs } from "../weights/layouts/stableDiffusionOthers.ts";
import type { ClipTextOptions } from "./clipText.ts";

const count = z.number().int().positive();
const countPerLevel = z.union([count, z.array(count)]);

const unetSchema = z.object({
  sample_size: z.union([count, z.array(count)]).nullish(),
  in_channels: count.default(4),
  out_channels: count.default(4),
  flip_sin_to_cos: z.boolean().default(true),
  freq_shift: z.number().default(0),
  down_block_types: z
    .array(z.enum(["CrossAttnDownBlock2D", "DownBlock2D"]))
    .default(["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"]),
  up_block_types: z
    .array(z.enum(["CrossAttnUpBlock2D", "UpBlock2D"]))
    .default(["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]),
  block_out_channels: z.array(count).min(1).default([320, 640, 1280, 1280]),
  layers_per_block: countPerLevel.default(2),
  norm_num_groups: count.default(32),
  norm_eps: z.number().positive().default(1e-5),
  cross_attention_dim: countPerLevel.default(1280),
  transformer_layers_per_block: countPerLevel.default(1),
  /** How many heads there are, at every level or at each: the name is historic (diffusers' issue 2011). */
  attention_head_dim: countPerLevel.default(8),
});

export type UnetConfig = z.infer<typeof unetSchema>;

const vaeSchema = z.object({
  in_channels: count.default(3),
  out_channels: count.default(3),
  block_out_channels: z.array(count).min(1).default([64]),
  layers_per_block: count.default(1),
  latent_channels: count.default(4),
  norm_num_groups: count.default(32),
  sample_size: z.union([count, z.array(count)]).nullish(),
  scaling_factor: z.number().positive().default(0.18215),
  shift_factor: z.number().nullish(),
  use_quant_conv: z.boolean().default(true),
  use_post_quant_conv: z.boolean().default(true),
  mid_block_add_attention: z.boolean().default(true),
});

export type VaeConfig = z.infer<typeof vaeSchema>;

const clipTextSchema = z.object({
  vocab_size: count.default(49408),
  hidden_size: count.default(512),
  num_hidden_layers: count.default(12),
  num_attention_heads: count.default(8),
  max_position_embeddings: count.default(77),
  hidden_act: z.enum(["quick_gelu", "gelu"]).default("quick_gelu"),
  layer_norm_eps: z.number().positive().default(1e-5),
});

export type ClipTextConfig = z.infer<typeof clipTextSchema>;

/** What a key may say besides being absent; anything else would make another model. */
type Supported = Readonly<Record<string, readonly unknown[]>>;

const unetSupported: Supported = {
  mid_block_type: ["UNetMidBlock2DCrossAttn"],
  center_input_sample: [false],
  downsample_padding: [1],
  mid_block_scale_factor: [1],
  act_fn: ["silu", "swish"],
  only_cross_attention: [false],
  mid_block_only_cross_attention: [null, false],
  dual_cross_attention: [false],
  num_attention_heads: [null],
  class_embed_type: [null],
  num_class_embeds: [null],
  addition_embed_type: [null],
  encoder_hid_dim: [null],
  encoder_hid_dim_type: [null],
  resnet_time_scale_shift: ["default"],
  resnet_skip_time_act: [false],
  resnet_out_scale_factor: [1],
  reverse_transformer_layers_per_block: [null],
  time_embedding_type: ["positional"],
  time_embedding_dim: [null],
  time_embedding_act_fn: [null],
  timestep_post_act: [null],
  time_cond_proj_dim: [null],
  conv_in_kernel: [3],
  conv_out_kernel: [3],
  attention_type: ["default"],
  cross_attention_norm: [null],
};

const vaeSupported: Supported = {
  act_fn: ["silu", "swish"],
  latents_mean: [null],
  latents_std: [null],
};

/** A U-Net's config.json; `where` names it in messages. */
export function parseUnetConfig(json: unknown, where: string): UnetConfig {
  const config = parse(unetSchema, unetSupported, json, where);
  const { in_channels, out_channels } = config;
  if (in_channels !== out_channels) {
    const what = otherInputs[in_channels] ?? "no text-to-image model";
    throw new WeightError(
      `${where}: the U-Net takes ${in_channels} channels and gives ${out_channels}: it is ${what}.`,
      { hint: "Take a text-to-image model, which has 4 channels in and out." },
    );
  }
  checkLevels(config, where);
  checkHeads(config, where);
  checkGroups(config, where);
  return config;
}

function checkLevels(config: UnetConfig, where: string): void {
  const { down_block_types, up_block_types, block_out_channels: widths } = config;
  const down = down_block_types.map((type) => type === "CrossAttnDownBlock2D");
  const up = up_block_types.map((type) => type === "CrossAttnUpBlock2D").reverse();
  if (down.length !== widths.length || up.length !== widths.length || down.some((cross, i) => cross !== up[i])) {
    throw new WeightError(
      `${where}: "down_block_types" (${down_block_types.join(", ")}) and "up_block_types" (${up_block_types.join(", ")}) ` +
        `are not the ${widths.length} levels of "block_out_channels" there and back.`,
    );
  }
  for (const key of ["layers_per_block", "transformer_layers_per_block", "attention_head_dim"] as const) {
    const value = config[key];
    if (Array.isArray(value) && value.length !== widths.length) {
      throw new WeightError(`${where}: "${key}" has ${value.length} entries for ${widths.length} levels.`);
    }
  }
}

/** The middle attends by the last level's heads, whether that level attends or not. */
function checkHeads({ attention_head_dim, block_out_channels, down_block_types }: UnetConfig, where: string): void {
  for (const [i, width] of block_out_channels.entries()) {
    const attends = down_block_types[i] === "CrossAttnDownBlock2D" || i === block_out_channels.length - 1;
    const heads = typeof attention_head_dim === "number" ? attention_head_dim : attention_head_dim[i]!;
    if (attends && width % heads) {
      throw new WeightError(
        `${where}: a width of ${width} does not divide among ${heads} heads, as many as "attention_head_dim" says.`,
      );
    }
  }
}

/** An AutoencoderKL's config.json. */
export function parseVaeConfig(json: unknown, where: string): VaeConfig {
  const config = parse(vaeSchema, vaeSupported, json, where);
  checkBlocks(json, "down_block_types", "DownEncoderBlock2D", where);
  checkBlocks(json, "up_block_types", "UpDecoderBlock2D", where);
  checkGroups(config, where);
  return config;
}

/** A text encoder's config.json: of a CLIPTextModel, or of a whole CLIPModel. */
export function parseClipTextConfig(json: unknown, where: string): ClipTextConfig {
  const text = isObject(json) && isObject(json.text_config) ? json.text_config : json;
  const config = parse(clipTextSchema, {}, text, where);
  const { hidden_size: width, num_attention_heads: heads } = config;
  if (width % heads) throw new WeightError(`${where}: a width of ${width} does not divide among ${heads} heads.`);
  return config;
}

/** How `clipText` is to read the encoder of this config. */
export const clipTextOptions = (config: ClipTextConfig): ClipTextOptions => ({
  heads: config.num_attention_heads,
  activation: config.hidden_act,
  epsilon: config.layer_norm_eps,
});

const isObject = (x: unknown): x is Record<string, unknown> => typeof x === "object" && x !== null && !Array.isArray(x);

function parse<T>(schema: z.ZodType<T>, supported: Supported, json: unknown, where: string): T {
  if (!isObject(json)) throw new WeightError(`${where} holds no JSON object, as a model's config.json does.`);
  for (const [key, values] of Object.entries(supported)) {
    if (key in json && !values.includes(json[key])) {
      throw unsupported(where, key, json[key], values.map((value) => JSON.stringify(value)).join(" or "));
    }
  }
  const { data, error } = schema.safeParse(json);
  if (data) return data;
  const { path, message } = error!.issues[0]!;
  const found = path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown>)?.[key], json);
  throw unsupported(where, path.join("."), found, message);
}

const unsupported = (where: string, key: string, found: unknown, wanted: string) =>
  new WeightError(`${where}: "${key}" is ${JSON.stringify(found)}; supported: ${wanted}.`, {
    hint: "Renoir runs Stable Diffusion 1 and 2 and models of the same blocks.",
  });

function checkBlocks(json: unknown, key: string, type: string, where: string): void {
  const found = (json as Record<string, unknown>)[key] ?? [];
  if (Array.isArray(found) && found.every((each) => each === type)) return;
  throw unsupported(where, key, found, `a list of "${type}"`);
}

function checkGroups({ block_out_channels, norm_num_groups }: UnetConfig | VaeConfig, where: string): void {
  const odd = block_out_channels.find((width) => width % norm_num_groups);
  if (odd === undefined) return;
  throw new WeightError(`${where}: a width of ${odd} does not divide among ${norm_num_groups} groups of a group norm.`);
}
