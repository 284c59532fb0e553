// What diffusers' and transformers' models gave on the same weights and inputs: fixtures/diffusion.json, by
// test/reference/diffusion_models.py; and what ours give.

import { input } from "../../src/graph/index.ts";
import { decode, encode } from "../../src/models/autoencoderKl.ts";
import { type ClipTextOptions, clipText } from "../../src/models/clipText.ts";
import { clipTextOptions, parseClipTextConfig, parseUnetConfig, parseVaeConfig } from "../../src/models/config.ts";
import { unet } from "../../src/models/unet.ts";
import fixture from "../models/fixtures/diffusion.json" with { type: "json" };
import { inputs, type Recorded, run, type Shapes, seededModel, withGradient } from "./referenceDiffusion.ts";

const { unets, vaes, texts } = fixture;

interface UnetCase extends Recorded {
  readonly model: string;
  readonly sample: readonly number[];
  readonly text: readonly number[];
  readonly timestep: number;
  readonly shape: readonly number[];
}

interface TextCase extends Recorded {
  readonly model: string;
  readonly skipLayers?: number;
  readonly finalNorm?: boolean;
}

export const unetCases: readonly UnetCase[] = unets.cases;
export const textCases: readonly TextCase[] = texts.cases;
export const { decoded: decodeCases, encoded: encodeCases } = vaes;

const of = (models: object, name: string) =>
  (models as Readonly<Record<string, { readonly shapes: Shapes; readonly config: unknown }>>)[name]!;

export const unetModel = (name: string) => {
  const { shapes, config } = of(unets.models, name);
  return { shapes, config: parseUnetConfig(config, name) };
};

const vaeModel = async (name: string) => {
  const { shapes, config } = of(vaes.models, name);
  return { weights: await seededModel(shapes), config: parseVaeConfig(config, name) };
};

export const textModel = async (name: string) => {
  const { shapes, config } = of(texts.models, name);
  return { weights: await seededModel(shapes), options: clipTextOptions(parseClipTextConfig(config, name)) };
};

/** What our model gives: its outputs, by the names that the reference's have, and the shape of the first. */
export interface Given {
  readonly shape: readonly number[];
  readonly got: Readonly<Record<string, Float32Array>>;
}

export async function unetOf(want: UnetCase): Promise<Given> {
  const shapes = { sample: want.sample, text: want.text };
  const { sample, text, timestep } = inputs({ ...shapes, timestep: [1] });
  const model = unetModel(want.model);
  const output = unet(await seededModel(model.shapes), sample, timestep, text, model.config);
  const outputs = want.gradient ? withGradient(output, sample) : { output };
  return { shape: output.shape, got: await run(outputs, shapes, { timestep: Float32Array.of(want.timestep) }) };
}

export async function decodeOf(want: (typeof decodeCases)[number]): Promise<Given> {
  const { latents } = inputs({ latents: want.latents });
  const { weights, config } = await vaeModel(want.model);
  const output = decode(weights, latents, config);
  return { shape: output.shape, got: await run(withGradient(output, latents), { latents: want.latents }) };
}

export async function encodeOf(want: (typeof encodeCases)[number]): Promise<Given> {
  const { image } = inputs({ image: want.image });
  const { weights, config } = await vaeModel(want.model);
  const { mean, logVariance } = encode(weights, image, config);
  return { shape: mean.shape, got: await run({ ...withGradient(mean, image), logVariance }, { image: want.image }) };
}

export const textIds = input("ids", [texts.ids.length, texts.ids[0]!.length], "int64");

/** The tokens' states. */
export async function textOf({ model, output: _, ...more }: TextCase): Promise<Given> {
  const { weights, options } = await textModel(model);
  const output = clipText(weights, textIds, { ...options, ...(more as Partial<ClipTextOptions>) });
  return { shape: output.shape, got: await run({ output }, {}, { ids: BigInt64Array.from(texts.ids.flat(), BigInt) }) };
}
