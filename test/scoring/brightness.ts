// A small reward for tests of what surrounds rewards: a picture fits "bright" by its mean brightness, and "dark" by the lack of it.

import { ImageError } from "../../src/errors.ts";
import type { Pixels, ScoringReward } from "../../src/scoring/scorer.ts";

export interface Brightness extends ScoringReward {
  /** How many pictures each call was given. */
  readonly calls: { prompt: string | string[]; pictures: number }[];
  unloaded: number;
}

export function brightness(name = "Brightness", dtype = "float32"): Brightness {
  const reward: Brightness = {
    name,
    dtype,
    calls: [],
    unloaded: 0,
    async score(prompt, images) {
      reward.calls.push({ prompt, pictures: images.length });
      return images.map((image, index) => scoreOne(Array.isArray(prompt) ? prompt[index]! : prompt, image));
    },
    async unload() {
      reward.unloaded += 1;
    },
  };
  return reward;
}

function scoreOne(prompt: string, { data, width, height, channels }: Pixels): number {
  if (data.length !== width * height * channels) throw new ImageError("The picture's size does not fit its pixels.");
  const mean = data.reduce((sum, value) => sum + value, 0) / data.length / 255;
  return prompt.includes("dark") ? 1 - mean : mean;
}

/** A picture of one grey. */
export const grey = (value: number): Pixels => ({
  data: new Uint8Array(4 * 4 * 3).fill(value),
  width: 4,
  height: 4,
  channels: 3,
});
