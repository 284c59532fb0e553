// How much of each prompt's prediction Forge and ComfyUI put into a picture: fixtures/hostMixtures.json, by
// test/reference/host_mixtures.py; and what our recipes make of the same files.

import { Texts } from "../../src/metadata/dialects/dialect.ts";
import { readDialect } from "../../src/metadata/dialects/index.ts";
import type { ImageMetadata } from "../../src/metadata/index.ts";
import type { ClipTokenizer } from "../../src/reno/clipTokenizer.ts";
import type { Conditioning, Embedding, Pipeline } from "../../src/reno/pipeline.ts";
import { recipeOf } from "../../src/reno/recipe.ts";
import { alphasCumprod } from "../../src/reno/schedule.ts";
import expected from "../reno/fixtures/hostMixtures.json" with { type: "json" };

const letters = "abcdefgh";

const tokenizer: ClipTokenizer = {
  encode: (text) => [...text.trim()].map((letter) => letter.charCodeAt(0)),
  padded: () => [],
  begin: 1,
  end: 2,
  pad: 2,
  length: 77,
  size: 50_000,
};

/** As the script's model: the state of a prompt is 1 at its letter's place. */
async function encodeChunks(chunks: readonly (readonly number[])[]): Promise<Embedding[]> {
  const stateOf = (ids: readonly number[]) =>
    Float32Array.from(letters, (letter) => Number(ids[1] === letter.charCodeAt(0)));
  return chunks.map((ids) => ({ data: stateOf(ids), tokens: 1, width: letters.length }));
}

/** What recipes ask of a pipeline. */
export const letterPipeline = {
  tokenizer,
  encodeChunks,
  alphasCumprod: alphasCumprod(),
  predictionType: "epsilon",
} as unknown as Pipeline;

/** The parts of each letter's state in the picture, if the U-Net's output is the mean of the states that it is given. */
function partsOf({ positive, negative, guidance, others = [], step }: Conditioning): number[] {
  const mean = ({ data, tokens }: Embedding) =>
    Array.from(letters, (_, i) => data.filter((_, at) => at % letters.length === i).reduce((a, b) => a + b) / tokens);
  const wanted = mean(positive);
  let parts = wanted;
  if (negative) parts = mean(negative).map((value, i) => value + guidance * (wanted[i]! - value));
  for (const { states, weight } of others) {
    const other = mean(states);
    parts = parts.map((value, i) => value + weight * (other[i]! - wanted[i]!));
  }
  return parts.map((value) => value * step.skip); // 1 of a denoised picture; Forge multiplies it without guidance
}

/** What a file of 64x64 pixels with this text says. */
function metadataOf(keyword: "parameters" | "prompt", text: string): ImageMetadata {
  const texts = new Texts([{ kind: "tEXt", keyword, text, encoding: "utf-8", index: 0 }]);
  const { settings, scores, infotext = null, warnings = [], ...read } = readDialect(texts)!;
  return {
    format: "png",
    ...{ width: 64, height: 64, infotext, warnings, carriers: [], scores: {} },
    ...read,
    settings: Object.fromEntries(settings),
  };
}

export const graphMetadata = (graph: string): ImageMetadata => metadataOf("prompt", graph);

const ours = async (metadata: ImageMetadata): Promise<number[]> =>
  partsOf((await recipeOf(metadata).condition(letterPipeline)).of());

const infotext = ({ prompt, negative, guidance }: (typeof expected.forge)[number]) =>
  `${prompt}\nNegative prompt: ${negative}\nSteps: 1, Sampler: Euler, Schedule type: Automatic, CFG scale: ${guidance}, ` +
  "Seed: 1, Size: 64x64, Model: x, Version: f2.0.1v1.10.1-previous-669-gdfdcbab6";

export const mixtures = [
  ...expected.forge.map((one) => ({
    name: `forge: ${one.prompt}, guidance ${one.guidance}`,
    got: () => ours(metadataOf("parameters", infotext(one))),
    want: one.parts,
  })),
  ...expected.comfyui.map(({ name, graph, parts }) => ({
    name: `comfyui: ${name}`,
    got: () => ours(graphMetadata(graph)),
    want: parts,
  })),
];
