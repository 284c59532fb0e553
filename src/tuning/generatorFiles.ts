// What a training of the generator keeps on disk: a checkpoint of each stage to go on from, and the finished pipeline in diffusers' layout.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { float16Bits } from "../graph/index.ts";
import { openCheckpoint } from "../weights/checkpoint.ts";
import { readFloat32 } from "../weights/read.ts";
import { writeSafetensors } from "../weights/safetensors.ts";
import type { Tensors } from "./adamw.ts";
import {
  type GeneratorSizes,
  merges,
  partShapes,
  parts,
  schedulerConfig,
  textConfig,
  tokenizer,
  unetConfig,
  vaeConfig,
  vocabulary,
  weightFiles,
} from "./generatorModels.ts";
import {
  type GeneratorSettings,
  type Stage,
  type StageProgress,
  type StageState,
  stageShapes,
} from "./generatorTraining.ts";

/** One line of a stage's trace: averages over the steps since the last. */
export interface StageTrace extends StageProgress {
  /** Share of pictures that the checker found right, where it was asked. */
  right?: number;
}

// ── Checkpoints ─────────────────────────────────────────────────────────────────────────────────────────────────

const kinds = ["weight", "mean", "square"] as const;
const checkpointFile = (stage: Stage) => `${stage}.safetensors`;

/** What must be the same for a stage to go on. There may be more steps or fewer: the rate falls to the end that is set now. */
function settingsOf({ seed, sizes, ...stages }: GeneratorSettings, stage: Stage): object {
  const { steps: _, ...rest } = stages[stage];
  return { seed, stage: rest, sizes: stage === "unet" ? sizes : { vae: sizes.vae } };
}

/** Weights, moments and trace in one file, so that either all of a step is kept or nothing. */
export async function writeStage(
  folder: string,
  settings: GeneratorSettings,
  stage: Stage,
  { step, parameters, optimiser }: StageState,
  trace: readonly StageTrace[],
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const tables = { weight: parameters, mean: optimiser?.mean ?? {}, square: optimiser?.square ?? {} };
  const shapes = stageShapes(settings.sizes, stage);
  const tensors = kinds.flatMap((kind) =>
    Object.entries(tables[kind]).map(
      ([name, data]) => [`${kind}/${name}`, { dtype: "float32", shape: shapes[name]!, data }] as const,
    ),
  );
  const standing = { settings: settingsOf(settings, stage), step, optimiserSteps: optimiser?.steps ?? 0, trace };
  const path = join(folder, checkpointFile(stage));
  await writeSafetensors(path, Object.fromEntries(tensors), { standing: JSON.stringify(standing) });
}

/** The stage kept in a folder, if there is one with the same settings. */
export async function readStage(
  folder: string,
  settings: GeneratorSettings,
  stage: Stage,
): Promise<{ state: StageState; trace: StageTrace[] } | undefined> {
  const checkpoint = await openCheckpoint(join(folder, checkpointFile(stage))).catch(() => undefined);
  if (!checkpoint) return undefined;
  const { settings: kept, step, optimiserSteps, trace } = JSON.parse(checkpoint.metadata.standing ?? "{}");
  if (!isDeepStrictEqual(kept, settingsOf(settings, stage))) return undefined;
  const tables: Record<string, Record<string, Float32Array>> = { weight: {}, mean: {}, square: {} };
  for (const [name, stored] of checkpoint.tensors) {
    const slash = name.indexOf("/");
    tables[name.slice(0, slash)]![name.slice(slash + 1)] = await readFloat32(stored);
  }
  const optimiser = { steps: optimiserSteps, mean: tables.mean!, square: tables.square! };
  return { state: { step, parameters: tables.weight!, optimiser: optimiserSteps ? optimiser : undefined }, trace };
}

// ── The pipeline ────────────────────────────────────────────────────────────────────────────────────────────────

const modelIndex = {
  _class_name: "StableDiffusionPipeline",
  _diffusers_version: "0.39.0",
  scheduler: ["diffusers", "EulerDiscreteScheduler"],
  text_encoder: ["transformers", "CLIPTextModel"],
  tokenizer: ["transformers", "CLIPTokenizer"],
  unet: ["diffusers", "UNet2DConditionModel"],
  vae: ["diffusers", "AutoencoderKL"],
  safety_checker: [null, null],
  feature_extractor: [null, null],
  image_encoder: [null, null],
  requires_safety_checker: false,
};

const specialTokens = {
  bos_token: "<|startoftext|>",
  eos_token: "<|endoftext|>",
  unk_token: "<|endoftext|>",
  pad_token: "<|endoftext|>",
};

const textFiles = (sizes: GeneratorSizes): Record<string, string> => ({
  "model_index.json": json(modelIndex),
  "scheduler/scheduler_config.json": json(schedulerConfig),
  "text_encoder/config.json": json(textConfig(sizes)),
  "unet/config.json": json(unetConfig(sizes)),
  "vae/config.json": json(vaeConfig(sizes)),
  "tokenizer/vocab.json": json(Object.fromEntries(vocabulary.ids)),
  "tokenizer/merges.txt": `#version: 0.2\n${merges.join("\n")}\n`,
  "tokenizer/special_tokens_map.json": json(specialTokens),
  "tokenizer/tokenizer_config.json": json({
    tokenizer_class: "CLIPTokenizer",
    model_max_length: tokenizer.length,
    ...specialTokens,
  }),
});

const json = (value: unknown) => `${JSON.stringify(value, null, 1)}\n`;

/** The whole model as diffusers reads it, weights in float16. */
export async function writePipeline(folder: string, sizes: GeneratorSizes, parameters: Tensors): Promise<void> {
  for (const [name, text] of Object.entries(textFiles(sizes))) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  for (const part of parts) {
    const tensors = Object.entries(partShapes[part](sizes)).map(
      ([name, shape]) => [name, { dtype: "float16", shape, data: toFloat16(parameters[`${part}.${name}`]!) }] as const,
    );
    await writeSafetensors(join(folder, weightFiles[part]), Object.fromEntries(tensors), { format: "pt" });
  }
}

/** The bits of the nearest float16 numbers. */
export const toFloat16 = (values: Float32Array): Uint16Array => Uint16Array.from(values, float16Bits);
