// Fifty thousand small pictures for the library's bench: one encoded picture, and in each file another text, as A1111 and ComfyUI write it.

import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { applyEdits } from "../../metadata/carriers/carrier.ts";

const subjects = [
  "red fox",
  "old lighthouse",
  "astronaut",
  "cup of coffee",
  "steam train",
  "snow owl",
  "market at night",
];
const places = ["in the snow", "by the sea", "in a forest", "on a table", "under the stars", "in heavy rain"];
const styles = ["oil painting", "35mm photograph", "watercolor", "isometric render", "pencil sketch", "film still"];
const extras = [
  "highly detailed",
  "soft light",
  "golden hour",
  "wide angle",
  "bokeh",
  "muted colors",
  "8k",
  "sharp focus",
];
const models = ["dreamshaper_8", "sd_xl_base_1.0", "juggernautXL_v9", "flux1-schnell"];

const pick = (list: readonly string[], n: number): string => list[n % list.length]!;

export function promptOf(n: number): string {
  const scene = `a ${pick(subjects, n)} ${pick(places, Math.floor(n / 7))}, ${pick(styles, Math.floor(n / 3))}`;
  const words = Array.from({ length: 5 }, (_, i) => pick(extras, n * (i + 1) + i * 3));
  return `${scene}, ${[...new Set(words)].join(", ")}, take ${n}`;
}

/** Beyond what numbers hold exactly, as ComfyUI draws them. */
const seedOf = (n: number): bigint => (BigInt(n + 1) * 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn;

const a1111 = (n: number): [string, string] => [
  "parameters",
  `${promptOf(n)}\nNegative prompt: blurry, low quality\nSteps: ${20 + (n % 20)}, Sampler: Euler a, CFG scale: 7, Seed: ${seedOf(n)}, Size: 512x768, Model: ${pick(models, n)}, Version: v1.10.1`,
];

const comfyui = (n: number): [string, string] => [
  "prompt",
  JSON.stringify({
    "1": { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: `${pick(models, n)}.safetensors` } },
    "2": { class_type: "CLIPTextEncode", inputs: { text: promptOf(n), clip: ["1", 1] } },
    "3": { class_type: "CLIPTextEncode", inputs: { text: "blurry", clip: ["1", 1] } },
    "4": {
      class_type: "KSampler",
      inputs: { seed: n * 7919, steps: 20, cfg: 7, model: ["1", 0], positive: ["2", 0], negative: ["3", 0] },
    },
    "5": { class_type: "VAEDecode", inputs: { samples: ["4", 0], vae: ["1", 2] } },
    "6": { class_type: "SaveImage", inputs: { images: ["5", 0] } },
  }),
];

/** In folders of a thousand, as hosts make one a day. */
export async function makeLibraryPictures(folder: string, count: number): Promise<void> {
  const pixels = { create: { width: 16, height: 24, channels: 3 as const, background: "#8a4" } };
  const plain = new Uint8Array(await sharp(pixels).png().toBuffer());
  for (let from = 0; from < count; from += 1000) {
    const day = join(folder, `day-${String(from / 1000).padStart(3, "0")}`);
    await mkdir(day, { recursive: true });
    const wanted = Math.min(1000, count - from);
    if ((await readdir(day)).length === wanted) continue;
    for (let at = from; at < from + wanted; at += 50) {
      await Promise.all(Array.from({ length: Math.min(50, from + wanted - at) }, (_, i) => write(day, plain, at + i)));
    }
  }
}

function write(folder: string, plain: Uint8Array, n: number): Promise<void> {
  const [keyword, text] = n % 4 === 3 ? comfyui(n) : a1111(n);
  const bytes = applyEdits(plain, [{ do: "add", kind: "text", keyword, text }]);
  return writeFile(join(folder, `${String(n).padStart(5, "0")}-${seedOf(n)}.png`), bytes);
}
