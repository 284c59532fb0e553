// The runs of ReNO's own trainer that test/reference/reno.py noted down, and the models they ran on.

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { loadPipeline } from "../../src/reno/loadPipeline.ts";
import type { Pipeline } from "../../src/reno/pipeline.ts";
import { type RefineOptions, type RefineStep, refine } from "../../src/reno/refine.ts";
import { loadBertTokenizer } from "../../src/scoring/bertTokenizer.ts";
import { ImageReward } from "../../src/scoring/imageReward.ts";
import { writeSafetensors } from "../../src/weights/safetensors.ts";
import { largestDifference } from "./compare.ts";
import { type ModelName, openReferenceModel } from "./referenceModel.ts";
import { seededWeight, stream } from "./seededWeights.ts";

type Part = "unet" | "vae" | "text_encoder";

interface RecordedStep {
  readonly rewards: Readonly<Record<string, number>>;
  readonly loss: number;
  readonly regularizer: number | null;
  readonly gradientNorm: number | null;
  readonly latentsNorm: number;
  readonly pixels: readonly number[];
}

interface Run {
  readonly settings: Pick<RefineOptions, "optimizer" | "learningRate" | "nesterov" | "gradientClip" | "mode"> & {
    readonly seed: number;
    readonly iterations: number;
    readonly regularization: number;
    readonly rewards: readonly { readonly model: ModelName; readonly seed: string; readonly weight: number }[];
  };
  readonly best: number;
  readonly steps: readonly RecordedStep[];
}

interface Fixture {
  readonly prompt: string;
  readonly config: Readonly<Record<Part | "scheduler", object>>;
  readonly shapes: Readonly<Record<Part, Readonly<Record<string, readonly number[]>>>>;
  readonly runs: Readonly<Record<string, Run>>;
}

const fixture: Fixture = JSON.parse(
  await readFile(new URL("../reno/fixtures/trajectories.json", import.meta.url), "utf8"),
);
export const { prompt, runs } = fixture;

/** The models of the runs; `release` gives their memory and their files back. */
export interface Models {
  readonly pipeline: Pipeline;
  reward(model: ModelName, seed: string): Promise<ImageReward>;
  release(): Promise<void>;
}

export async function openModels(): Promise<Models> {
  const folder = await mkdtemp(join(tmpdir(), "renoir-trajectories-"));
  await writeSdTurbo(folder);
  const folders = [folder];
  const rewards = new Map<string, ImageReward>();
  const pipeline = await loadPipeline(folder, { provider: "cpu", threads: 1 });
  return {
    pipeline,
    async reward(model, seed) {
      const key = `${model} ${seed}`;
      if (!rewards.has(key)) {
        const checkpoint = await openReferenceModel(model, seed);
        folders.push(dirname(checkpoint.path));
        rewards.set(key, new ImageReward(checkpoint, loadBertTokenizer(), { provider: "cpu", threads: 1 }));
      }
      return rewards.get(key)!;
    },
    async release() {
      await pipeline.unload();
      for (const reward of rewards.values()) await reward.unload();
      for (const each of folders) await rm(each, { recursive: true });
    },
  };
}

const weightFiles: Readonly<Record<Part, string>> = {
  unet: "diffusion_pytorch_model.safetensors",
  vae: "diffusion_pytorch_model.safetensors",
  text_encoder: "model.safetensors",
};

/** The small SD-Turbo of test/reference/sd_turbo.py as diffusers would save it. */
async function writeSdTurbo(folder: string): Promise<void> {
  const json = (path: string, value: unknown) => writeFile(join(folder, path), JSON.stringify(value));
  for (const part of [...Object.keys(fixture.config), "tokenizer"]) await mkdir(join(folder, part));
  await json("model_index.json", { _class_name: "StableDiffusionPipeline" });
  for (const [part, file] of Object.entries(weightFiles) as [Part, string][]) {
    const tensors = Object.entries(fixture.shapes[part]).map(([key, shape]) => [
      key,
      { dtype: "float32" as const, shape, data: seededWeight(key, shape, `${part}/`) },
    ]);
    await json(`${part}/config.json`, fixture.config[part]);
    await writeSafetensors(join(folder, part, file), Object.fromEntries(tensors));
  }
  await json("scheduler/scheduler_config.json", {
    _class_name: "EulerDiscreteScheduler",
    ...fixture.config.scheduler,
  });
  await json("tokenizer/vocab.json", Object.fromEntries(vocabulary().map((token, id) => [token, id])));
  await writeFile(join(folder, "tokenizer/merges.txt"), "#version: 0.2\n");
  await json("tokenizer/tokenizer_config.json", { model_max_length: 77, pad_token: "!" });
  await json("tokenizer/special_tokens_map.json", {
    bos_token: "<|startoftext|>",
    eos_token: "<|endoftext|>",
    unk_token: "<|endoftext|>",
    pad_token: "!",
  });
}

/** CLIP's bytes as characters (transformers, bytes_to_unicode), each also as the end of a word, and no merges. */
function vocabulary(): string[] {
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  const shown = bytes.filter((byte) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173));
  const hidden = bytes.filter((byte) => !shown.includes(byte));
  const characters = [...shown, ...hidden.map((_, i) => 256 + i)].map((code) => String.fromCharCode(code));
  return [...characters, ...characters.map((each) => `${each}</w>`), "<|startoftext|>", "<|endoftext|>"];
}

/** Our loop with the settings of a recorded run. */
export async function optionsOf({ settings }: Run, models: Models): Promise<RefineOptions> {
  const { rewards, ...rest } = settings;
  const loaded = [];
  for (const { model, seed, weight } of rewards) loaded.push({ reward: await models.reward(model, seed), weight });
  return { ...rest, rewards: loaded, pipeline: models.pipeline, prompt, provider: "cpu", threads: 1 };
}

export async function runOf(run: Run, models: Models, more: Partial<RefineOptions> = {}): Promise<RefineStep[]> {
  const steps: RefineStep[] = [];
  for await (const step of refine({ ...(await optionsOf(run, models)), ...more })) steps.push(step);
  return steps;
}

/** The largest difference of any number of a step: as a part of it where it is above 1. */
export function stepDifference(got: RefineStep, want: RecordedStep): number {
  const words = stream("picture/places");
  const pixels = want.pixels.map((_, i) => got.pixels[words(i) % got.pixels.length]!);
  const pairs: [number | null, number | null][] = [
    ...Object.entries(want.rewards).map(([name, reward]): [number, number] => [got.rewards[name]!, reward]),
    [got.loss, want.loss],
    [want.regularizer === null ? null : got.regularizer, want.regularizer],
    [got.gradientNorm, want.gradientNorm],
    [got.latentsNorm, want.latentsNorm],
  ];
  const differences = pairs.map(([a, b]) => {
    if (a === null || b === null) return a === b ? 0 : Number.POSITIVE_INFINITY;
    return Math.abs(a - b) / Math.max(1, Math.abs(b));
  });
  return Math.max(
    ...differences.map((each) => (Number.isNaN(each) ? Number.POSITIVE_INFINITY : each)),
    largestDifference(pixels, want.pixels),
  );
}

/**
 * How many steps of a run are comparable, and how nearly they agree. Float32's roundings are magnified by every move: tenfold
 * in four moves here, so that another order of the same products moves Adam's tenth step by 9e-3. An update of L-BFGS is up to
 * ten moves, of steps that values alike to seven digits decide. The optimisers alone agree to 1e-15 (optimizers.test.ts).
 */
export const comparable = ({ settings }: Run): { steps: number; allowed: number } =>
  comparables[settings.optimizer ?? "sgd"];

const comparables = {
  sgd: { steps: 10, allowed: 1e-3 },
  adam: { steps: 8, allowed: 1e-3 },
  lbfgs: { steps: 2, allowed: 5e-2 },
} as const;

export const bestOf = (steps: readonly RefineStep[]): number => steps.at(-1)!.state.best.step;
