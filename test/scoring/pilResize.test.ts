import { expect, test } from "vitest";
import {
  mulDiv255,
  premultiply,
  type Raster,
  resizeBicubic,
  resizeNearest,
  unpremultiply,
} from "../../src/scoring/pilResize.ts";

const noise = (width: number, height: number, bands: number): Raster => ({
  width,
  height,
  bands,
  data: new Uint8Array(width * height * bands).map((_, i) => Math.imul(i, 2654435761) >>> 24),
});

/** The same rectangle, taken out of the whole result. */
function cut({ width, bands, data }: Raster, left: number, top: number, columns: number, rows: number): number[] {
  return Array.from({ length: rows }, (_, y) => {
    const from = ((top + y) * width + left) * bands;
    return [...data.slice(from, from + columns * bands)];
  }).flat();
}

// Rows first, columns first, growing, one axis kept.
const sizes = [
  { from: { width: 40, height: 31 }, to: { width: 13, height: 10 } },
  { from: { width: 20, height: 90 }, to: { width: 8, height: 36 } },
  { from: { width: 9, height: 7 }, to: { width: 27, height: 21 } },
  { from: { width: 16, height: 50 }, to: { width: 16, height: 20 } },
  { from: { width: 50, height: 16 }, to: { width: 20, height: 16 } },
];

for (const { from, to } of sizes) {
  for (const [name, resize] of Object.entries({ resizeBicubic, resizeNearest })) {
    test(`${name} ${from.width} x ${from.height} to ${to.width} x ${to.height}: a window is that part of the whole`, () => {
      for (const bands of [1, 2, 3, 4]) {
        const source = noise(from.width, from.height, bands);
        const whole = resize(source, to, { left: 0, top: 0, ...to });
        const part = resize(source, to, { left: 2, top: 3, width: 5, height: 4 });
        expect([...part.data]).toEqual(cut(whole, 2, 3, 5, 4));
      }
    });
  }
}

test("an edge overshoots and is cut off at 0 and 255", () => {
  // Pillow: Image.frombytes("L", (4, 1), bytes([0, 0, 255, 255])).resize((8, 1), Image.BICUBIC)
  const source = { width: 4, height: 1, bands: 1, data: Uint8Array.of(0, 0, 255, 255) };
  const { data } = resizeBicubic(source, { width: 8, height: 1 }, { left: 0, top: 0, width: 8, height: 1 });
  expect([...data]).toEqual([0, 0, 0, 52, 203, 255, 255, 255]);
});

test("a product with alpha is rounded as (a b + 127) / 255 would be", () => {
  for (let a = 0; a < 256; a++) for (let b = 0; b < 256; b++) expect(mulDiv255(a, b)).toBe(Math.round((a * b) / 255));
});

test("dividing by alpha cuts off, and never passes 255", () => {
  const source = { width: 4, height: 1, bands: 2, data: Uint8Array.of(100, 128, 10, 3, 77, 0, 77, 255) };
  expect([...premultiply(source).data]).toEqual([50, 128, 0, 3, 0, 0, 77, 255]);
  expect([...unpremultiply(source).data]).toEqual([199, 128, 255, 3, 77, 0, 77, 255]);
});
