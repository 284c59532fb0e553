// Fooocus: JSON or infotext (its choice of scheme) in `parameters`, with `fooocus_scheme` beside it; in JPEG and WebP as UserComment in
// IFD0, with MakerNote as the scheme (meta_parser.py:641 at 59f183ab). Versions before 2.2 spelled the names as their page did.
import { asString, type JsonObject, parseJsonObject } from "../json.ts";
import { readInfotextOf } from "./a1111.ts";
import {
  type Dialect,
  type Names,
  type Reading,
  reading,
  seedOf,
  setSize,
  settingsFrom,
  type Texts,
} from "./dialect.ts";

const NAMES: Names = [
  ["steps", "Steps"],
  ["Steps", "Steps"],
  ["sampler", "Sampler"],
  ["Sampler", "Sampler"],
  ["scheduler", "Schedule type"],
  ["Scheduler", "Schedule type"],
  ["guidance_scale", "CFG scale"],
  ["Guidance Scale", "CFG scale"],
  ["sharpness", "Sharpness"],
  ["seed", "Seed"],
  ["Seed", "Seed"],
  ["base_model", "Model"],
  ["Base Model", "Model"],
  ["refiner_model", "Refiner"],
  ["performance", "Performance"],
  ["version", "Version"],
];

export const fooocus: Dialect = (texts) => {
  for (const text of texts.main()) {
    const json = parseJsonObject(text);
    if (json && isFooocus(json, texts)) return fromJson(json);
    if (!json && isScheme(texts)) return { ...readInfotextOf(text, texts), host: "fooocus" };
  }
  return null;
};

const isScheme = (texts: Texts) =>
  texts.chunk("fooocus_scheme") !== undefined || /^Fooocus/.test(texts.exif("Software") ?? "");

const isFooocus = (json: JsonObject, texts: Texts) =>
  isScheme(texts) ||
  json.metadata_scheme === "fooocus" ||
  /^Fooocus/.test(String(json.version)) ||
  "ADM Guidance" in json;

function fromJson(json: JsonObject): Reading {
  const settings = settingsFrom(json, NAMES);
  const [width, height] = (asString(json.resolution ?? json.Resolution) ?? "").match(/\d+/g) ?? []; // "(896, 1152)"
  setSize(settings, width, height);
  return reading("fooocus", {
    prompt: asString(json.prompt) ?? asString(json.Prompt),
    negativePrompt: asString(json.negative_prompt) ?? asString(json["Negative Prompt"]) ?? "",
    seed: seedOf(json.seed ?? json.Seed),
    settings,
  });
}
