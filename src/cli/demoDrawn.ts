// The demo's pictures where the built-in generator is not there: rendered ones, some right and some not.

import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { png } from "../metadata/carriers/png.ts";
import { formatInfotext } from "../metadata/index.ts";
import { check } from "../shapes/check.ts";
import { Random } from "../shapes/random.ts";
import { addNoise, blur, type Pixels, render } from "../shapes/render.ts";
import { parseSentence, place, side } from "../shapes/scene.ts";
import type { DemoPicture } from "./demoPictures.ts";
import { writeWhole } from "./writeWhole.ts";

/** What is drawn for "a red circle left of a blue square", and what is then done to it; null: what was asked for. */
const attempts: { name: string; shows: string | null; damage?: (pixels: Pixels, random: Random) => Pixels }[] = [
  { name: "right-1", shows: null },
  { name: "swapped-sides", shows: "a red circle right of a blue square" },
  { name: "wrong-colour", shows: "a green circle left of a blue square" },
  { name: "right-2", shows: null },
  { name: "blurred", shows: null, damage: (pixels) => blur(pixels, 4) },
  { name: "wrong-shape", shows: "a red triangle left of a blue square" },
  { name: "right-3", shows: null },
  { name: "one-missing", shows: "a red circle" },
  { name: "swapped-colours", shows: "a blue circle left of a red square" },
  { name: "noisy", shows: null, damage: (pixels, random) => addNoise(pixels, 90, random) },
  { name: "right-4", shows: null },
  { name: "one-too-many", shows: "a red circle left of two blue squares" },
];

/** Only the demo's own folder of pictures is emptied. */
export async function renderPictures(prompt: string, folder: string): Promise<DemoPicture[]> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  return await Promise.all(attempts.map((attempt, seed) => draw(attempt, seed, prompt, folder)));
}

async function draw(
  { name, shows, damage }: (typeof attempts)[number],
  seed: number,
  prompt: string,
  folder: string,
): Promise<DemoPicture> {
  const random = new Random(2024, seed);
  const clean = render(place({ ...parseSentence(shows ?? prompt), ground: "white" }, random));
  const pixels = damage ? damage(clean, random) : clean;
  const image = await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer();
  const text = formatInfotext(prompt, "", [
    ["Steps", "1"],
    ["Sampler", "drawn"],
    ["Seed", String(seed)],
    ["Size", `${side}x${side}`],
    ["Model", "shapes"],
  ]);
  const file = join(folder, `${String(seed + 1).padStart(2, "0")}-${name}.png`);
  await writeWhole(file, png.edit!(image, [{ do: "add", kind: "text", keyword: "parameters", text }]));
  const verdict = check(pixels, prompt);
  return { file, pixels, verdict: damage ? { ...verdict, right: false } : verdict };
}
