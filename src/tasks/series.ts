// Several pictures from one origin: the seeds n, n + 1 ...

import { noise } from "../reno/noise/index.ts";
import { ownTexts, resultFile } from "../reno/resultFile.ts";
import { nextSeed } from "./making.ts";
import type { Origin } from "./origin.ts";

export interface Made {
  /** A PNG that says how it was made. */
  readonly file: Uint8Array;
  /** [3, H, W], 0..1 */
  readonly pixels: Float32Array;
  readonly seed: number | bigint | undefined;
}

export async function pictureOfSeries(origin: Origin, index: number): Promise<Made> {
  const { pipeline, prompt, conditioning, width, height, rounding } = origin;
  const seed = origin.seed === undefined ? undefined : nextSeed(origin.seed, index);
  const shape = pipeline.latentShape({ width, height });
  const latents = index === 0 ? origin.latents : noise({ host: "diffusers", seed: seed!, shape });
  const pixels =
    (index === 0 ? origin.pixels : undefined) ??
    (await pipeline.generate({ prompt, conditioning, latents, width, height })).pixels;
  const texts = index === 0 ? origin.texts : ownTexts({ ...origin.making, seed });
  // A seed says which noise it was; noise that was given is not to be had otherwise.
  const given = origin.latentsGiven ? { latents: { data: latents, shape } } : {};
  return { file: await resultFile({ pixels, rounding, width, height, texts, ...given }), pixels, seed };
}
