// The text encoder in a single-file Stable Diffusion: OpenAI's CLIP under transformers' names (SD1), or OpenCLIP's under its own (SD2).

import type { Checkpoint } from "../checkpoint.ts";
import { openClip } from "./clip.ts";
import { relabel } from "./layout.ts";
import { openClipNames, textNames } from "./stableDiffusionNames.ts";
import { headsOf, Names, need } from "./stableDiffusionPart.ts";

/** config.json as diffusers or transformers would have written it for the part. */
export type Config = Readonly<Record<string, unknown>>;

interface TextEncoder {
  readonly kind: "sd1" | "sd2";
  readonly part: Checkpoint;
  readonly config: Config;
}

/** `linear`: whether the U-Net is SD2's. A small SD2 that was made from a diffusers folder may keep transformers' names. */
export function textEncoder(checkpoint: Checkpoint, linear: boolean): TextEncoder {
  const names = new Names(checkpoint, openClipPrefix);
  const stability = names.has("");
  const part = stability ? openClipEncoder(checkpoint, names) : openAiEncoder(checkpoint);
  const kind = stability || linear ? "sd2" : "sd1";
  return { kind, part, config: textConfig(part, kind === "sd2" ? "gelu" : "quick_gelu") };
}

const openAiPrefix = "cond_stage_model.transformer.";
const openClipPrefix = "cond_stage_model.model.";

/** transformers' names behind a prefix; older files leave "text_model." out. */
function openAiEncoder(checkpoint: Checkpoint): Checkpoint {
  const within = new Names(checkpoint, openAiPrefix).has("text_model.") ? "text_model." : "";
  const prefix = openAiPrefix + within;
  const layers = new Names(checkpoint, prefix).count("encoder.layers.");
  const tensors = textNames(layers).map((name) => {
    const ours = `text_model.${name}`;
    return [ours, { ...need(checkpoint, prefix + name), name: ours }] as const;
  });
  return { ...checkpoint, tensors: new Map(tensors) };
}

/**
 * SD2 reads the last layer but one (FrozenOpenCLIPEmbedder, layer="penultimate"), so diffusers leaves out the 24th.
 * A file made from a diffusers folder (convert_diffusers_to_original_stable_diffusion.py) has neither it nor a projection.
 */
function openClipEncoder(checkpoint: Checkpoint, names: Names): Checkpoint {
  const stored = names.count("transformer.resblocks.");
  const layers = names.has("text_projection") && stored !== 23 ? stored - 1 : stored;
  const wanted = openClipNames(layers).map((name) => [name, need(checkpoint, openClipPrefix + name)] as const);
  const bare = wanted.map(([name, tensor]) => [name, { ...tensor, name }] as const);
  return relabel({ ...checkpoint, tensors: new Map(bare) }, openClip);
}

function textConfig({ tensors }: Checkpoint, activation: string): Config {
  const shape = (name: string) => tensors.get(`text_model.embeddings.${name}.weight`)!.shape;
  const [vocabulary, width] = shape("token_embedding") as [number, number];
  return {
    vocab_size: vocabulary,
    hidden_size: width,
    num_hidden_layers: new Names({ name: "", tensors }, "text_model.").count("encoder.layers."),
    num_attention_heads: headsOf(width),
    max_position_embeddings: shape("position_embedding")[0],
    hidden_act: activation,
    layer_norm_eps: 1e-5,
  };
}
