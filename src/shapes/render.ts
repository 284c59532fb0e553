// Pictures of scenes: deterministic, antialiased by 4 x 4 samples a pixel, 64 x 64 RGB.

import type { Random } from "./random.ts";
import { colours, type Ground, groundNames, grounds, outlines, type Placed, type Scene, side } from "./scene.ts";

/** 8-bit RGB, row by row, as image files and the rewards have it. */
export type Pixels = Uint8Array;

const samples = 4;

const empty = Object.fromEntries(
  groundNames.map((name) => [name, Uint8Array.from({ length: side * side * 3 }, (_, i) => grounds[name][i % 3]!)]),
) as Record<Ground, Pixels>;

export function render(scene: Scene): Pixels {
  const pixels = empty[scene.ground].slice();
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

/** `amount` of b laid over a. */
export const mix = (a: Pixels, b: Pixels, amount: number): Pixels =>
  a.map((value, i) => Math.round(value * (1 - amount) + b[i]! * amount));

/** Gaussian blur, edges repeated; sigma in pixels. */
export function blur(pixels: Pixels, sigma: number): Pixels {
  const reach = Math.ceil(3 * sigma);
  const kernel = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-(((i - reach) / sigma) ** 2) / 2));
  const total = kernel.reduce((a, b) => a + b);
  const pass = (from: Uint8Array | Float32Array, stride: number) => {
    const to = new Float32Array(from.length);
    for (let at = 0; at < from.length; at++) {
      const place = Math.floor(at / stride) % side;
      const start = at - place * stride;
      for (let k = -reach; k <= reach; k++)
        to[at]! += (kernel[k + reach]! / total) * from[start + stride * Math.min(side - 1, Math.max(0, place + k))]!;
    }
    return to;
  };
  return new Uint8Array(Uint8ClampedArray.from(pass(pass(pixels, 3), 3 * side)).buffer);
}

/** Independent normal noise on every channel; sigma in 8-bit steps. */
export function addNoise(pixels: Pixels, sigma: number, random: Random): Pixels {
  const noisy = new Uint8ClampedArray(pixels.length); // it rounds and clamps
  for (let i = 0; i < pixels.length; i++) noisy[i] = pixels[i]! + sigma * random.normal();
  return new Uint8Array(noisy.buffer);
}
