// A small reward for tests of what surrounds rewards: a picture fits "bright" by its mean brightness, and "dark" by the lack of it.

import { ImageError } from "../../src/errors.ts";
import { type DecodedImage, decodeImage, type RawImage } from "../../src/scoring/decode.ts";
import type { ScoringReward } from "../../src/scoring/scorer.ts";

export interface Brightness extends ScoringReward {
  /** How many pictures each call was given. */
  readonly calls: { prompt: string | readonly string[]; pictures: number }[];
  unloaded: number;
}

export function brightness(name = "Brightness", dtype = "float32"): Brightness {
  const reward: Brightness = {
    name,
    dtype,
    calls: [],
    unloaded: 0,
    prepare: async (image) => (isDecoded(image) ? image : await decodeImage(image)),
    async score(prompt, images) {
      reward.calls.push({ prompt, pictures: images.length });
      return images.map((image, index) => {
        const own = typeof prompt === "string" ? prompt : prompt[index]!;
        return scoreOne(own, image as DecodedImage);
      });
    },
    async unload() {
      reward.unloaded += 1;
    },
  };
  return reward;
}

const isDecoded = (image: object | string): image is DecodedImage => typeof image === "object" && "mode" in image;

/** It refuses pictures 9 wide, and finds those 5 wide no number. */
function scoreOne(prompt: string, { data, width }: DecodedImage): number {
  if (width === 9) throw new ImageError("The picture is 9 wide.");
  if (width === 5) return Number.NaN;
  let sum = 0;
  for (const value of data) sum += value;
  const mean = sum / data.length / 255;
  return prompt.includes("dark") ? 1 - mean : mean;
}

/** A picture of one grey. */
export const grey = (value: number, width = 4): RawImage => ({
  data: new Uint8Array(width * 4 * 3).fill(value),
  width,
  height: 4,
  channels: 3,
});
