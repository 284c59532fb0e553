// Pipelines by name or place: the built-in one, those in the registry, a folder, a single file, or what the hub's cache holds.

import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { RequestError } from "../errors.ts";
import { chooseDType, type Provider } from "../graph/index.ts";
import { findStored, listStored } from "../scoring/store.ts";
import { isDiffusersFolder, type OpenOptions, openDiffusersFolder } from "./diffusersFolder.ts";
import { findInHubCache, hubCacheFolder, snapshotOf } from "./hubCache.ts";
import type { PredictionType, SchedulerConfig } from "./oneStep.ts";
import { Pipeline } from "./pipeline.ts";
import { openSingleFile } from "./singleFilePipeline.ts";

export interface LoadPipelineOptions {
  readonly provider?: string | undefined;
  /** What the models compute in: float32, float16, or auto, which is float16 on a GPU and float32 on the CPU. Default auto. */
  readonly dtype?: string | undefined;
  readonly threads?: number | undefined;
  /** Copies weights for a little more speed; see CompileOptions. */
  readonly prepack?: boolean | undefined;
  /** Of the files in a diffusers folder, as "fp16"; full precision where it is there, unless said. */
  readonly variant?: string | undefined;
  /** What shall be otherwise than the model's own scheduler says. */
  readonly scheduler?: Partial<SchedulerConfig> | undefined;
  /** What the U-Net predicts: a single file does not say it. */
  readonly predictionType?: PredictionType | undefined;
  /** Whether the model draws in one step; told from its scheduler and name unless said. */
  readonly oneStepModel?: boolean | undefined;
}

/** The model that comes with Renoir. */
export const builtInPipeline = {
  name: "shapes",
  path: fileURLToPath(new URL("../../assets/shapes/generator", import.meta.url)),
};

/** A pipeline ready to draw: its files opened and checked, its weights not yet read. */
export async function loadPipeline(nameOrPath: string, options: LoadPipelineOptions = {}): Promise<Pipeline> {
  const run = await runOptions(options);
  const place = await locatePipeline(nameOrPath);
  const { path } = place;
  const parts = isDiffusersFolder(path)
    ? await openDiffusersFolder(path, { ...run, variant: options.variant })
    : await openSingleFile(path, run);
  const scheduler = schedulerFor(parts.scheduler, options);
  const oneStepModel = options.oneStepModel ?? (parts.oneStepModel || calledOneStep(place));
  return new Pipeline({ ...parts, ...place, scheduler, oneStepModel }, run);
}

/** Another sampler's settings are its own; how the model was trained stays. */
function schedulerFor(own: SchedulerConfig, { scheduler, predictionType }: LoadPipelineOptions): SchedulerConfig {
  const { trainSteps, betaStart, betaEnd, betaSchedule, trainedBetas, zeroTerminalSnr } = own;
  const training = { trainSteps, betaStart, betaEnd, betaSchedule, trainedBetas, zeroTerminalSnr };
  const base = scheduler?.kind ? { ...training, kind: scheduler.kind, predictionType: own.predictionType } : own;
  return { ...base, ...given(scheduler ?? {}), ...given({ predictionType }) };
}

export interface PipelinePlace {
  readonly name: string;
  /** A diffusers folder or a single file. */
  readonly path: string;
}

/** Where the pipeline of that name lies: built in, in the registry, at that path, or in the hub's cache. */
export async function locatePipeline(nameOrPath: string): Promise<PipelinePlace> {
  if (nameOrPath.toLowerCase() === builtInPipeline.name) return builtIn();
  const stored = /[/\\]/.test(nameOrPath) ? undefined : await findStored(nameOrPath);
  if (stored) return { name: stored.name, path: stored.path };
  const path = resolve(nameOrPath.replace(/^~(?=$|[/\\])/, homedir()));
  if (existsSync(path)) return atPath(path);
  const cached = await findInHubCache(nameOrPath);
  if (cached) return { name: nameOrPath, path: await modelIn(cached) };
  throw await notFound(nameOrPath);
}

function builtIn(): PipelinePlace {
  if (isDiffusersFolder(builtInPipeline.path)) return builtInPipeline;
  throw new RequestError(
    `The built-in model "shapes" is not in ${builtInPipeline.path}: this copy of Renoir is not whole.`,
    {
      hint: "Install Renoir again, or train the model anew with `npm run train:generator`.",
    },
  );
}

async function atPath(path: string): Promise<PipelinePlace> {
  const name = basename(path).replace(/\.(safetensors|ckpt|pt|pth|bin)$/i, "");
  return { name, path: (await stat(path)).isDirectory() ? await modelIn(path) : path };
}

/** The folder itself, or the snapshot in a folder of the hub's cache. */
async function modelIn(folder: string): Promise<string> {
  const path = (await snapshotOf(folder)) ?? folder;
  if (isDiffusersFolder(path)) return path;
  throw new RequestError(
    `${path} is a folder without model_index.json; a diffusers folder or a single file was wanted.`,
    {
      hint: existsSync(join(path, "config.json"))
        ? "It seems to be one part of a model: give the folder around it."
        : "Give the folder that holds model_index.json, or the .safetensors or .ckpt file itself.",
    },
  );
}

async function notFound(nameOrPath: string): Promise<RequestError> {
  const known = [builtInPipeline.name, ...(await listStored()).map(({ name }) => name)];
  return new RequestError(
    `There is no model ${JSON.stringify(nameOrPath)}: it is neither a file or folder, nor a name in the registry (${known.join(", ")}), nor in the Hugging Face cache ${hubCacheFolder()}.`,
    { hint: "Give the path of a diffusers folder or a single file, or add it: `renoir models add NAME PATH`." },
  );
}

/** Names under which models that draw in one step are published. */
const oneStepNames = /turbo|hyper-?sd|lcm|dmd|instaflow|swiftbrush|(^|[^a-z0-9])(1|one)[-_ ]?step/i;

/** Whether the model is called so: its name, its file or folder, or its folder in the hub's cache. */
function calledOneStep({ name, path }: PipelinePlace): boolean {
  const snapshots = dirname(path);
  const folder = basename(snapshots) === "snapshots" ? dirname(snapshots) : path;
  return oneStepNames.test(name) || oneStepNames.test(basename(folder));
}

async function runOptions({ dtype = "auto", threads, prepack, ...options }: LoadPipelineOptions): Promise<OpenOptions> {
  const provider = options.provider as Provider | "auto" | undefined;
  if (dtype !== "auto" && dtype !== "float32" && dtype !== "float16") {
    throw new RequestError(
      `Pictures are not computed in ${JSON.stringify(dtype)}; wanted is float32, float16 or auto.`,
      { hint: "A checkpoint may be stored in any of them: it is cast as it is read." },
    );
  }
  return { provider, dtype: await chooseDType(dtype, { provider }), threads, prepack };
}

const given = <T extends object>(options: T): Partial<T> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
