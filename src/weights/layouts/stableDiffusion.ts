// Stable Diffusion in one file, as WebUIs have it: U-Net, autoencoder and text encoder under CompVis' (SD1) or Stability's
// (SD2) names. The parts become checkpoints of diffusers' and transformers' names, whose tensors lie where they lay.

import type { Checkpoint, StoredTensor } from "../checkpoint.ts";
import { flatten, type Rename, relabel } from "./layout.ts";
import {
  decoderNames,
  encoderNames,
  type LayerName,
  type UnetLevel,
  type UnetSizes,
  unetNames,
} from "./stableDiffusionNames.ts";
import { refuseOthers } from "./stableDiffusionOthers.ts";
import { headsOf, Names, need } from "./stableDiffusionPart.ts";
import { type Config, textEncoder } from "./stableDiffusionText.ts";

export type { Config } from "./stableDiffusionText.ts";

export interface SingleFile {
  /** By the text encoder: OpenAI's CLIP or OpenCLIP. */
  readonly kind: "sd1" | "sd2";
  readonly textEncoder: Checkpoint;
  readonly unet: Checkpoint;
  readonly vae: Checkpoint;
  readonly textConfig: Config;
  readonly unetConfig: Config;
  readonly vaeConfig: Config;
}

/** The three models in a single-file checkpoint, their configurations told from the shapes of the weights. */
export function singleFile(checkpoint: Checkpoint): SingleFile {
  refuseOthers(checkpoint);
  const sizes = unetSizes(checkpoint);
  const text = textEncoder(checkpoint, sizes.linear);
  const vae = vaeSizes(checkpoint);
  return {
    kind: text.kind,
    textEncoder: text.part,
    textConfig: text.config,
    unet: take(checkpoint, unetPrefix, unetNames(sizes)),
    unetConfig: unetConfig(sizes),
    vae: take(checkpoint, vaePrefix, [
      ...decoderNames(vae.widths.length, vae.blocks + 1),
      ...(vae.encoder ? encoderNames(vae.widths.length, vae.blocks) : []),
    ]),
    vaeConfig: vaeConfig(vae),
  };
}

const unetPrefix = "model.diffusion_model.";
const vaePrefix = "first_stage_model.";
const groups = 32; // of every group norm in latent-diffusion (util.py, normalization)

/** The named layers alone, under our names. A tensor that is not there is named in the error; all others are left out. */
function take(checkpoint: Checkpoint, prefix: string, names: readonly LayerName[]): Checkpoint {
  const tensors = new Map<string, StoredTensor>();
  for (const { theirs, ours, bias, flattened, optional } of names) {
    if (optional && !checkpoint.tensors.has(`${prefix}${theirs}.weight`)) continue;
    for (const kind of bias ? ["weight", "bias"] : ["weight"]) {
      const tensor = need(checkpoint, `${prefix}${theirs}.${kind}`);
      const name = `${ours}.${kind}`;
      tensors.set(name, { ...(flattened ? flatten(tensor) : tensor), name });
    }
  }
  return { ...checkpoint, tensors };
}

interface UnetShapes extends UnetSizes {
  readonly levels: readonly (UnetLevel & { readonly width: number })[];
  readonly channels: number;
  readonly outputs: number;
  /** Of the prompt's tokens. */
  readonly text: number;
  /** Whether the projections around the transformers are linear layers (SD2) or convolutions (SD1). */
  readonly linear: boolean;
}

function unetSizes(checkpoint: Checkpoint): UnetShapes {
  const names = new Names(checkpoint, unetPrefix);
  const block = "middle_block.1.transformer_blocks.0.attn2";
  return {
    levels: unetLevels(names),
    middle: names.count("middle_block.1.transformer_blocks."),
    channels: names.shape("input_blocks.0.0.weight")[1]!,
    outputs: names.shape("out.2.weight", "out.2.bias")[0]!,
    text: names.shape(`${block}.to_k.weight`, `${block}.to_v.weight`)[1]!,
    linear: names.shape("middle_block.1.proj_in.weight", "middle_block.1.proj_out.weight").length === 2,
  };
}

/** input_blocks goes through all levels: residual blocks, each with its attention, and what halves the size between levels. */
function unetLevels(names: Names): UnetShapes["levels"] {
  const levels: { blocks: number; depth: number; width: number }[] = [];
  let level = { blocks: 0, depth: 0, width: 0 };
  for (let n = 1; n < names.count("input_blocks."); n++) {
    const block = `input_blocks.${n}`;
    if (names.has(`${block}.0.op.`)) {
      levels.push(level);
      level = { blocks: 0, depth: 0, width: 0 };
      continue;
    }
    const [width] = names.shape(
      `${block}.0.out_layers.3.bias`,
      `${block}.0.out_layers.0.bias`,
      `${block}.0.in_layers.2.bias`,
    );
    level = {
      blocks: level.blocks + 1,
      width: width!,
      depth: Math.max(level.depth, names.count(`${block}.1.transformer_blocks.`)),
    };
  }
  return [...levels, level];
}

function unetConfig({ levels, middle, channels, outputs, text, linear }: UnetShapes): Config {
  const types = (way: string) => levels.map(({ depth }) => (depth ? `CrossAttn${way}Block2D` : `${way}Block2D`));
  return {
    _class_name: "UNet2DConditionModel",
    sample_size: 64,
    in_channels: channels,
    out_channels: outputs,
    down_block_types: types("Down"),
    up_block_types: types("Up").reverse(),
    block_out_channels: levels.map(({ width }) => width),
    layers_per_block: levels.map(({ blocks }) => blocks),
    transformer_layers_per_block: levels.map(({ depth }, i) => (i === levels.length - 1 ? middle : Math.max(1, depth))),
    cross_attention_dim: text,
    attention_head_dim: linear ? levels.map(({ width }) => headsOf(width)) : 8, // counts of heads; SD1's num_heads is 8
    use_linear_projection: linear,
    norm_num_groups: groups,
  };
}

interface VaeShapes {
  readonly widths: readonly number[];
  readonly blocks: number;
  readonly latents: number;
  readonly encoder: boolean;
}

function vaeSizes(checkpoint: Checkpoint): VaeShapes {
  const names = new Names(checkpoint, vaePrefix);
  const widthOf = (i: number) => {
    const block = `decoder.up.${i}.block.0`;
    return names.shape(`${block}.conv1.bias`, `${block}.norm2.bias`, `${block}.conv2.bias`)[0]!;
  };
  return {
    widths: Array.from({ length: names.count("decoder.up.") }, (_, i) => widthOf(i)),
    blocks: names.count("decoder.up.0.block.") - 1,
    latents: names.shape("decoder.conv_in.weight")[1]!,
    encoder: names.has("encoder."),
  };
}

const vaeConfig = ({ widths, blocks, latents }: VaeShapes): Config => ({
  _class_name: "AutoencoderKL",
  block_out_channels: widths,
  down_block_types: widths.map(() => "DownEncoderBlock2D"),
  up_block_types: widths.map(() => "UpDecoderBlock2D"),
  layers_per_block: blocks,
  latent_channels: latents,
  norm_num_groups: groups,
  scaling_factor: 0.18215,
});

/** diffusers' own autoencoders from before its version 0.16 (runwayml's SD1.5 among them) name the attention so. */
const oldAttention: readonly Rename[] = Object.entries({
  query: "to_q",
  key: "to_k",
  value: "to_v",
  proj_attn: "to_out.0",
}).map(([from, to]) => ({ from: new RegExp(`(\\.attentions\\.\\d+)\\.${from}\\.`), to: `$1.${to}.` }));

/** An autoencoder of diffusers under today's names; one that has them already stays as it is. */
export const currentVaeNames = (checkpoint: Checkpoint): Checkpoint =>
  relabel(checkpoint, { name: "diffusers before 0.16", sample: "", renames: oldAttention });
