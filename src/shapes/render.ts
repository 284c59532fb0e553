// Pictures of scenes: deterministic, antialiased by 4 x 4 samples a pixel, 64 x 64 RGB.

import type { Random } from "./random.ts";
import { colours, grounds, outlines, type Placed, type Scene, side } from "./scene.ts";

/** 8-bit RGB, row by row, as image files and the rewards have it. */
export type Pixels = Uint8Array;

const samples = 4;

export function render(scene: Scene): Pixels {
  const pixels = new Uint8Array(side * side * 3);
  for (let i = 0; i < pixels.length; i++) pixels[i] = grounds[scene.ground][i % 3]!;
  for (const shape of scene.shapes) draw(pixels, shape);
  return pixels;
}

/** Only pixels that the shape's square touches; what lies outside the picture is cut off. */
function draw(pixels: Pixels, { shape, colour, x, y, radius }: Placed): void {
  const first = (centre: number) => Math.max(0, Math.floor(centre - radius));
  const last = (centre: number) => Math.min(side - 1, Math.ceil(centre + radius));
  for (let row = first(y); row <= last(y); row++)
    for (let column = first(x); column <= last(x); column++)
      blend(pixels, 3 * (row * side + column), colours[colour], coverage(column, row));

  function coverage(column: number, row: number): number {
    let inside = 0;
    for (let i = 0; i < samples * samples; i++) {
      const u = (column + ((i % samples) + 0.5) / samples - x) / radius;
      const v = (row + (Math.floor(i / samples) + 0.5) / samples - y) / radius;
      if (outlines[shape](u, v)) inside++;
    }
    return inside / samples ** 2;
  }
}

function blend(pixels: Pixels, at: number, colour: readonly number[], amount: number): void {
  for (let c = 0; c < 3; c++) pixels[at + c] = Math.round(pixels[at + c]! * (1 - amount) + colour[c]! * amount);
}

/** Gaussian blur, edges repeated; sigma in pixels. */
export function blur(pixels: Pixels, sigma: number): Pixels {
  const reach = Math.ceil(3 * sigma);
  const kernel = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-(((i - reach) / sigma) ** 2) / 2));
  const total = kernel.reduce((a, b) => a + b);
  const pass = (from: ArrayLike<number>, stride: number) =>
    Float32Array.from(from, (_, at) => {
      const place = Math.floor(at / stride) % side;
      const start = at - place * stride;
      let sum = 0;
      for (let k = -reach; k <= reach; k++)
        sum += kernel[k + reach]! * from[start + stride * Math.min(side - 1, Math.max(0, place + k))]!;
      return sum / total;
    });
  return Uint8Array.from(pass(pass(pixels, 3), 3 * side), Math.round);
}

/** Independent normal noise on every channel; sigma in 8-bit steps. */
export const addNoise = (pixels: Pixels, sigma: number, random: Random): Pixels =>
  Uint8Array.from(pixels, (value) => Math.min(255, Math.max(0, Math.round(value + sigma * random.normal()))));
