// What people give where a whole Stable Diffusion 1 or 2 is wanted, and what to tell them.

import { WeightError } from "../../errors.ts";
import type { Checkpoint } from "../checkpoint.ts";

interface Other {
  /** A name that such a file has. */
  readonly sign: RegExp;
  readonly what: string;
  readonly hint: string;
}

const whole = "Take a checkpoint that has U-Net, VAE and text encoder in one file, or the folder in diffusers' layout.";
const notYet = "Renoir runs Stable Diffusion 1 and 2 and their one-step models, such as SD-Turbo.";

/** What a file without all three parts may be; the first whose sign is found. */
const others: readonly Other[] = [
  {
    sign: /(^|\.)lora_|\.lora\.|\.(hada_w1_a|lokr_w1|alpha)$/,
    what: "a LoRA, which changes a model but is none",
    hint: "Give the model that the LoRA was made for.",
  },
  { sign: /^control_model\./, what: "a ControlNet", hint: "Give the model that it steers." },
  { sign: /^(emb_params|string_to_param.*|clip_[lg])$/, what: "a textual inversion", hint: "Give a model." },
  { sign: /^conditioner\.embedders\./, what: "Stable Diffusion XL", hint: notYet },
  { sign: /^(model\.diffusion_model\.)?label_emb\./, what: "the U-Net of Stable Diffusion XL", hint: notYet },
  { sign: /(^|\.)joint_blocks\.\d+\./, what: "Stable Diffusion 3", hint: notYet },
  { sign: /(^|\.)double_blocks\.\d+\./, what: "Flux", hint: notYet },
  {
    sign: /^(down_blocks|up_blocks|mid_block)\./,
    what: "a U-Net alone, under diffusers' names",
    hint: "Give the whole pipeline's folder, the one that holds model_index.json.",
  },
  {
    sign: /^(de|en)coder\.(up_blocks|down_blocks|mid_block)\./,
    what: "a VAE alone, under diffusers' names",
    hint: "Give the whole pipeline's folder, the one that holds model_index.json.",
  },
  { sign: /^(de|en)coder\.(mid|up|down)\./, what: "a VAE alone", hint: whole },
  { sign: /^(text_model|transformer\.resblocks)\./, what: "a text encoder alone", hint: whole },
  { sign: /^input_blocks\./, what: "a U-Net alone", hint: whole },
];

/** A second embedding beside the time's, of sizes and pooled text (SDXL) or of a picture (SD2's unCLIP). */
const secondEmbedding = "model.diffusion_model.label_emb.0.0.weight";

/** What a whole file has, by how the names begin. */
const parts: Readonly<Record<string, string>> = {
  "model.diffusion_model.": "U-Net",
  "first_stage_model.": "VAE",
  "cond_stage_model.": "text encoder",
};

/** What takes more than latents, by the channels of the U-Net's input. */
export const otherInputs: Readonly<Record<number, string>> = {
  5: "a depth-to-image model, which also wants a depth map",
  7: "an upscaler, which also wants a small picture",
  8: "an editing model (InstructPix2Pix), which also wants another picture",
  9: "an inpainting model, which also wants a mask and the masked picture",
};

/** Throws WeightError where the file is not a whole Stable Diffusion 1 or 2 that makes pictures from text. */
export function refuseOthers({ name, tensors }: Checkpoint): void {
  const keys = Array.from(tensors.keys());
  const lacking = Object.entries(parts).filter(([start]) => !keys.some((key) => key.startsWith(start)));
  if (lacking.length) throw incomplete(name, keys, lacking);
  if (tensors.has(secondEmbedding)) {
    throw new WeightError(`${name}: the U-Net wants a second embedding ("${secondEmbedding}"), as unCLIP's does.`, {
      hint: notYet,
    });
  }
  const channels = tensors.get("model.diffusion_model.input_blocks.0.0.weight")?.shape[1];
  const wants = channels && otherInputs[channels];
  if (wants) {
    throw new WeightError(`${name}: the U-Net takes ${channels} channels: it is ${wants}.`, {
      hint: "Take the model's text-to-image version, whose U-Net takes 4.",
    });
  }
}

function incomplete(name: string, keys: readonly string[], lacking: [start: string, part: string][]): WeightError {
  const other = others.find(({ sign }) => keys.some((key) => sign.test(key)));
  if (other) return new WeightError(`${name} is ${other.what}; a Stable Diffusion checkpoint was wanted.`, other);
  if (lacking.length < 3) {
    const missing = lacking.map(([start, part]) => `${part} ("${start}...")`).join(" and no ");
    const message = `${name} has no ${missing}: it is only a part of a Stable Diffusion checkpoint.`;
    return new WeightError(message, { hint: whole });
  }
  const found = keys.length ? `its tensors have names such as "${keys[0]}"` : "it holds no tensors";
  return new WeightError(`${name} is no Stable Diffusion checkpoint: ${found}.`, { hint: whole });
}
