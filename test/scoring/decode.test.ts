import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ImageError } from "../../src/errors.ts";
import { decodeImage, decodeToFloat, toRgb } from "../../src/scoring/decode.ts";
import { pixelsForScoring } from "../../src/scoring/preprocess.ts";
import { bytesOf, fixture, largestDifference, pillow, samplesOf } from "./reference.ts";

/**
 * libheif and libavif turn the same YUV into RGB with other roundings, and bring half-size colour back to full size in other ways
 * (libheif repeats it, libavif blends): measured on these noisy fixtures. Everything else agrees exactly.
 */
const TOLERANCE: Record<string, { samples: number; scored: number }> = {
  "444.avif": { samples: 1, scored: 1 },
  "exif5.avif": { samples: 1, scored: 1 },
  "exif6.avif": { samples: 1, scored: 1 },
  "exif7.avif": { samples: 1, scored: 1 },
  "alpha.avif": { samples: 1, scored: 8 }, // divided by a small alpha
  "420.avif": { samples: 80, scored: 30 },
};
const EXACT = { samples: 0, scored: 0 };

/** Where Pillow trips over itself, or forgives more than libpng does. */
const DIFFERENT: Record<string, "read" | "refused"> = {
  "local-ramp.gif": "read", // Pillow: "image has wrong mode", a slip in its own loader
  "no-last-crc.png": "refused", // the last four bytes of the pixels' chunk are gone
};

test("the fixtures cover every mode", () => {
  const modes = new Set(Object.values(pillow).map(({ mode }) => mode));
  expect([...modes].filter(Boolean).sort()).toEqual(
    ["1", "CMYK", "F", "I", "I;16", "I;16B", "L", "LA", "P", "RGB", "RGBA"].sort(),
  );
});

for (const [name, recorded] of Object.entries(pillow)) {
  const expected = DIFFERENT[name] ?? (recorded.error ? "refused" : "read");
  if (expected === "refused") {
    test(`${name}: refused`, async () => {
      const refusal = await decodeImage(fixture(name)).catch((error) => error);
      expect(refusal).toBeInstanceOf(ImageError);
      expect(refusal.message).toContain(name);
    });
    continue;
  }
  if (recorded.error) continue;
  const allowed = TOLERANCE[name] ?? EXACT;
  test(`${name}: mode and samples are Pillow's`, async () => {
    const image = await decodeImage(fixture(name));
    expect([image.mode, image.width, image.height]).toEqual([recorded.mode, recorded.width, recorded.height]);
    expect(largestDifference(image.data, samplesOf(recorded))).toBeLessThanOrEqual(allowed.samples);
  });
  test(`${name}: scored pixels are upstream's`, async () => {
    const image = await decodeImage(fixture(name));
    for (const [side, pixels] of Object.entries(recorded.sides)) {
      const difference = largestDifference(pixelsForScoring(image, Number(side)), bytesOf(pixels));
      expect(difference, `side ${side}`).toBeLessThanOrEqual(allowed.scored);
    }
  });
}

test("a GIF whose own palette is a gray ramp is gray", async () => {
  const image = await decodeImage(fixture("local-ramp.gif"));
  expect(image.mode).toBe("L");
  expect(Math.max(...image.data)).toBe(15);
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "renoir-decode-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** What a file is refused with. */
async function refusal(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  const error = await decodeImage(path).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(ImageError);
  expect(error.message).toContain(path);
  return error.message;
}

/** A PNG that claims a size and holds next to nothing. */
async function claimingPng(width: number, height: number): Promise<Uint8Array> {
  const bytes = await readFile(fixture("l.png"));
  bytes.writeUInt32BE(width, 16);
  bytes.writeUInt32BE(height, 20);
  bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29);
  return bytes;
}

test("files that are no pictures are refused, and the message says what they are", async () => {
  expect(await refusal("empty.png", "")).toContain("is empty: it has 0 bytes");
  expect(await refusal("text.png", "hello world, I am text")).toContain('It begins with "hello world,"');
  expect(await refusal("drawing.svg", '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')).toContain(
    "SVG",
  );
  expect(await refusal("drawing2.svg", '<?xml version="1.0"?>\n<svg width="9" height="9"/>')).toContain("SVG");
  expect(await refusal("paper.pdf", "%PDF-1.7\n")).toContain("PDF");
  expect(await refusal("old.bmp", "BM\0\0\0\0\0\0\0\0\0\0\0\0")).toContain(
    "PNG, JPEG, WebP, AVIF, GIF and TIFF are read",
  );
});

test("a folder and a missing file are refused", async () => {
  await expect(decodeImage(folder)).rejects.toThrow(
    `${folder} can not be opened as a picture: it is a folder, not a file.`,
  );
  await expect(decodeImage(join(folder, "no.png"))).rejects.toThrow("there is no such file");
});

test("a picture of 300 megapixels is refused before it is decoded", async () => {
  const start = performance.now();
  expect(await refusal("bomb.png", await claimingPng(20_000, 15_000))).toContain(
    "is 20000 x 15000 = 300,000,000 pixels, and at most 178,956,970 are read",
  );
  const gif = Buffer.from("GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;", "latin1");
  expect(await refusal("bomb.gif", gif)).toContain("65535 x 65535");
  expect(performance.now() - start).toBeLessThan(2000);
});

test("bytes are read like files", async () => {
  expect(await decodeImage(await readFile(fixture("ycck.jpg")))).toEqual(await decodeImage(fixture("ycck.jpg")));
});

test("samples are taken as they are, if their number fits", async () => {
  const data = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  expect(await decodeImage({ data, width: 1, height: 2, channels: 4 })).toEqual({
    mode: "RGBA",
    data,
    width: 1,
    height: 2,
  });
  expect((await decodeImage({ data, width: 2, height: 2, channels: 2 })).mode).toBe("LA");
  await expect(decodeImage({ data, width: 3, height: 2, channels: 3 })).rejects.toThrow(
    "has 8 samples, but 3 x 2 pixels of 3 channels take 18",
  );
  await expect(decodeImage({ data, width: 0, height: 2, channels: 3 })).rejects.toThrow("0 x 2 pixels");
  await expect(decodeImage({ data, width: 4, height: 2, channels: 5 })).rejects.toThrow("5 channels");
});

test("pixels for gradients are RGB planes from 0 to 1", async () => {
  const { pixels, width, height } = await decodeToFloat(fixture("rgba.png"));
  const rgb = toRgb(await decodeImage(fixture("rgba.png")));
  expect([width, height, pixels.length]).toEqual([17, 12, 3 * 17 * 12]);
  expect(pixels[5 * 17 + 4]).toBe(Math.fround(rgb[3 * (5 * 17 + 4)]! / 255));
  expect(pixels[2 * 204 + 5 * 17 + 4]).toBe(Math.fround(rgb[3 * (5 * 17 + 4) + 2]! / 255));
});
