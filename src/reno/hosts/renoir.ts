// Renoir's own pictures: prompts as diffusers reads them, torch's noise on the CPU, and the model's own step.

import { RequestError } from "../../errors.ts";
import type { ImageMetadata } from "../../metadata/index.ts";
import { noise } from "../noise/index.ts";
import type { Size } from "../pipeline.ts";
import { known, type Recipe, type RecipeOptions, unknownSeed } from "./making.ts";

export function renoirRecipe(metadata: ImageMetadata, { imageSize }: RecipeOptions): Recipe {
  const { prompt, seed, settings } = metadata;
  if (prompt === null) throw new RequestError("The file names no prompt.", { hint: "Give one yourself." });
  if (seed === null) throw unknownSeed();
  const negativePrompt = metadata.negativePrompt ?? "";
  const guidance = Number(settings["CFG scale"] ?? 1);
  return {
    host: "renoir",
    prompt,
    negativePrompt,
    guidance,
    seed,
    model: settings.Model === undefined ? null : String(settings.Model),
    ...sizeOf(metadata, imageSize),
    notes: [],
    rounding: "nearest",
    condition: async (pipeline) => known(await pipeline.condition(prompt, { negativePrompt, guidance })),
    noises: (shape) => [
      { name: "noise of its seed", latents: () => noise({ host: "diffusers", seed, shape: [...shape] }) },
    ],
    others: [],
  };
}

function sizeOf({ width, height, settings }: ImageMetadata, imageSize: Size | undefined): Size {
  if (imageSize) return imageSize;
  if (width !== undefined && height !== undefined) return { width, height };
  const [, across, down] = /^(\d+)x(\d+)$/.exec(String(settings.Size ?? "")) ?? [];
  if (across && down) return { width: Number(across), height: Number(down) };
  throw new RequestError("Neither the file's text nor its pixels tell the picture's size.", {
    hint: "Give a size yourself.",
  });
}
