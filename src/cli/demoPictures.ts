// The demo's pictures for one prompt: drawn by the built-in generator from one seed after another, each with its making in its file.

import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { noise } from "../reno/noise/index.ts";
import type { Pipeline } from "../reno/pipeline.ts";
import { ownTexts, resultFile, toBytes } from "../reno/resultFile.ts";
import { check, type Verdict } from "../shapes/check.ts";
import { side } from "../shapes/scene.ts";
import { version } from "../tasks/version.ts";
import { writeWhole } from "../tasks/writeWhole.ts";

export interface DemoPicture {
  readonly file: string;
  /** 8-bit RGB, as the file has them. */
  readonly pixels: Uint8Array;
  /** By an exact look at the pixels that no reward has seen. */
  readonly verdict: Verdict;
}

/** Only the demo's own folder of pictures is emptied. */
export async function drawPictures(
  pipeline: Pipeline,
  prompt: string,
  count: number,
  folder: string,
): Promise<DemoPicture[]> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const conditioning = await pipeline.condition(prompt);
  const pictures: DemoPicture[] = [];
  for (let seed = 1; seed <= count; seed++) {
    const size = { width: side, height: side };
    const latents = noise({ host: "diffusers", seed, shape: pipeline.latentShape(size) });
    const { pixels } = await pipeline.generate({ prompt, ...size, latents, conditioning });
    const texts = ownTexts({ prompt, seed, ...size, model: pipeline.name, version: version() });
    const file = join(folder, `${String(seed).padStart(2, "0")}.png`);
    await writeWhole(file, await resultFile({ pixels, ...size, texts }));
    const bytes = toBytes(pixels);
    pictures.push({ file, pixels: bytes, verdict: check(bytes, prompt) });
  }
  return pictures;
}
