// Stable Diffusion in one file, as WebUIs have it: U-Net, autoencoder and text encoder under CompVis' (SD1) or Stability's
// (SD2) names. The parts become checkpoints of diffusers' and transformers' names, whose tensors lie where they lay.

import { WeightError } from "../../errors.ts";
import type { Checkpoint, StoredTensor } from "../checkpoint.ts";
import { list, nearest } from "../nearest.ts";
import { openClip } from "./clip.ts";
import { flatten, type Rename, relabel } from "./layout.ts";
import {
  decoderNames,
  encoderNames,
  type LayerName,
  textNames,
  type UnetLevel,
  type UnetSizes,
  unetNames,
} from "./stableDiffusionNames.ts";
import { refuseOthers } from "./stableDiffusionOthers.ts";

/** config.json as diffusers or transformers would have written it for the part. */
export type Config = Readonly<Record<string, unknown>>;

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
  const text = textEncoder(checkpoint);
  const sizes = unetSizes(checkpoint);
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

function need({ name, tensors }: Checkpoint, key: string): StoredTensor {
  const tensor = tensors.get(key);
  if (tensor) return tensor;
  throw new WeightError(
    `${name} has no tensor "${key}", which Stable Diffusion needs. The nearest names in it are ${list(nearest(key, tensors.keys()))}.`,
    { hint: "Is the file whole? Download it again, or take another version of the model." },
  );
}

/** How the file's own names below a prefix are numbered and shaped. */
class Names {
  readonly #checkpoint: Checkpoint;
  readonly #prefix: string;
  readonly #keys: readonly string[];

  constructor(checkpoint: Checkpoint, prefix: string) {
    this.#checkpoint = checkpoint;
    this.#prefix = prefix;
    this.#keys = Array.from(checkpoint.tensors.keys())
      .filter((key) => key.startsWith(prefix))
      .map((key) => key.slice(prefix.length));
  }

  has(start: string): boolean {
    return this.#keys.some((key) => key.startsWith(start));
  }

  /** One more than the largest number after `start`: a gap is found later, by the name of what is missing. */
  count(start: string): number {
    const numbers = this.#keys
      .filter((key) => key.startsWith(start))
      .map((key) => Number.parseInt(key.slice(start.length), 10));
    return Math.max(0, ...numbers.filter(Number.isInteger).map((n) => n + 1));
  }

  /** The shape of the first of these tensors that is there; the error names the first of them where none is. */
  shape(...names: readonly string[]): readonly number[] {
    const name = names.find((each) => this.#keys.includes(each)) ?? names[0]!;
    return need(this.#checkpoint, this.#prefix + name).shape;
  }
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

const headWidth = 64; // SD2's num_head_channels; CLIP's text encoders have the same
const headsOf = (width: number) => Math.max(1, Math.floor(width / headWidth));

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

interface TextEncoder {
  readonly kind: "sd1" | "sd2";
  readonly part: Checkpoint;
  readonly config: Config;
}

/** SD1's text encoder has transformers' names but for the prefix; older files leave out text_model. */
const openAiNames: readonly Rename[] = [{ from: /^cond_stage_model\.transformer\.(text_model\.)?/, to: "text_model." }];
const openClipNames: readonly Rename[] = [{ from: /^cond_stage_model\.model\./, to: "" }, ...openClip.renames];

function textEncoder(checkpoint: Checkpoint): TextEncoder {
  const openCLIP = new Names(checkpoint, "cond_stage_model.model.").has("");
  const start = openCLIP ? "cond_stage_model.model." : "cond_stage_model.transformer.";
  const tensors = new Map(Array.from(checkpoint.tensors).filter(([key]) => key.startsWith(start)));
  const renamed = relabel(
    { ...checkpoint, tensors },
    { name: start, sample: "", renames: openCLIP ? openClipNames : openAiNames },
  );
  const layers = openCLIP ? withoutLast(checkpoint) : new Names(renamed, "text_model.encoder.layers.").count("");
  const kept = textNames(layers).map((name) => [name, need(renamed, name)] as const);
  const part = { ...checkpoint, tensors: new Map(kept) };
  return { kind: openCLIP ? "sd2" : "sd1", part, config: textConfig(part, layers, openCLIP ? "gelu" : "quick_gelu") };
}

/**
 * SD2 reads the last layer but one (FrozenOpenCLIPEmbedder, layer="penultimate"), so diffusers leaves out the 24th.
 * A file made from a diffusers folder (convert_diffusers_to_original_stable_diffusion.py) has neither it nor a projection.
 */
function withoutLast(checkpoint: Checkpoint): number {
  const names = new Names(checkpoint, "cond_stage_model.model.");
  const layers = names.count("transformer.resblocks.");
  const whole = names.has("text_projection") && layers !== 23;
  return whole ? layers - 1 : layers;
}

function textConfig({ tensors }: Checkpoint, layers: number, activation: string): Config {
  const [vocabulary, width] = tensors.get("text_model.embeddings.token_embedding.weight")!.shape as [number, number];
  return {
    vocab_size: vocabulary,
    hidden_size: width,
    num_hidden_layers: layers,
    num_attention_heads: headsOf(width),
    max_position_embeddings: tensors.get("text_model.embeddings.position_embedding.weight")!.shape[0],
    hidden_act: activation,
    layer_norm_eps: 1e-5,
  };
}

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
