// The very picture: from what a file says about its making to the conditioning, step and noise that the host had, and to the picture.

import { RequestError } from "../errors.ts";
import type { ImageMetadata } from "../metadata/index.ts";
import type { JsonObject } from "../metadata/json.ts";
import { a1111Recipe } from "./hosts/a1111.ts";
import { comfyRecipe } from "./hosts/comfyui.ts";
import { Fit } from "./hosts/fit.ts";
import type { Candidate, Recipe, RecipeOptions } from "./hosts/making.ts";
import { renoirRecipe } from "./hosts/renoir.ts";
import type { Conditioning, Pipeline, Size } from "./pipeline.ts";
import { toBytes } from "./resultFile.ts";

export type { Recipe, RecipeOptions } from "./hosts/making.ts";

/** Hosts whose infotext follows A1111's rules for prompts, samplers and noise. */
const likeA1111 = new Set(["a1111", "forge"]);

/** Throws where the file does not say enough, or tells of a picture that one step can not give. */
export function recipeOf(metadata: ImageMetadata, options: RecipeOptions = {}): Recipe {
  const { host, settings } = metadata;
  if (/^Renoir/i.test(String(settings.Version ?? ""))) return renoirRecipe(metadata, options);
  if (metadata.graph) return graphRecipe(metadata, metadata.graph, options);
  if (host !== null && likeA1111.has(host)) return a1111Recipe(metadata, options);
  if (host === null) {
    throw new RequestError("The file says nothing about how the picture was made.", {
      hint: "Give prompt, seed and size yourself.",
    });
  }
  if (options.anySteps) return a1111Recipe(metadata, options);
  throw new RequestError(
    `The picture is ${host}'s, whose pictures are not made again here: A1111's, Forge's and ComfyUI's are.`,
    {
      hint: "Its prompt and seed can be taken all the same, and drawn in one step by a one-step model: ask for any number of steps.",
    },
  );
}

/** Prompt and seed can be had of graphs too that are not followed; ComfyUI's noise of one picture is what we draw ourselves. */
function graphRecipe(metadata: ImageMetadata, graph: JsonObject, options: RecipeOptions): Recipe {
  try {
    return comfyRecipe(metadata, graph, options);
  } catch (error) {
    if (!options.anySteps || !(error instanceof RequestError)) throw error;
    return { ...renoirRecipe({ ...metadata, settings: {} }, options), host: "comfyui" };
  }
}

export interface Original extends Size {
  /** RGB, row by row. */
  readonly data: Uint8Array;
  readonly channels: 3;
}

export interface Recreated extends Size {
  /** [3, H, W], 0..1 */
  readonly pixels: Float32Array;
  /** The noise [1, C, h, w] before scaling. */
  readonly latents: Float32Array;
  readonly conditioning: Conditioning;
  /** Mean of absolute differences from the original, 0..255. */
  readonly difference?: number;
  /** Which of the possible noises it was. */
  readonly candidate: string;
  /** The recipe that gave it: a file may tell of several pictures. */
  readonly recipe: Recipe;
}

/** So near to the original that nothing else is tried: other noise is far above, rounding far below. */
const nearEnough = 0.5;

/** Makes the picture again: tries what the file leaves open, keeps the nearest to the original, or the likeliest without one. */
export async function recreate(pipeline: Pipeline, recipe: Recipe, original?: Original): Promise<Recreated> {
  const tries: Try[] = [];
  const isBlack = original?.data.every((byte) => byte === 0) ?? false;
  for (const one of [recipe, ...recipe.others]) {
    const conditionings = await one.condition(pipeline);
    const shape = pipeline.latentShape(pipeline.checkedSize(one));
    if (isBlack && conditionings.undefinedStates) {
      return await blackened(pipeline, one, conditionings.undefinedStates, original);
    }
    for (const candidate of one.noises(shape)) {
      const noise = candidate.latents();
      const draw: Draw = (factors) =>
        drawn(pipeline, one, { ...candidate, noise }, conditionings.of(factors), original);
      const made = await draw();
      if (made.difference === undefined || made.difference <= nearEnough) return made;
      tries.push({ made, draw, unknown: conditionings.unknown, isOther: one !== recipe });
    }
  }
  tries.sort((a, b) => a.made.difference! - b.made.difference!);
  const open = tries.filter(({ unknown }) => unknown > 0).sort((a, b) => Number(a.isOther) - Number(b.isOther));
  return await searched(tries[0]!.made, open, original);
}

/** Looks for each unknown number: a short search tells the right noise, a longer one of that its numbers. */
const shortSearch = 25;
const longSearch = 75;

async function searched(first: Recreated, tries: readonly Try[], original: Original | undefined): Promise<Recreated> {
  let best = first;
  const searches = tries.map(({ made, draw, unknown }) => ({
    unknown,
    search: new Nearest(made, draw, unknown, original!),
  }));
  for (const { search, unknown } of searches) {
    if (best.difference! <= nearEnough) return best;
    best = nearer(best, await search.improve(shortSearch * unknown));
  }
  const leading = searches.find(({ search }) => search.best === best);
  return leading && best.difference! > nearEnough ? await leading.search.improve(longSearch * leading.unknown) : best;
}

const nearer = (a: Recreated, b: Recreated): Recreated => (b.difference! < a.difference! ? b : a);

type Draw = (factors?: readonly number[]) => Promise<Recreated>;

/** A picture with the numbers that the file does not tell left at 1, and the way to others. */
interface Try {
  readonly made: Recreated;
  readonly draw: Draw;
  readonly unknown: number;
  /** Of another recipe than the likeliest. */
  readonly isOther: boolean;
}

async function drawn(
  pipeline: Pipeline,
  recipe: Recipe,
  candidate: { readonly name: string; readonly noise: Float32Array },
  conditioning: Conditioning,
  original: Original | undefined,
): Promise<Recreated> {
  const { prompt, width, height } = recipe;
  const made = await pipeline.generate({ prompt, width, height, latents: candidate.noise, conditioning });
  const comparable = original && original.width === width && original.height === height;
  const difference = comparable ? meanDifference(toBytes(made.pixels, recipe.rounding), original.data) : undefined;
  return {
    ...made,
    conditioning,
    candidate: candidate.name,
    recipe,
    ...(difference !== undefined && { difference }),
  };
}

/** Hosts write numbers that are none as 0. */
async function blackened(
  pipeline: Pipeline,
  recipe: Recipe,
  conditioning: Conditioning,
  original: Original | undefined,
): Promise<Recreated> {
  const [{ name, latents }] = recipe.noises(pipeline.latentShape(pipeline.checkedSize(recipe))) as [Candidate];
  const note =
    "The picture is black: its host divided the prompt's states by their mean, which is 0 in this model, and no noise changes that.";
  const told = { ...recipe, notes: [...recipe.notes, note] };
  return await drawn(pipeline, told, { name, noise: latents() }, conditioning, original);
}

/** Finds the numbers that the file does not tell from the picture itself. */
class Nearest {
  best: Recreated;
  readonly #fit: Fit;

  constructor(first: Recreated, draw: Draw, unknown: number, original: Original) {
    this.best = first;
    const residuals = async (factors: readonly number[]) => {
      const made = factors.every((factor) => factor === 1) ? first : await draw(factors);
      this.best = nearer(this.best, made);
      return distances(made.pixels, original.data);
    };
    this.#fit = new Fit(residuals, unknown, nearEnough);
  }

  async improve(looks: number): Promise<Recreated> {
    await this.#fit.improve(looks);
    return this.best;
  }
}

/** In steps of 8 bits; what the host cut off when it rounded down is one half on average. */
function distances(pixels: Float32Array, original: Uint8Array): Float32Array {
  const area = pixels.length / 3;
  return pixels.map((value, i) => {
    const byte = original[3 * (i % area) + Math.floor(i / area)]!;
    return 255 * value - Math.min(byte + 0.5, 255);
  });
}

function meanDifference(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum / a.length;
}
