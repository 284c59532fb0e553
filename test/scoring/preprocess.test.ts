import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { roundHalfEven } from "../../src/graph/index.ts";
import { bandsOf, type DecodedImage, type Mode } from "../../src/scoring/decode.ts";
import type { Samples } from "../../src/scoring/pilResize.ts";
import { centerWindow, pixelsForScoring, preprocess, resizedSize } from "../../src/scoring/preprocess.ts";

interface Case {
  mode: Mode;
  width: number;
  height: number;
  side: number;
  pixels: string;
  floats: string;
}

const { cases } = JSON.parse(readFileSync(new URL("fixtures/resize.json", import.meta.url), "utf8")) as {
  cases: Case[];
};

const WIDE: Partial<Record<Mode, new (values: Iterable<number>) => Samples>> = {
  "I;16": Uint16Array,
  I: Int32Array,
  F: Float32Array,
};

/** The picture of test/reference/images.py, hashed(). */
function hashed({ mode, width, height }: Case): DecodedImage {
  const noise = new Uint8Array(width * height * bandsOf(mode)).map((_, i) => Math.imul(i, 2654435761) >>> 24);
  const Wide = WIDE[mode];
  if (Wide) return { mode, width, height, data: new Wide(Array.from(noise, (value) => 3 * value)) };
  return { mode, width, height, data: mode === "1" ? noise.map((value) => (value > 127 ? 255 : 0)) : noise };
}

const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

for (const recorded of cases) {
  const { mode, width, height, side } = recorded;
  test(`${mode} ${width} x ${height} to ${side}: Pillow's pixels and torch's floats`, () => {
    const image = hashed(recorded);
    expect(sha256(pixelsForScoring(image, side))).toBe(recorded.pixels);
    expect(sha256(new Uint8Array(preprocess(image, side).buffer))).toBe(recorded.floats);
  });
}

test("the longer side is cut off to a whole number", () => {
  expect(resizedSize({ width: 1024, height: 1024 }, 224)).toEqual({ width: 224, height: 224 });
  expect(resizedSize({ width: 832, height: 1216 }, 224)).toEqual({ width: 224, height: 327 }); // 327.38
  expect(resizedSize({ width: 300, height: 1 }, 224)).toEqual({ width: 67200, height: 224 });
});

test("the crop starts at the even neighbour of a half", () => {
  expect([0.5, 1.5, 2.5, 51.5, 3, 3.2, 3.7].map(roundHalfEven)).toEqual([0, 2, 2, 52, 3, 3, 4]);
  expect(centerWindow({ width: 225, height: 227 }, 224)).toEqual({ left: 0, top: 2, width: 224, height: 224 });
});

test("the picture that came in stays as it is", () => {
  const image = hashed({ ...cases[0]!, mode: "RGBA", width: 40, height: 30 });
  const before = image.data.slice();
  pixelsForScoring(image, 8);
  pixelsForScoring({ ...image, width: 30, height: 40 }, 30);
  expect(image.data).toEqual(before);
});

test("a strip one pixel wide and millions long is cropped without being drawn whole", () => {
  const data = new Uint8Array(20_000_000).fill(7);
  for (const mode of ["1", "L"] as const) {
    const pixels = pixelsForScoring({ mode, width: 1, height: data.length, data }, 224);
    expect([pixels.length, pixels.every((value) => value === 7)]).toEqual([224 * 224 * 3, true]);
  }
});
