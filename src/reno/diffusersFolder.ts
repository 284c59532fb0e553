// A model as diffusers keeps it: a folder with model_index.json, and a folder for each part with its config.json and weights.

import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { WeightError } from "../errors.ts";
import type { CompileOptions, ComputeDType } from "../graph/index.ts";
import { parseClipTextConfig, parseUnetConfig, parseVaeConfig } from "../models/config.ts";
import { type Checkpoint, openCheckpoint } from "../weights/checkpoint.ts";
import { currentVaeNames } from "../weights/layouts/stableDiffusion.ts";
import { Weights } from "../weights/weights.ts";
import { readClipTokenizer } from "./clipVocabulary.ts";
import { readJsonObject } from "./jsonFile.ts";
import type { SchedulerConfig } from "./oneStep.ts";
import type { PipelineParts } from "./pipeline.ts";
import { parseSchedulerConfig } from "./schedulerConfig.ts";
import { TextEncoder } from "./textEncoder.ts";

/** What the files alone tell. */
export type ModelParts = Omit<PipelineParts, "name" | "path">;

/** model_index.json's _class_name: what runs here, and why the others do not. */
const pipelines: Readonly<Record<string, true | string>> = {
  StableDiffusionPipeline: true,
  LatentConsistencyModelPipeline: true,
  StableDiffusionImg2ImgPipeline: true,
  StableDiffusionXLPipeline: "it is SDXL, which has a second text encoder",
  StableDiffusionInpaintPipeline: "it is made for inpainting, and wants a mask and a picture",
  StableDiffusionDepth2ImgPipeline: "it wants a depth map beside the prompt",
  StableDiffusionUpscalePipeline: "it enlarges pictures",
};

/** How a model's files are opened. */
export interface OpenOptions extends CompileOptions {
  /** What its parts compute in. */
  readonly dtype: ComputeDType;
}

export async function openDiffusersFolder(
  folder: string,
  options: OpenOptions & { readonly variant?: string | undefined },
): Promise<ModelParts> {
  await checkIndex(folder);
  const [unet, vae, text, scheduler] = await Promise.all([
    openPart(folder, "unet", options),
    openPart(folder, "vae", options),
    openPart(folder, "text_encoder", options),
    readScheduler(folder),
  ]);
  const textConfig = parseClipTextConfig(text.config, text.where);
  const weightsOf = (checkpoint: Checkpoint) => Weights.fromCheckpoint(checkpoint, options);
  return {
    unet: { weights: weightsOf(unet.checkpoint), config: parseUnetConfig(unet.config, unet.where) },
    vae: { weights: weightsOf(currentVaeNames(vae.checkpoint)), config: parseVaeConfig(vae.config, vae.where) },
    text: new TextEncoder(weightsOf(text.checkpoint), textConfig, options),
    tokenizer: await readClipTokenizer(join(folder, "tokenizer"), textConfig.max_position_embeddings),
    scheduler,
    oneStepModel: isForOneStep(scheduler),
  };
}

/** SD-Turbo's publishers have set Euler to begin at noise alone ("trailing"), which others leave at "leading"; LCM's is for few steps. */
const isForOneStep = ({ kind, spacing }: SchedulerConfig): boolean =>
  kind === "LCMScheduler" || (kind.startsWith("Euler") && spacing === "trailing");

export const isDiffusersFolder = (folder: string): boolean => existsSync(join(folder, "model_index.json"));

async function checkIndex(folder: string): Promise<void> {
  const path = join(folder, "model_index.json");
  const { _class_name: name = "StableDiffusionPipeline" } = await readJsonObject(path);
  const known = pipelines[String(name)];
  if (known === true) return;
  throw new WeightError(
    `${path} describes a ${name}, which Renoir does not run${known ? `: ${known}` : ""}. Wanted was a StableDiffusionPipeline.`,
    { hint: "Take a text-to-image model of the SD1 or SD2 family, such as stabilityai/sd-turbo." },
  );
}

async function readScheduler(folder: string): Promise<SchedulerConfig> {
  const path = join(folder, "scheduler", "scheduler_config.json");
  return parseSchedulerConfig(await readJsonObject(path), path);
}

interface Wanted {
  readonly dtype: ComputeDType;
  readonly variant?: string | undefined;
}

async function openPart(folder: string, part: string, wanted: Wanted) {
  const where = join(folder, part, "config.json");
  const config = await readJsonObject(where);
  return { where, config, checkpoint: await openWeights(join(folder, part), wanted) };
}

/** Of a part's files: what they are called before their variant and ending, and the endings, the best first. */
const stems = ["diffusion_pytorch_model", "model", "pytorch_model"];
const endings = ["safetensors", "safetensors.index.json", "bin", "bin.index.json"];

/** The variants that are computed with as they lie there, full precision first where it is wanted: any is better than none. */
const inPlace: Readonly<Record<ComputeDType, readonly string[]>> = { float32: ["", "fp16"], float16: ["fp16", ""] };

async function openWeights(folder: string, { dtype, variant }: Wanted): Promise<Checkpoint> {
  const files = await readdir(folder);
  const variants = variant === undefined ? [...inPlace[dtype], ...variantsOf(files)] : [variant];
  const candidates = variants.flatMap((each) =>
    endings.flatMap((ending) => stems.flatMap((stem) => namesOf(stem, each, ending))),
  );
  const found = candidates.find((name) => files.includes(name));
  if (found) return openCheckpoint(join(folder, found));
  const wanted = `${stems[0]}${variant ? `.${variant}` : ""}.safetensors or the like`;
  throw new WeightError(
    `${folder} has no weights: ${wanted} was wanted, and it holds ${files.join(", ") || "nothing"}.`,
    {
      hint: variant
        ? "Leave the variant out, or name one that is there."
        : "Download the model's weights too, with or without the variant fp16.",
    },
  );
}

/** "model.fp16.safetensors"; of an index, the variant stands in one of two places. */
function namesOf(stem: string, variant: string, ending: string): string[] {
  if (!variant) return [`${stem}.${ending}`];
  const inside = ending.replace(/\.index\.json$/, `.index.${variant}.json`);
  return [`${stem}.${variant}.${ending}`, ...(inside === ending ? [] : [`${stem}.${inside}`])];
}

const variantsOf = (files: readonly string[]): string[] =>
  files.flatMap(
    (file) => /^(?:diffusion_pytorch_model|model|pytorch_model)\.([\w-]+)\.(?:safetensors|bin)$/.exec(file)?.[1] ?? [],
  );
