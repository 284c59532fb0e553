// NovelAI: chunks Title, Description, Software, Source and Comment (JSON), or the same as EXIF tags in WebP, or as one JSON object in the
// alpha channel. Comment is signed together with the pixels (nai_sig.py:98 of novelai-image-metadata): it is read and never rewritten.
import { asObject, asString, type Json, type JsonObject, parseJsonObject } from "../json.ts";
import { type Dialect, type Names, reading, seedOf, setSize, settingsFrom, type Texts } from "./dialect.ts";

const NAMES: Names = [
  ["steps", "Steps"],
  ["sampler", "Sampler"],
  ["noise_schedule", "Schedule type"],
  ["scale", "CFG scale"],
  ["cfg_rescale", "CFG rescale"],
  ["seed", "Seed"],
  ["strength", "Denoising strength"],
];

export const novelai: Dialect = (texts) => {
  const found = comment(texts);
  if (!found) return null;
  const { json, description, source } = found;
  const settings = settingsFrom(json, NAMES);
  setSize(settings, json.width, json.height);
  if (source) settings.set("Model", source);
  return reading("novelai", {
    prompt: captions(json.v4_prompt) ?? asString(json.prompt) ?? description ?? null,
    negativePrompt: captions(json.v4_negative_prompt) ?? asString(json.uc) ?? "",
    seed: seedOf(json.seed),
    settings,
  });
};

/** Whether the file's texts are NovelAI's, so that its UserComment is under its signature. */
export function isNovelai(texts: Texts): boolean {
  return comment(texts) !== null;
}

interface Comment {
  json: JsonObject;
  description: string | undefined;
  source: string | undefined;
}

function comment(texts: Texts): Comment | null {
  const description = texts.chunk("Description") ?? texts.exif("ImageDescription");
  const source = texts.chunk("Source") ?? texts.exif("Software");
  const named = /NovelAI/i.test(`${texts.chunk("Software")} ${texts.exif("Software")}`);
  for (const text of [texts.chunk("Comment"), texts.exif("UserComment"), ...texts.main()]) {
    const json = parseJsonObject(text);
    const inner = parseJsonObject(asString(json?.Comment) ?? undefined); // the object of the alpha channel holds Comment as a text
    if (inner)
      return {
        json: inner,
        description: asString(json!.Description) ?? description,
        source: asString(json!.Source) ?? source,
      };
    if (json && (named || "signed_hash" in json || "uc" in json) && "scale" in json && !("c" in json))
      return { json, description, source };
  }
  return null;
}

/** A version 4 prompt: the scene, then each character, as one text. */
function captions(prompt: Json | undefined): string | null {
  const caption = asObject(asObject(prompt)?.caption);
  const base = asString(caption?.base_caption);
  if (base === null) return null;
  const characters = Array.isArray(caption!.char_captions) ? caption!.char_captions : [];
  const texts = characters.map((character) => asString(asObject(character)?.char_caption) ?? "");
  return [base, ...texts].filter((text) => text !== "").join(", ");
}
