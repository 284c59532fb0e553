// Draw Things: JSON with short names, in exif:UserComment within XMP.
import { asString, type Json, parseJsonObject } from "../json.ts";
import { type Dialect, type Names, reading, seedOf, settingsFrom } from "./dialect.ts";

const NAMES: Names = [
  ["steps", "Steps"],
  ["sampler", "Sampler"],
  ["scale", "CFG scale"],
  ["seed", "Seed"],
  ["size", "Size"],
  ["model", "Model"],
  ["strength", "Denoising strength"],
];

const ENTITIES: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

export const drawThings: Dialect = (texts) => {
  const json = parseJsonObject(userComment(texts.xmp() ?? "")) ?? parseJsonObject(texts.exif("UserComment"));
  if (!json || asString(json.c) === null) return null;
  return reading("drawthings", {
    prompt: asString(json.c),
    negativePrompt: asString(json.uc) ?? "",
    seed: seedOf(json.seed as Json),
    settings: settingsFrom(json, NAMES),
  });
};

/** The text of exif:UserComment, as an element or as an attribute; found by its ends, for XMP can have megabytes. */
function userComment(xmp: string): string | undefined {
  const start = xmp.indexOf("exif:UserComment");
  if (start < 0) return undefined;
  const end = xmp.indexOf("</exif:UserComment", start);
  const text =
    end < 0
      ? xmp.slice(start).match(/^exif:UserComment\s*=\s*"([^"]*)"/)?.[1]
      : xmp.slice(xmp.indexOf(">", start) + 1, end);
  return text && unescapeXml(text.replace(/<[^<>]*>/g, "")).trim();
}

function unescapeXml(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-fA-F]{1,6})|(\w{2,4}));/g, (whole, decimal, hex, name) => {
    if (name) return ENTITIES[name] ?? whole;
    const code = decimal ? Number(decimal) : Number.parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
