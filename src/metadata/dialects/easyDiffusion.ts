// Easy Diffusion: one PNG chunk for each setting, or all of them as JSON in UserComment; version 2 spelled the names as its page did.
import { asString, type JsonObject, parseJsonObject } from "../json.ts";
import { type Dialect, type Names, reading, seedOf, setSize, settingsFrom, type Texts } from "./dialect.ts";

const NAMES: Names = [
  ["num_inference_steps", "Steps"],
  ["Steps", "Steps"],
  ["sampler_name", "Sampler"],
  ["Sampler", "Sampler"],
  ["guidance_scale", "CFG scale"],
  ["Guidance Scale", "CFG scale"],
  ["seed", "Seed"],
  ["Seed", "Seed"],
  ["use_stable_diffusion_model", "Model"],
  ["Stable Diffusion model", "Model"],
  ["use_vae_model", "VAE"],
  ["prompt_strength", "Denoising strength"],
  ["clip_skip", "Clip skip"],
];

/** What no other host has: a prompt alone could be anybody's. */
const MARKS = ["num_inference_steps", "use_stable_diffusion_model", "Stable Diffusion model", "Guidance Scale"];

export const easyDiffusion: Dialect = (texts) => {
  const json = fromChunks(texts) ?? parseJsonObject(texts.exif("UserComment")) ?? {};
  if (!MARKS.some((mark) => mark in json)) return null;
  const settings = settingsFrom(json, NAMES);
  setSize(settings, json.width ?? json.Width, json.height ?? json.Height);
  return reading("easydiffusion", {
    prompt: asString(json.prompt) ?? asString(json.Prompt),
    negativePrompt: asString(json.negative_prompt) ?? asString(json["Negative Prompt"]) ?? "",
    seed: seedOf(json.seed ?? json.Seed),
    settings,
  });
};

function fromChunks(texts: Texts): JsonObject | null {
  if (MARKS.every((mark) => texts.chunk(mark) === undefined)) return null;
  const chunks = texts.carriers.filter(({ kind }) => kind === "tEXt" || kind === "iTXt" || kind === "zTXt");
  return Object.fromEntries(chunks.map(({ keyword, text }) => [keyword, numeric(text)]));
}

const numeric = (text: string): string | number =>
  String(Number(text)) === text && Number.isFinite(Number(text)) ? Number(text) : text;
