// The small ImageReward that test/reference/image_reward.py scored with, as a checkpoint on disk.

import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Checkpoint, openCheckpoint } from "../../src/weights/checkpoint.ts";
import { writeSafetensors } from "../../src/weights/safetensors.ts";
import fixture from "../models/fixtures/imageReward.json" with { type: "json" };
import { seededPicture, seededWeight } from "./seededWeights.ts";

export type ModelName = keyof typeof fixture.models;
type Config = (typeof fixture.models)[ModelName]["config"];
type Shapes = Record<string, readonly number[]>;

export const { prompts } = fixture;
export const modelNames = Object.keys(fixture.models) as ModelName[];
/** What upstream computed with the model of that name. */
export const recorded = (name: ModelName) => fixture.models[name];

/** The reward of a float picture and what its gradient is recognised by. */
interface GradientRecord {
  readonly picture: string;
  readonly size: readonly number[];
  readonly prompt: number;
  readonly reward: number;
  readonly norm: number;
  /** Entries of the gradient [3, height, width], and where they stand in it. */
  readonly places: readonly number[];
  readonly entries: readonly number[];
  /** Its products with seeded vectors. */
  readonly dots: readonly number[];
  /** All of it, where it is small. */
  readonly whole?: string;
}

export const recordedGradients = (name: ModelName): readonly GradientRecord[] => fixture.models[name].gradients;

const vocabulary = 30524;

/** Every tensor that the scores depend on, by the published checkpoint's keys. */
function shapesOf(config: Config): Shapes {
  return { ...visionShapes(config), ...textShapes(config), ...headShapes(config.textWidth) };
}

function visionShapes({ imageSize, patch, visionWidth: width, visionLayers }: Config): Shapes {
  const key = "blip.visual_encoder";
  const blocks = Array.from({ length: visionLayers }, (_, i) => `${key}.blocks.${i}`).map((block) => ({
    ...norm(`${block}.norm1`, width),
    ...linear(`${block}.attn.qkv`, width, 3 * width),
    ...linear(`${block}.attn.proj`, width, width),
    ...norm(`${block}.norm2`, width),
    ...linear(`${block}.mlp.fc1`, width, 4 * width),
    ...linear(`${block}.mlp.fc2`, 4 * width, width),
  }));
  return Object.assign({}, ...blocks, norm(`${key}.norm`, width), {
    [`${key}.cls_token`]: [1, 1, width],
    [`${key}.pos_embed`]: [1, (imageSize / patch) ** 2 + 1, width],
    [`${key}.patch_embed.proj.weight`]: [width, 3, patch, patch],
    [`${key}.patch_embed.proj.bias`]: [width],
  });
}

function textShapes({ visionWidth, textWidth: width, textLayers }: Config): Shapes {
  const key = "blip.text_encoder";
  const layers = Array.from({ length: textLayers }, (_, i) => `${key}.encoder.layer.${i}`).map((layer) => ({
    ...attention(`${layer}.attention`, width, width),
    ...attention(`${layer}.crossattention`, width, visionWidth),
    ...linear(`${layer}.intermediate.dense`, width, 4 * width),
    ...linear(`${layer}.output.dense`, 4 * width, width),
    ...norm(`${layer}.output.LayerNorm`, width),
  }));
  return Object.assign({}, ...layers, norm(`${key}.embeddings.LayerNorm`, width), {
    [`${key}.embeddings.word_embeddings.weight`]: [vocabulary, width],
    [`${key}.embeddings.position_embeddings.weight`]: [512, width],
  });
}

const attention = (key: string, width: number, asked: number): Shapes => ({
  ...linear(`${key}.self.query`, width, width),
  ...linear(`${key}.self.key`, asked, width),
  ...linear(`${key}.self.value`, asked, width),
  ...linear(`${key}.output.dense`, width, width),
  ...norm(`${key}.output.LayerNorm`, width),
});

const headWidths = [1024, 128, 64, 16, 1];
const headLayers = [0, 2, 4, 6, 7];

const headShapes = (width: number): Shapes =>
  Object.assign(
    {},
    ...headWidths.map((outputs, i) => linear(`mlp.layers.${headLayers[i]}`, headWidths[i - 1] ?? width, outputs)),
  );

const linear = (key: string, inputs: number, outputs: number): Shapes => ({
  [`${key}.weight`]: [outputs, inputs],
  [`${key}.bias`]: [outputs],
});

const norm = (key: string, width: number): Shapes => ({ [`${key}.weight`]: [width], [`${key}.bias`]: [width] });

/** Writes the model's checkpoint to a new folder under the system's temporary one, and opens it; the caller removes the folder. */
export async function openReferenceModel(name: ModelName, seed = ""): Promise<Checkpoint> {
  const path = join(await mkdtemp(join(tmpdir(), "renoir-reference-")), `${name}.safetensors`);
  const tensors = Object.entries(shapesOf(recorded(name).config)).map(([key, shape]) => [
    key,
    { dtype: "float32" as const, shape, data: seededWeight(key, shape, seed) },
  ]);
  await writeSafetensors(path, Object.fromEntries(tensors));
  return openCheckpoint(path);
}

/** The pictures that upstream scored, in order. */
export const referencePictures = (name: ModelName) =>
  recorded(name).pictures.map((picture) => {
    const [width, height] = picture.size as [number, number];
    return { data: seededPicture(picture.name, width, height), width, height, channels: 3 };
  });

/** A picture of a gradient case as floats [3, height, width]. */
export function floatPicture(name: string, [width, height]: readonly number[]) {
  const pixels = seededPicture(name, width!, height!);
  const area = width! * height!;
  const data = new Float32Array(3 * area).map((_, i) => pixels[(i % area) * 3 + Math.floor(i / area)]! / 255);
  return { data, width: width!, height: height! };
}
