// Pictures to score: 1024 x 1024 PNGs, smooth with some grain, about as hard to decode as what models draw.

import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";

const side = 1024;

/** Makes `count` pictures in the folder where they are not there yet; number i is always the same. */
export async function makePictures(folder: string, count: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (let i = 0; i < count; i++) {
    const file = join(folder, `${String(i).padStart(3, "0")}.png`);
    if (!(await stat(file).catch(() => undefined))) {
      await sharp(pixels(i), { raw: { width: side, height: side, channels: 3 } })
        .png()
        .toFile(file);
    }
  }
}

function pixels(seed: number): Uint8Array {
  const data = new Uint8Array(3 * side * side);
  const waves = Array.from({ length: 12 }, (_, k) => {
    const r = (n: number) => Math.abs(Math.sin((seed + 1) * 12.9898 + k * 78.233 + n * 37.719) * 43758.5453) % 1;
    return { x: (r(0) - 0.5) * 0.08, y: (r(1) - 0.5) * 0.08, phase: 6.28 * r(2), color: [r(3), r(4), r(5)] };
  });
  let grain = seed + 1;
  for (let i = 0; i < side * side; i++) {
    grain = (Math.imul(grain, 1664525) + 1013904223) | 0;
    const noise = (grain >>> 28) - 8;
    const heights = waves.map(({ x, y, phase }) => Math.sin(x * (i % side) + y * Math.floor(i / side) + phase));
    for (let c = 0; c < 3; c++) {
      const sum = heights.reduce((total, height, k) => total + height * waves[k]!.color[c]!, 0);
      data[3 * i + c] = Math.min(255, Math.max(0, 128 + 40 * sum + noise));
    }
  }
  return data;
}
