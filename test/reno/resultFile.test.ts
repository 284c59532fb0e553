import { deflateSync } from "node:zlib";
import sharp from "sharp";
import { expect, test } from "vitest";
import { chunkData, png, withChunk } from "../../src/metadata/carriers/png.ts";
import { formatInfotext, readMetadata, withScores } from "../../src/metadata/index.ts";
import { ownTexts, readLatents, resultFile, type Text, textsOf, toBytes } from "../../src/reno/resultFile.ts";

const [width, height] = [8, 6];
const pixels = Float32Array.from({ length: 3 * width * height }, (_, i) => (i % 97) / 96);
const noise = Float32Array.from({ length: 4 * 3 * 4 }, (_, i) => Math.sin(i * 1.7) * 3);
const latents = { data: noise, shape: [1, 4, 3, 4] };
const making = { prompt: "a cat, a dog: both", seed: 2n ** 64n - 1n, width, height, model: "tiny", version: "0.1.0" };
const refinement = {
  settings: { optimizer: "sgd" },
  iterations: 12,
  best: 7,
  scores: { before: { ImageReward: -0.31 }, after: { ImageReward: 0.58123 } },
};

const made = (more: Partial<Parameters<typeof resultFile>[0]> = {}) =>
  resultFile({ pixels, width, height, texts: ownTexts(making), latents, ...more });

test("the pixels are rounded to 8 bits, and come back from the file", async () => {
  const { data, info } = await sharp(await made())
    .raw()
    .toBuffer({ resolveWithObject: true });
  expect([info.width, info.height, info.channels]).toEqual([width, height, 3]);
  expect(new Uint8Array(data)).toEqual(toBytes(pixels));
  const area = width * height;
  expect([...toBytes(pixels).subarray(0, 3)]).toEqual(
    [0, area, 2 * area].map((at) => Math.round(Math.fround(255 * pixels[at]!))),
  );
  expect([...toBytes(Float32Array.of(-0.1, 1.2, 2.6 / 255))]).toEqual([0, 255, 3]);
  expect([...toBytes(Float32Array.of(0, 1, 2.6 / 255), "down")]).toEqual([0, 255, 2]);
});

test("the file says how it was made, as hosts read it", async () => {
  const { prompt, seed, settings } = await readMetadata(await made());
  expect({ prompt, seed }).toEqual({ prompt: making.prompt, seed: making.seed });
  expect(settings).toMatchObject({
    Steps: 1,
    Sampler: "Euler",
    "CFG scale": 1,
    Size: "8x6",
    Model: "tiny",
    RNG: "CPU",
    Version: "Renoir 0.1.0",
  });
});

test("the noise comes back exactly: as float32, and in half the bytes where float16 has all its numbers", async () => {
  expect(readLatents(await made())).toEqual(latents);
  const halves = { data: Float32Array.of(1.5, -0.25, 0, 65504), shape: [1, 4, 1, 1] };
  const file = await made({ latents: halves });
  expect(chunkData(file, "rnLT")![1]).toBe(1);
  expect(readLatents(file)).toEqual(halves);
});

test("without latents the file has none", async () => {
  expect(readLatents(await made({ latents: undefined }))).toBeUndefined();
});

test("a refined picture tells its scores before and after, and what was done", async () => {
  const file = await made({ refinement });
  const metadata = await readMetadata(file);
  expect(metadata.prompt).toBe(making.prompt);
  expect(metadata.scores).toEqual({ ImageReward: 0.5812 });
  expect(metadata.warnings).toEqual([]);
  expect(metadata.infotext).toMatch(
    /Version: Renoir 0\.1\.0, ReNO iterations: 12, ReNO best: 7, ReNO ImageReward before: -0\.3100, ImageReward Score: 0\.5812$/,
  );
  const told = png.read(file, "png").carriers.find(({ keyword }) => keyword === "renoir refine")!;
  expect(JSON.parse(told.text)).toEqual({ v: 1, ...refinement });
});

test("of the source's texts all stay but its scores, and infotext keeps its other parameters", async () => {
  const text = formatInfotext("a cat", "", [
    ["Steps", "1"],
    ["Seed", "7"],
    ["ImageReward Score", "-1.0000"],
    ["Shapes Score", "0.5000"],
    ["Version", "v1.10.1"],
  ]);
  const source = await withTexts([
    ["parameters", text],
    ["extra", "kept"],
  ]);
  const texts = await textsOf(await withScores(source, { Other: 2 }));
  expect(texts).toEqual([
    ["parameters", "a cat\nSteps: 1, Seed: 7, Version: v1.10.1"],
    ["extra", "kept"],
  ]);
  const refined = await readMetadata(await made({ texts, refinement }));
  expect(refined.scores).toEqual({ ImageReward: 0.5812 });
  expect(refined.settings.Version).toBe("v1.10.1");
});

test("ComfyUI's graph stays beside the scores, and no infotext is put in its way", async () => {
  const graph = '{"3":{"class_type":"KSampler","inputs":{"seed":5}}}';
  const texts = await textsOf(
    await withTexts([
      ["prompt", graph],
      ["workflow", '{"nodes":[]}'],
    ]),
  );
  const { carriers } = png.read(await made({ texts, refinement }), "png");
  expect(carriers.map(({ keyword }) => keyword)).toEqual([
    "prompt",
    "workflow",
    "renoir refine",
    "ImageReward Score",
    "renoir",
  ]);
  expect(carriers[0]!.text).toBe(graph);
});

test("a refined picture's texts are its source's: nothing piles up", async () => {
  const once = await made({ refinement });
  const twice = await made({ texts: await textsOf(once), refinement: { ...refinement, best: 9 } });
  const { infotext } = await readMetadata(twice);
  expect(infotext!.match(/ReNO best/g)).toHaveLength(1);
  expect(infotext).toContain("ReNO best: 9");
});

test.each<[string, (chunk: Uint8Array) => Uint8Array, RegExp]>([
  ["too short", (chunk) => chunk.subarray(0, 5), /which has 5 bytes/],
  ["another version", (chunk) => changed(chunk, 0, 9), /later version/],
  ["no numbers", (chunk) => changed(chunk, 2, 0), /claims the shape \[0,4,3,4\]/],
  ["enormous", (chunk) => changed(chunk, 8, 255), /claims the shape/],
  ["a bomb", (chunk) => withNumbers(chunk, Buffer.alloc(2 ** 20)), /larger than its shape/],
  ["too few numbers", (chunk) => withNumbers(chunk, Buffer.alloc(8)), /smaller than its shape/],
  [
    "not compressed",
    (chunk) => new Uint8Array(Buffer.concat([chunk.subarray(0, 18), Buffer.alloc(30, 7)])),
    /can not be inflated/,
  ],
  ["not finite", (chunk) => withNumbers(chunk, Buffer.alloc(4 * 48, 0xff)), /not finite/],
])("noise that is %s is refused in words", async (_, damage, message) => {
  const file = await made();
  const damaged = withChunk(file, "rnLT", damage(chunkData(file, "rnLT")!));
  expect(() => readLatents(damaged, "cat.png")).toThrow(message);
});

test("noise whose checksum is wrong is not taken", async () => {
  const file = await made();
  const at = Buffer.from(file).indexOf("rnLT");
  file[at + 30]! ^= 1;
  expect(readLatents(file)).toBeUndefined();
});

const changed = (chunk: Uint8Array, at: number, byte: number) => chunk.with(at, byte);
const withNumbers = (chunk: Uint8Array, numbers: Buffer) =>
  new Uint8Array(Buffer.concat([chunk.subarray(0, 18), deflateSync(numbers)]));

async function withTexts(texts: readonly Text[]): Promise<Uint8Array> {
  const image = await sharp(toBytes(pixels), { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  return png.edit!(
    image,
    texts.map(([keyword, text]) => ({ do: "add", kind: "text", keyword, text }) as const),
  );
}
