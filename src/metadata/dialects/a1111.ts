// The A1111 family: infotext in `parameters`, EXIF UserComment or a comment. Who of the family it was is said by single parameters.
import { readInfotext } from "../infotext.ts";
import { parseJsonObject } from "../json.ts";
import { type Dialect, type Reading, seedOf, type Texts } from "./dialect.ts";

/** The first row that fits names the host: [parameter, its value, host]. */
const HOSTS: readonly (readonly [string, RegExp, string])[] = [
  ["App", /^SD\.Next/i, "sdnext"],
  ["Version", /^Fooocus/, "fooocus"],
  ["Version", /^ComfyUI/, "comfyui"],
  ["Version", /^InvokeAI/i, "invokeai"],
  ["Version", /^stable-diffusion\.cpp/, "sdcpp"],
  ["Version", /^Renoir /, "renoir"],
  ["Version", /^f\d/, "forge"], // 'f' + Forge's version + A1111's (launch_utils.py:94)
  ["Version", /^(?:v?\d+\.\d+|1\.)/, "a1111"],
  ["Civitai resources", /./, "civitai"],
  ["Version", /./, "a1111"],
];

/** Hosts that write infotext but say who they are in another carrier. */
function hostByCarrier(texts: Texts): string | null {
  if (texts.chunk("smproj", "parameters-json") !== undefined) return "stabilitymatrix";
  if (texts.chunk("fooocus_scheme") !== undefined) return "fooocus";
  const prompt = texts.chunk("prompt") ?? texts.chunk("workflow") ?? "";
  return /^\s*\{.*"(?:class_type|nodes)"/s.test(prompt.slice(0, 100_000)) ? "comfyui" : null;
}

/**
 * The text that counts: with parameters in it, else at least with a negative prompt, else a bare `parameters` chunk. Comments
 * without either are not prompts but words such as "CREATOR: gd-jpeg v1.0" and "Screenshot"; JSON of hosts not known is none either.
 */
export const a1111: Dialect = (texts) => {
  const plain = texts.main().filter((text) => parseJsonObject(text) === null);
  const readings = plain.map((text) => readInfotextOf(text, texts));
  const told =
    readings.find(({ settings }) => settings.size > 0) ??
    readings.find(({ negativePrompt }) => negativePrompt !== null);
  return told ?? readings.find(({ infotext }) => infotext === texts.parameters()) ?? null;
};

export function readInfotextOf(text: string, texts: Texts): Reading {
  const { prompt, negativePrompt, parameters, scores } = readInfotext(text);
  const host =
    hostByCarrier(texts) ?? HOSTS.find(([key, value]) => value.test(parameters.get(key) ?? ""))?.[2] ?? "a1111";
  const settings = new Map(
    [...parameters].map(([key, value]): [string, string | number] => [key, settingValue(key, value)]),
  );
  return { host, prompt, negativePrompt, seed: seedOf(parameters.get("Seed")), settings, scores, infotext: text };
}

/** A number where writing it again gives the same text; a hash of digits alone stays text. */
function settingValue(key: string, value: string): string | number {
  const number = Number(value);
  return String(number) === value && Number.isFinite(number) && !/hash|version/i.test(key) ? number : value;
}
