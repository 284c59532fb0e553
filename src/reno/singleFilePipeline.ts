// A model in one file, as the WebUIs have it. It says neither how it was trained nor how prompts are read, so SD's own ways are assumed.

import { parseClipTextConfig, parseUnetConfig, parseVaeConfig } from "../models/config.ts";
import { type Checkpoint, openCheckpoint } from "../weights/checkpoint.ts";
import { singleFile } from "../weights/layouts/stableDiffusion.ts";
import { readFloat32 } from "../weights/read.ts";
import { Weights } from "../weights/weights.ts";
import { clipTokenizer } from "./clipTokenizer.ts";
import { clipVocabulary } from "./clipVocabulary.ts";
import type { ModelParts, OpenOptions } from "./diffusersFolder.ts";
import type { PredictionType } from "./oneStep.ts";
import { TextEncoder } from "./textEncoder.ts";

export async function openSingleFile(path: string, options: OpenOptions): Promise<ModelParts> {
  const checkpoint = await openCheckpoint(path);
  const { kind, unet, vae, textEncoder, unetConfig, vaeConfig, textConfig } = singleFile(checkpoint);
  const predictionType = kind === "sd2" ? await predictionOf(unet) : "epsilon";
  const text = parseClipTextConfig(textConfig, checkpoint.name);
  return {
    unet: {
      weights: Weights.fromCheckpoint(unet, options),
      config: { ...parseUnetConfig(unetConfig, checkpoint.name), sample_size: sampleSizes[predictionType] },
    },
    vae: { weights: Weights.fromCheckpoint(vae, options), config: parseVaeConfig(vaeConfig, checkpoint.name) },
    text: new TextEncoder(Weights.fromCheckpoint(textEncoder, options), text, options),
    tokenizer: clipTokenizer(clipVocabulary(), {
      name: checkpoint.name,
      pad: kind === "sd2" ? "!" : undefined,
      length: text.max_position_embeddings,
    }),
    scheduler: { kind: "EulerDiscreteScheduler", spacing: "trailing", predictionType },
    oneStepModel: false, // the file does not say; its name may
  };
}

/** SD2's large model, at 768 pixels, is the one that predicts v. */
const sampleSizes: Readonly<Record<PredictionType, number>> = { epsilon: 64, v_prediction: 96, sample: 64 };

/** Where SD2's two trainings differ beyond doubt: the bias of the last transformer's norm. ComfyUI tells them apart so (supported_models.py, SD20). */
const telling = "up_blocks.3.attentions.2.transformer_blocks.0.norm1.bias";
const tellingDeviation = 0.09;

async function predictionOf({ tensors }: Checkpoint): Promise<PredictionType> {
  const bias = tensors.get(telling);
  if (!bias) return "epsilon";
  const values = await readFloat32(bias);
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  return Math.sqrt(variance) > tellingDeviation ? "v_prediction" : "epsilon";
}
