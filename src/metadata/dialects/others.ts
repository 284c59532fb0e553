// Hosts with one JSON chunk and little else: TensorArt and Stability Matrix.
import { asString, type JsonObject, parseJsonObject } from "../json.ts";
import { type Dialect, type Names, reading, seedOf, setSize, settingsFrom } from "./dialect.ts";

interface Host {
  host: string;
  chunk: string;
  names: Names;
  prompt: string;
  negativePrompt: string;
  seed: string;
  size: [string, string];
}

const HOSTS: readonly Host[] = [
  {
    host: "tensorart",
    chunk: "generation_data",
    names: [
      ["steps", "Steps"],
      ["samplerName", "Sampler"],
      ["cfgScale", "CFG scale"],
      ["seed", "Seed"],
      ["clipSkip", "Clip skip"],
    ],
    prompt: "prompt",
    negativePrompt: "negativePrompt",
    seed: "seed",
    size: ["width", "height"],
  },
  {
    host: "stabilitymatrix",
    chunk: "parameters-json",
    names: [
      ["Steps", "Steps"],
      ["Sampler", "Sampler"],
      ["CfgScale", "CFG scale"],
      ["Seed", "Seed"],
      ["ModelName", "Model"],
    ],
    prompt: "PositivePrompt",
    negativePrompt: "NegativePrompt",
    seed: "Seed",
    size: ["Width", "Height"],
  },
];

export const others: Dialect = (texts) => {
  for (const host of HOSTS) {
    const json = parseJsonObject(texts.chunk(host.chunk)?.replace(/\0+$/, "")); // TensorArt ends its text with a NUL
    if (json) return fromJson(host, json);
  }
  return null;
};

function fromJson({ host, names, prompt, negativePrompt, seed, size }: Host, json: JsonObject) {
  const settings = settingsFrom(json, names);
  setSize(settings, json[size[0]], json[size[1]]);
  return reading(host, {
    prompt: asString(json[prompt]),
    negativePrompt: asString(json[negativePrompt]) ?? "",
    seed: seedOf(json[seed]),
    settings,
  });
}
