// What a file says about how its picture was made, as far as it takes to make it again.

import { RequestError } from "../../errors.ts";
import type { OneStep } from "../oneStep.ts";
import type { Conditioning, Pipeline, Size, WeightedStates } from "../pipeline.ts";
import type { Rounding } from "../resultFile.ts";

export interface Recipe extends Size {
  /** "forge", "a1111", "comfyui", ... */
  readonly host: string;
  readonly prompt: string;
  readonly negativePrompt: string;
  readonly guidance: number;
  readonly seed: number | bigint;
  /** The model's name, as the file tells it. */
  readonly model: string | null;
  /** Whole sentences on what is not followed. */
  readonly notes: readonly string[];
  /** How the host turns 0..1 into bytes: both A1111 and ComfyUI cut the fraction off. */
  readonly rounding: Rounding;
  condition(pipeline: Pipeline): Promise<Conditionings>;
  /** The noises that the picture may have begun from, the likeliest first. */
  noises(shape: LatentShape): readonly Candidate[];
  /** Other pictures that the same file may tell of: a graph can save several. */
  readonly others: readonly Recipe[];
}

/** The conditioning; where it hangs on numbers that the file does not tell, by those. */
export interface Conditionings {
  /** How many numbers that is. */
  readonly unknown: number;
  /** Each is 1 unless given. */
  of(factors?: readonly number[]): Conditioning;
  /** What the host had if it divided by 0: its picture is black then. */
  readonly undefinedStates?: Conditioning | undefined;
}

export const known = (conditioning: Conditioning): Conditionings => ({ unknown: 0, of: () => conditioning });

/** The sum of what the U-Net makes of several prompts, times weights that add up to 1; the first is the one that is wanted. */
export function mixture([wanted, ...others]: readonly WeightedStates[], step: OneStep): Conditioning {
  const { states: positive, weight: guidance } = wanted!;
  if (others.length === 1) return { positive, negative: others[0]!.states, guidance, step };
  return { positive, guidance: 1, ...(others.length > 0 && { others }), step };
}

export interface Candidate {
  readonly name: string;
  latents(): Float32Array;
}

/** [1, C, h, w] */
export type LatentShape = readonly [number, number, number, number];

export interface RecipeOptions {
  /** The picture's own size, where the metadata has none. */
  readonly imageSize?: Size | undefined;
  /** Takes prompt and noise from a picture of any number of steps, and the one step from the model that makes it anew. */
  readonly anySteps?: boolean | undefined;
}

/** Pixels per latent in every model that these hosts had when they wrote the file. */
const pixelsPerLatent = 8;

/** The hosts draw whole latents: what is left over of a side is cut off. */
export const wholeLatents = ({ width, height }: Size): Size => ({
  width: Math.floor(width / pixelsPerLatent) * pixelsPerLatent,
  height: Math.floor(height / pixelsPerLatent) * pixelsPerLatent,
});

export function checkedSide(size: Size, found: string): Size {
  if (size.width > 0 && size.height > 0) return size;
  throw new RequestError(`${found}, which is less than one latent of ${pixelsPerLatent} pixels.`);
}

const elsewhere =
  "Its prompt and noise can be taken all the same, and drawn in one step by a one-step model such as SD-Turbo: ask for any number of steps.";

/** For what stands between this picture and its re-making, but not between its prompt and noise and another one. */
export const notOneStep = (message: string): RequestError => new RequestError(message, { hint: elsewhere });

export function unknownSeed(): RequestError {
  return new RequestError("The file names no seed, so the noise that the picture began from is not known.", {
    hint: "Give a seed, or noise, yourself.",
  });
}
