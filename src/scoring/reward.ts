// What every reward can do. One file implements each; loadReward.ts lists them.

import type { DecodedImage, ImageSource } from "./decode.ts";

/** A float picture [3, height, width], values 0..1, channel by channel. */
export interface FloatPicture {
  readonly data: Float32Array;
  readonly width: number;
  readonly height: number;
}

export interface Ranking {
  /** 1 for the best, in the order of the pictures. */
  readonly ranking: number[];
  readonly rewards: number[];
}

/** A picture made ready for one reward, by its `prepare`. */
export type Prepared = object;

export interface Reward {
  /** As it is written into files: "ImageReward". */
  readonly name: string;
  readonly dtype: string;
  score(prompt: string | readonly string[], images: readonly (ImageSource | Prepared)[]): Promise<number[]>;
  rank(prompt: string, images: readonly (ImageSource | Prepared)[]): Promise<Ranking>;
  gradient(prompt: string, picture: FloatPicture): Promise<{ reward: number; gradient: Float32Array }>;
  /** Decodes and resizes ahead of `score`. */
  prepare(image: ImageSource | DecodedImage): Promise<Prepared>;
  /** Builds what scoring needs; otherwise the first score does. */
  load(): Promise<void>;
  unload(): Promise<void>;
}
