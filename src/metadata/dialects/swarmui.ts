// SwarmUI: JSON { sui_image_params, sui_extra_data?, sui_models? } in `parameters`, or UserComment, or EXIF Model (ImageFile.cs:195 at 062407c7).
import { asNumber, asObject, asString, type JsonObject, parseJsonObject } from "../json.ts";
import { type Dialect, type Names, reading, seedOf, setSize, settingsFrom } from "./dialect.ts";

const NAMES: Names = [
  ["steps", "Steps"],
  ["sampler", "Sampler"],
  ["scheduler", "Schedule type"],
  ["cfgscale", "CFG scale"],
  ["fluxguidancescale", "Distilled CFG Scale"],
  ["seed", "Seed"],
  ["model", "Model"],
  ["vae", "VAE"],
  ["variationseed", "Variation seed"],
  ["variationseedstrength", "Variation seed strength"],
  ["initimagecreativity", "Denoising strength"],
  ["swarm_version", "Version"],
];

/** SwarmUI takes the first text where others take the last; files with two are not known, so the family's order stands. */
export const swarmui: Dialect = (texts) => {
  const json = [...texts.main(), texts.exif("Model")].map((text) => swarmJson(text)).find((found) => found !== null);
  const params = asObject(json?.sui_image_params);
  if (!json || !params) return null;
  const settings = settingsFrom(params, NAMES);
  setSize(settings, params.width, params.height);
  return reading("swarmui", {
    prompt: asString(params.prompt),
    negativePrompt: asString(params.negativeprompt) ?? "",
    seed: seedOf(params.seed),
    settings,
    scores: swarmScores(json, params),
  });
};

export function swarmJson(text: string | undefined): JsonObject | null {
  const json = text?.includes("sui_image_params") ? parseJsonObject(text) : null;
  return asObject(json?.sui_image_params) ? json : null;
}

/** Older versions kept the scores among the parameters (swarmui_gridgen_local.js:7 still reads both). */
function swarmScores(json: JsonObject, params: JsonObject): Map<string, number> {
  const scoring = asObject(asObject(json.sui_extra_data)?.scoring) ?? asObject(params.scoring) ?? {};
  const scores = Object.entries(scoring).map(([name, value]): [string, number | null] => [name, asNumber(value)]);
  return new Map(scores.filter((entry): entry is [string, number] => entry[1] !== null && entry[0] !== "average"));
}
