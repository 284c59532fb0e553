// What every reward can do. One file implements each; loadReward.ts lists them.

import { RequestError } from "../errors.ts";
import type { Feeds, Tensor } from "../graph/index.ts";
import type { DecodedImage, ImageInput } from "./decode.ts";

/** A float picture [3, height, width], values 0..1, channel by channel. */
export interface FloatPicture {
  readonly data: Float32Array;
  readonly width: number;
  readonly height: number;
}

/** A float picture with its size, with its shape [3, H, W] (or [1, 3, H, W]), or bare: then it is square unless a size comes with it. */
export type FloatPixels =
  | FloatPicture
  | { readonly data: Float32Array; readonly shape: readonly number[] }
  | Float32Array;

export function floatPicture(pixels: FloatPixels, size?: { width: number; height: number }): FloatPicture {
  const data = pixels instanceof Float32Array ? pixels : pixels.data;
  const { width, height } = sizeOf(pixels, size);
  if (data.length > 0 && data.length === 3 * width * height) return { data, width, height };
  throw new RequestError(`The picture has ${data.length} numbers, but 3 x ${height} x ${width} were wanted.`, {
    hint: "Give { data, width, height } with channels first: all of red, all of green, all of blue.",
  });
}

function sizeOf(pixels: FloatPixels, size?: { width: number; height: number }) {
  if (size) return size;
  if ("width" in pixels) return pixels;
  if ("shape" in pixels) return { height: pixels.shape.at(-2) ?? 0, width: pixels.shape.at(-1) ?? 0 };
  const side = Math.round(Math.sqrt(pixels.length / 3));
  return { width: side, height: side };
}

export interface Ranking {
  /** 1 for the best, in the order of the pictures. */
  readonly ranking: number[];
  readonly rewards: number[];
}

export interface RewardGradient {
  readonly reward: number;
  /** [3, H, W] as the picture. */
  readonly gradient: Float32Array;
}

/** A reward as part of a larger graph. */
export interface RewardGraph {
  /** One number, [1]: float32. */
  readonly reward: Tensor;
  /** What the graph's own inputs, such as the prompt's tokens, are fed. */
  readonly feeds: Feeds;
}

/** A picture made ready for one reward, by its `prepare`. */
export type Prepared = object;

export interface Reward {
  /** As it is written into files: "ImageReward". */
  readonly name: string;
  readonly dtype: string;
  /** ReNO's loss is weight · (offset − reward): the weight unless another is asked. */
  readonly reno: { readonly weight: number; readonly offset: number };
  score(prompt: string | readonly string[], images: readonly (ImageInput | Prepared)[]): Promise<number[]>;
  rank(prompt: string, images: readonly (ImageInput | Prepared)[]): Promise<Ranking>;
  gradient(prompt: string, pixels: FloatPixels, size?: { width: number; height: number }): Promise<RewardGradient>;
  /**
   * The reward of a float picture [1, 3, H, W] (0..1, any size) through ReNO's preprocessing, to be differentiated.
   * Its input for the prompt is called `name`: two rewards in one graph need two names.
   */
  graph(image: Tensor, prompt: string, name?: string): RewardGraph;
  /** Decodes and resizes ahead of `score`. */
  prepare(image: ImageInput | DecodedImage): Promise<Prepared>;
  /** Builds what scoring needs; otherwise the first score does. */
  load(): Promise<void>;
  unload(): Promise<void>;
}
