// The small pipelines that test/reference/pipeline.py ran, written to disk as a diffusers folder or as a single file.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { clipVocabulary } from "../../src/reno/clipVocabulary.ts";
import {
  decoderNames,
  encoderNames,
  type LayerName,
  unetNames,
} from "../../src/weights/layouts/stableDiffusionNames.ts";
import { type TensorToWrite, writeSafetensors } from "../../src/weights/safetensors.ts";
import { seededWeight } from "./seededWeights.ts";

type Tensors = Record<string, TensorToWrite>;
type Shapes = Readonly<Record<string, readonly number[]>>;
type Config = Readonly<Record<string, unknown>>;

export interface PictureCase {
  readonly prompt: string;
  readonly seed: string;
  readonly width?: number;
  readonly height?: number;
  readonly guidance?: number;
  readonly negativePrompt?: string;
  readonly skipLayers?: number;
  readonly scheduler?: Config;
  readonly shape: readonly number[];
  readonly mean: number;
  readonly places: readonly number[];
  readonly values: readonly number[];
}

export interface TinyModel {
  readonly config: Readonly<Record<"unet" | "vae" | "text_encoder" | "scheduler", Config>>;
  readonly pad: string;
  readonly shapes: Readonly<Record<Part, Shapes>>;
  readonly cases: readonly PictureCase[];
}

export type Part = "unet" | "vae" | "text_encoder";
export type ModelName = "turbo" | "sd1";

export interface StepCase {
  readonly config: Config;
  readonly timestep: number | null;
  readonly step: Readonly<Record<"scale" | "inputScale" | "timestep" | "skip" | "out", number>>;
  readonly alphas: readonly number[];
}

interface Fixture {
  readonly models: Readonly<Record<ModelName, TinyModel>>;
  readonly steps: readonly StepCase[];
}

export const fixture: Fixture = JSON.parse(
  await readFile(new URL("../reno/fixtures/pipeline.json", import.meta.url), "utf8"),
);

const made = new Map<string, Tensors>();

/** A part's tensors under diffusers' names. */
export function tensorsOf(model: ModelName, part: Part): Tensors {
  const prefix = `${model}/${part}/`;
  const known = made.get(prefix);
  if (known) return known;
  const entries = Object.entries(fixture.models[model].shapes[part]).map(([key, shape]) => [
    key,
    { dtype: "float32" as const, shape, data: seededWeight(key, shape, prefix) },
  ]);
  const tensors: Tensors = Object.fromEntries(entries);
  made.set(prefix, tensors);
  return tensors;
}

const fileNames: Readonly<Record<Part, string>> = {
  unet: "diffusion_pytorch_model.safetensors",
  vae: "diffusion_pytorch_model.safetensors",
  text_encoder: "model.safetensors",
};

/** Writes the model as diffusers' save_pretrained does. */
export async function writeDiffusersFolder(folder: string, model: ModelName): Promise<void> {
  const { config, pad } = fixture.models[model];
  await mkdir(folder, { recursive: true });
  await writeJson(join(folder, "model_index.json"), { _class_name: "StableDiffusionPipeline" });
  for (const part of ["unet", "vae", "text_encoder"] as const) {
    await mkdir(join(folder, part));
    await writeJson(join(folder, part, "config.json"), config[part]);
    await writeSafetensors(join(folder, part, fileNames[part]), tensorsOf(model, part));
  }
  await mkdir(join(folder, "scheduler"));
  await writeJson(join(folder, "scheduler", "scheduler_config.json"), config.scheduler);
  await writeTokenizer(join(folder, "tokenizer"), pad);
}

async function writeTokenizer(folder: string, pad: string): Promise<void> {
  const { ids, merges } = clipVocabulary();
  await mkdir(folder);
  await writeJson(join(folder, "vocab.json"), Object.fromEntries(ids));
  await writeFile(join(folder, "merges.txt"), ["#version: 0.2", ...merges, ""].join("\n"));
  await writeJson(join(folder, "tokenizer_config.json"), { model_max_length: 77, pad_token: "<|endoftext|>" });
  await writeJson(join(folder, "special_tokens_map.json"), { pad_token: { content: pad }, eos_token: "<|endoftext|>" });
}

export const writeJson = (path: string, json: unknown) => writeFile(path, JSON.stringify(json));

/** Writes the same weights under CompVis' (sd1) or Stability's (turbo) names, with what such files hold besides. */
export async function writeSingleFile(path: string, model: ModelName): Promise<void> {
  await writeSafetensors(path, {
    ...under("model.diffusion_model.", tensorsOf(model, "unet"), unetNames(unetSizes(model))),
    ...under("first_stage_model.", tensorsOf(model, "vae"), vaeNames(model)),
    ...(model === "turbo"
      ? openClipNames(tensorsOf(model, "text_encoder"))
      : openAiNames(tensorsOf(model, "text_encoder"))),
    alphas_cumprod: { dtype: "float32", shape: [2], data: new Float32Array(2) },
  });
}

function under(prefix: string, tensors: Tensors, names: readonly LayerName[]): Tensors {
  const renamed: Tensors = {};
  for (const { theirs, ours, flattened } of names) {
    for (const kind of ["weight", "bias"]) {
      const tensor = tensors[`${ours}.${kind}`];
      if (!tensor) continue;
      const shape = flattened && kind === "weight" ? [...tensor.shape, 1, 1] : tensor.shape;
      renamed[`${prefix}${theirs}.${kind}`] = { ...tensor, shape };
    }
  }
  return renamed;
}

function unetSizes(model: ModelName) {
  const { block_out_channels: widths, layers_per_block: blocks } = fixture.models[model].config.unet as {
    block_out_channels: number[];
    layers_per_block: number;
  };
  return { levels: widths.map((_, i) => ({ blocks, depth: i < widths.length - 1 ? 1 : 0 })), middle: 1 };
}

function vaeNames(model: ModelName): LayerName[] {
  const { block_out_channels: widths, layers_per_block: blocks } = fixture.models[model].config.vae as {
    block_out_channels: number[];
    layers_per_block: number;
  };
  return [...decoderNames(widths.length, blocks + 1), ...encoderNames(widths.length, blocks)];
}

const openAiNames = (tensors: Tensors): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([key, tensor]) => [`cond_stage_model.transformer.${key}`, tensor]));

const openClipTable: readonly (readonly [ours: RegExp, theirs: string])[] = [
  [/^text_model\.embeddings\.token_embedding\.weight$/, "token_embedding.weight"],
  [/^text_model\.embeddings\.position_embedding\.weight$/, "positional_embedding"],
  [/^text_model\.final_layer_norm\./, "ln_final."],
  [/^text_model\.encoder\.layers\.(\d+)\.self_attn\.out_proj\./, "transformer.resblocks.$1.attn.out_proj."],
  [/^text_model\.encoder\.layers\.(\d+)\.layer_norm(\d)\./, "transformer.resblocks.$1.ln_$2."],
  [/^text_model\.encoder\.layers\.(\d+)\.mlp\.fc1\./, "transformer.resblocks.$1.mlp.c_fc."],
  [/^text_model\.encoder\.layers\.(\d+)\.mlp\.fc2\./, "transformer.resblocks.$1.mlp.c_proj."],
];

/** open_clip's names: q, k and v in one, a last layer that is not used, and a projection. */
function openClipNames(tensors: Tensors): Tensors {
  const whole: Tensors = {};
  const layers = 1 + Math.max(...Object.keys(tensors).map((key) => Number(/layers\.(\d+)/.exec(key)?.[1] ?? 0)));
  for (const [key, tensor] of Object.entries(tensors)) {
    const [pattern, theirs] = openClipTable.find(([ours]) => ours.test(key)) ?? [];
    if (pattern) whole[key.replace(pattern, theirs!)] = tensor;
  }
  for (let i = 0; i < layers; i++) {
    for (const kind of ["weight", "bias"]) {
      const parts = ["q", "k", "v"].map(
        (each) => tensors[`text_model.encoder.layers.${i}.self_attn.${each}_proj.${kind}`]!,
      );
      whole[`transformer.resblocks.${i}.attn.in_proj_${kind}`] = joined(parts);
    }
  }
  const last = Object.entries(whole).filter(([key]) => key.startsWith(`transformer.resblocks.${layers - 1}.`));
  for (const [key, tensor] of last) whole[key.replace(/\d+/, String(layers))] = tensor;
  const { shape } = whole["ln_final.weight"]!;
  whole.text_projection = {
    dtype: "float32",
    shape: [shape[0]!, shape[0]!],
    data: new Float32Array(shape[0]! ** 2),
  };
  return Object.fromEntries(Object.entries(whole).map(([key, tensor]) => [`cond_stage_model.model.${key}`, tensor]));
}

function joined(parts: readonly TensorToWrite[]): TensorToWrite {
  const [rows, ...rest] = parts[0]!.shape as [number, ...number[]];
  const data = Float32Array.from(parts.flatMap((part) => Array.from(part.data as Float32Array)));
  return { dtype: "float32", shape: [rows * parts.length, ...rest], data };
}
