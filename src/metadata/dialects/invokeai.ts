// InvokeAI: `invokeai_metadata` since 3.0; before it `sd-metadata` (2.x), and `Dream`, the command line, before that.
import { asObject, asString, type Json, type JsonObject, parseJsonObject } from "../json.ts";
import { type Dialect, type Names, type Reading, reading, seedOf, setSize, settingsFrom } from "./dialect.ts";

const NAMES: Names = [
  ["steps", "Steps"],
  ["sampler", "Sampler"],
  ["sampler_name", "Sampler"],
  ["scheduler", "Sampler"],
  ["cfg_scale", "CFG scale"],
  ["guidance", "Distilled CFG Scale"],
  ["seed", "Seed"],
  ["strength", "Denoising strength"],
  ["clip_skip", "Clip skip"],
  ["rand_device", "RNG"],
  ["app_version", "Version"],
];

export const invokeai: Dialect = (texts) =>
  fromMetadata(parseJsonObject(texts.chunk("invokeai_metadata"))) ??
  fromLegacy(parseJsonObject(texts.chunk("sd-metadata"))) ??
  fromDream(texts.chunk("Dream"));

function fromMetadata(json: JsonObject | null): Reading | null {
  if (!json) return null;
  const settings = settingsFrom(json, NAMES);
  const model = asObject(json.model);
  const name = asString(model?.name) ?? asString(model?.model_name) ?? asString(json.model);
  if (name) settings.set("Model", name);
  setSize(settings, json.width, json.height);
  const style = [json.positive_style_prompt, json.negative_style_prompt].map(asString);
  return reading("invokeai", {
    prompt: asString(json.positive_prompt) ?? style[0] ?? null,
    negativePrompt: asString(json.negative_prompt) ?? style[1] ?? null,
    seed: seedOf(json.seed),
    settings,
  });
}

function fromLegacy(json: JsonObject | null): Reading | null {
  const image = asObject(json?.image);
  if (!json || !image) return null;
  const settings = settingsFrom({ ...image, app_version: json.app_version ?? null }, NAMES);
  const model = asString(json.model_weights) ?? asString(json.model);
  if (model) settings.set("Model", model);
  setSize(settings, image.width, image.height);
  return reading("invokeai", { ...splitBrackets(legacyPrompt(image.prompt)), seed: seedOf(image.seed), settings });
}

/** A text, or parts with weights, of which one is what nearly every file has. */
function legacyPrompt(prompt: Json | undefined): string {
  if (!Array.isArray(prompt)) return asString(prompt) ?? "";
  return prompt.map((part) => asString(asObject(part)?.prompt) ?? "").join(", ");
}

/** InvokeAI 2 had its negative prompt in square brackets within the prompt. */
function splitBrackets(prompt: string): { prompt: string; negativePrompt: string } {
  const negative = [...prompt.matchAll(/\[([^[\]]*)\]/g)].map(([, words]) => words!.trim());
  const positive = prompt.replace(/\s*\[[^[\]]*\]/g, "").trim();
  return { prompt: positive, negativePrompt: negative.join(", ") };
}

/** The switches of the command line: `"a cat" -s 50 -S 42 -W 512 -H 512 -C 7.5 -A k_lms`, with or without a space. */
const SWITCHES: Names = [
  ["s", "Steps"],
  ["A", "Sampler"],
  ["C", "CFG scale"],
  ["S", "Seed"],
  ["f", "Denoising strength"],
];

function fromDream(text: string | undefined): Reading | null {
  const match = text?.match(/^\s*"((?:\\.|[^"\\])*)"\s*(.*)$/s);
  if (!match) return null;
  const found = [...match[2]!.matchAll(/(?:^|\s)-([A-Za-z])\s*([^\s-]\S*)/g)].map(([, key, value]) => [key!, value!]);
  const values: JsonObject = Object.fromEntries(found.map(([key, value]) => [key, plain(value!)]));
  const settings = settingsFrom(values, SWITCHES);
  setSize(settings, values.W, values.H);
  return reading("invokeai", { ...splitBrackets(match[1]!), seed: seedOf(values.S), settings });
}

const plain = (text: string): string | number =>
  /^-?\d+(?:\.\d+)?$/.test(text) && text.length < 16 ? Number(text) : text;
