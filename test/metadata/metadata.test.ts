import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readMetadata, writeScores } from "../../src/metadata/index.ts";
import {
  comment,
  exifSegment,
  hide,
  INFOTEXT,
  jpeg,
  LINE,
  png,
  textsOf,
  tiff,
  unicodeBe,
  webp,
  withChunk,
} from "./images.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "renoir-metadata-"));
});
afterAll(() => rm(folder, { recursive: true }));

let count = 0;
async function file(bytes: Buffer, extension = "png"): Promise<string> {
  const path = join(folder, `${count++}.${extension}`);
  await writeFile(path, bytes);
  return path;
}

/** Writes the score twice, demands that the second time changes nothing, and gives the file's bytes. */
async function scored(bytes: Buffer, extension = "png", scores: Record<string, number> = { ImageReward: 0.5812 }) {
  const path = await file(bytes, extension);
  const result = await writeScores(path, scores);
  const after = await readFile(path);
  const again = await writeScores(path, scores);
  expect(again).toMatchObject({ file: result.file, written: false });
  expect((await readFile(path)).equals(after)).toBe(true);
  return { path, result, after, metadata: await readMetadata(path) };
}

const scoredText = `${INFOTEXT}, ImageReward Score: 0.5812`;
const exifOf = (text: string) => tiff([], [[0x9286, 7, unicodeBe(text)]]);

test("a PNG's parameters get the score as a pair, and the whole is read back", async () => {
  const { result, after, metadata } = await scored(await png([["parameters", INFOTEXT]]));
  expect(result).toMatchObject({ written: true, carrier: "parameters" });
  expect(textsOf(after)).toContain(`parameters=${scoredText}`);
  expect(metadata).toMatchObject({
    format: "png",
    host: "a1111",
    prompt: "a cat",
    negativePrompt: "ugly",
    seed: 1,
    width: 8,
    height: 8,
    settings: { Steps: 20, Sampler: "Euler a", "CFG scale": 7, Size: "512x768" },
    scores: { ImageReward: 0.5812 },
    infotext: scoredText,
    warnings: [],
  });
  expect(metadata.carriers).toContainEqual({ kind: "tEXt", keyword: "parameters", bytes: scoredText.length });
});

test("the pixels are as they were", async () => {
  const before = await png([["parameters", INFOTEXT]]);
  const { after } = await scored(before);
  const [a, b] = await Promise.all([before, after].map((bytes) => sharp(bytes).raw().toBuffer()));
  expect(a!.equals(b!)).toBe(true);
});

test("cases 4 and 5: a prompt without parameters keeps its words, and the score has its own chunk", async () => {
  const { result, after, metadata } = await scored(await png([["parameters", "a cat, style: anime, mood: dark"]]));
  expect(result.carrier).toBe("ImageReward Score");
  expect(textsOf(after)).toContain("parameters=a cat, style: anime, mood: dark");
  expect(textsOf(after)).toContain("ImageReward Score=0.5812");
  expect(metadata).toMatchObject({
    prompt: "a cat, style: anime, mood: dark",
    scores: { ImageReward: 0.5812 },
    warnings: [],
  });
});

test("case 16: of two parameters the last counts, and both get the score", async () => {
  const other = `a dog\n${LINE}`;
  const { after, metadata } = await scored(
    await png([
      ["parameters", other],
      ["parameters", INFOTEXT],
    ]),
  );
  expect(metadata.prompt).toBe("a cat");
  expect(textsOf(after).filter((text) => /^parameters=.*, ImageReward Score: 0\.5812$/s.test(text))).toHaveLength(2);
});

test("also: 'Parameters' in capitals is the same place, read where there is no other", async () => {
  const { after, metadata } = await scored(await png([["Parameters", INFOTEXT]]));
  expect(metadata.prompt).toBe("a cat");
  expect(textsOf(after)).toContain(`Parameters=${scoredText}`);
});

test("case 28: UserComment in eXIf wins over parameters, and both get the score", async () => {
  const exif = `an exif cat\n${LINE}`;
  const { after, metadata } = await scored(withChunk(await png([["parameters", INFOTEXT]]), "eXIf", exifOf(exif)));
  expect(metadata).toMatchObject({ prompt: "an exif cat", infotext: `${exif}, ImageReward Score: 0.5812` });
  expect(textsOf(after)).toContain(`parameters=${scoredText}`);
});

test("case 30: NovelAI's signed texts stay byte for byte, in PNG and in WebP", async () => {
  const json = JSON.stringify({ prompt: "a cat", uc: "bad", steps: 28, scale: 5, seed: 7, signed_hash: "x" });
  const texts: [string, string][] = [
    ["Software", "NovelAI"],
    ["Description", "a cat"],
    ["Comment", json],
  ];
  const { after, metadata } = await scored(await png(texts));
  expect(textsOf(after)).toEqual(expect.arrayContaining([`Comment=${json}`, "ImageReward Score=0.5812"]));
  expect(textsOf(after).some((text) => text.startsWith("parameters="))).toBe(false);
  expect(metadata).toMatchObject({ host: "novelai", prompt: "a cat", seed: 7, scores: { ImageReward: 0.5812 } });
  const ascii = Buffer.concat([Buffer.from("ASCII\0\0\0"), Buffer.from(json)]);
  const signed = await webp(tiff([[0x131, 2, Buffer.from("NovelAI Diffusion\0")]], [[0x9286, 7, ascii]]));
  const sidecar = await scored(signed, "webp");
  expect(sidecar.after.equals(signed)).toBe(true);
  expect(sidecar.result.file).toBe(`${sidecar.path}.renoir.json`);
  expect(sidecar.metadata).toMatchObject({
    host: "novelai",
    prompt: "a cat",
    scores: { ImageReward: 0.5812 },
    warnings: [],
  });
});

for (const [signature, where, zip] of [
  ["stealth_pnginfo", "alpha", false],
  ["stealth_pngcomp", "alpha", true],
  ["stealth_rgbinfo", "rgb", false],
  ["stealth_rgbcomp", "rgb", true],
] as const) {
  test(`cases 31 and 32: ${signature} alone is read, and no bare parameters shadows it`, async () => {
    const text = Buffer.from(`日本 ${INFOTEXT}`);
    const { after, metadata } = await scored(await png([], hide(zip ? gzipSync(text) : text, signature, where)));
    expect(metadata).toMatchObject({
      host: "a1111",
      prompt: "日本 a cat",
      seed: 1,
      scores: { ImageReward: 0.5812 },
      warnings: [],
    });
    expect(textsOf(after).map((each) => each.split("=")[0])).toEqual(
      expect.arrayContaining(["ImageReward Score", "renoir"]),
    );
    expect(textsOf(after).some((each) => each.startsWith("parameters="))).toBe(false);
    expect(metadata.carriers).toContainEqual({ kind: "stealth", keyword: "parameters", bytes: text.length });
  });
}

test("stealth lengths and bombs are bounded: too long a text and 20 MB of zeros in gzip are no text", async () => {
  const long = hide(Buffer.from("x"), "stealth_pnginfo", "alpha");
  for (let y = 120; y < 152; y++) long.data[((y % 64) * 64 + Math.floor(y / 64)) * 4 + 3]! |= 1; // length 2^32 - 1
  expect((await readMetadata(await png([], long))).prompt).toBe(null);
  const bomb = hide(gzipSync(Buffer.alloc(20 << 20)), "stealth_pngcomp", "alpha", 512, 512);
  expect((await readMetadata(await png([], bomb))).prompt).toBe(null);
});

test("case 34: a JPEG's comment is carried over whole, with the score, since UserComment would shadow it", async () => {
  const { result, metadata } = await scored(await jpeg([comment(INFOTEXT)]), "jpg");
  expect(result).toMatchObject({ carrier: "UserComment", written: true });
  expect(metadata).toMatchObject({ prompt: "a cat", seed: 1, infotext: scoredText, scores: { ImageReward: 0.5812 } });
});

test("case 36: UserComment in each form is read, and gets the score in its own form", async () => {
  const text = `日本の猫\n${LINE}`;
  const forms = {
    be: unicodeBe(text),
    le: Buffer.concat([Buffer.from("UNICODE\0"), Buffer.from(text, "utf16le")]),
    bom: Buffer.concat([Buffer.from("UNICODE\0\xff\xfe", "latin1"), Buffer.from(text, "utf16le")]),
    nul: Buffer.concat([Buffer.alloc(8), Buffer.from(text)]),
    none: Buffer.from(text),
    utf8: Buffer.concat([Buffer.from("UNICODE\0"), Buffer.from(text)]),
  };
  for (const [form, bytes] of Object.entries(forms)) {
    const { after, metadata } = await scored(await jpeg([exifSegment(tiff([], [[0x9286, 7, bytes]]))]), "jpg");
    expect([form, metadata.prompt, metadata.scores]).toEqual([form, "日本の猫", { ImageReward: 0.5812 }]);
    expect([form, after.includes(bytes)]).toEqual([form, true]); // what was there still stands before what was added
  }
});

test("case 39: ComfyUI's WebP keeps Make and Model; its score lies beside it", async () => {
  const graph = JSON.stringify({
    1: { class_type: "KSampler", inputs: { seed: 5, positive: ["2", 0] } },
    2: { class_type: "CLIPTextEncode", inputs: { text: "a cat" } },
  });
  const bytes = await webp(
    tiff([
      [0x010f, 2, Buffer.from('workflow:{"nodes": []}\0')],
      [0x0110, 2, Buffer.from(`prompt:${graph}\0`)],
    ]),
  );
  const { result, after, metadata } = await scored(bytes, "webp");
  expect(after.equals(bytes)).toBe(true);
  expect(result).toMatchObject({ carrier: "sidecar .renoir.json", written: true });
  expect(metadata).toMatchObject({ host: "comfyui", prompt: "a cat", seed: 5, scores: { ImageReward: 0.5812 } });
});

test("decision 3: a JPEG that says nothing gets no bare UserComment", async () => {
  const bytes = await jpeg();
  const { after, metadata } = await scored(bytes, "jpg");
  expect(after.equals(bytes)).toBe(true);
  expect(metadata).toMatchObject({ host: null, prompt: null, scores: { ImageReward: 0.5812 } });
});

test("a GIF is not rewritten: infotext beside it gets the score, a caption beside it is left alone", async () => {
  const gif = await sharp({ create: { width: 2, height: 2, channels: 3, background: "red" } })
    .gif()
    .toBuffer();
  const path = await file(gif, "gif");
  const text = path.replace(".gif", ".txt");
  await writeFile(text, INFOTEXT);
  expect(await writeScores(path, { ImageReward: 0.5812 })).toMatchObject({ file: text, written: true });
  expect(await readFile(text, "utf8")).toBe(scoredText);
  expect(await readMetadata(path)).toMatchObject({ prompt: "a cat", scores: { ImageReward: 0.5812 } });
  await writeFile(text, "a photo of a cat");
  expect(await writeScores(path, { ImageReward: 0.5812 })).toMatchObject({ file: `${path}.renoir.json` });
  expect(await readFile(text, "utf8")).toBe("a photo of a cat");
});

test("a C2PA-signed PNG stays as it is, and its infotext with the score lies beside it", async () => {
  const bytes = withChunk(await png([["parameters", INFOTEXT]]), "caBX", Buffer.from("jumb"));
  const { path, result, after, metadata } = await scored(bytes);
  expect(after.equals(bytes)).toBe(true);
  expect(result.file).toBe(path.replace(".png", ".txt"));
  expect(await readFile(result.file, "utf8")).toBe(scoredText);
  expect(metadata.scores).toEqual({ ImageReward: 0.5812 });
});

test("SwarmUI's JSON gets the score in its scoring, every other byte kept, the average only where it is one", async () => {
  const before =
    '{\n  "sui_image_params": {\n    "prompt": "a cat",\n    "cfgscale": 7.0,\n    "seed": 42\n  },\n  "sui_extra_data": {\n    "date": "x",\n    "scoring": {"pickscore": 0.2, "average": 0.9}\n  }\n}';
  const { after, metadata } = await scored(await png([["parameters", before]]));
  expect(textsOf(after)).toContain(
    `parameters=${before.replace('"average": 0.9', '"average": 0.9, "ImageReward": 0.5812')}`,
  );
  expect(metadata).toMatchObject({ host: "swarmui", prompt: "a cat", scores: { pickscore: 0.2, ImageReward: 0.5812 } });
  const bare = await scored(await png([["parameters", '{"sui_image_params": {"prompt": "a"}}']]), "png", {
    ImageReward: 0.5,
    PickScore: 1.5,
  });
  expect(textsOf(bare.after)[0]).toBe(
    'parameters={"sui_image_params": {"prompt": "a"}, "sui_extra_data": {"scoring": {"ImageReward": 0.5000, "PickScore": 1.5000, "average": 1}}}',
  );
});

test("stale scores are told: another picture, another prompt, or a value that another tool has changed", async () => {
  const { after } = await scored(await png([["parameters", INFOTEXT]]));
  const texts = textsOf(after).map((text) => text.split(/=(.*)/s).slice(0, 2) as [string, string]);
  const moved = await readMetadata(await png(texts, { ...hide(Buffer.from("x"), "other", "rgb") }));
  expect(moved.warnings).toEqual(["The picture was changed or encoded anew since it was scored; score it again."]);
  const reworded = await readMetadata(await png(texts.map(([key, text]) => [key, text.replace("a cat", "a dog")])));
  expect(reworded.warnings).toEqual(["The scores were made for another prompt than the file now has; score it again."]);
  const clobbered = await readMetadata(
    await png(texts.map(([key, text]) => [key, text.replace("Score: 0.5812", "Score: 4.44")])),
  );
  expect(clobbered.scores).toEqual({ ImageReward: 0.5812 });
  expect(clobbered.warnings).toEqual([
    "Another tool has changed the ImageReward score to 4.44; Renoir's own record of it, 0.5812, is told.",
  ]);
});

test("scores by several rewards live together, and a new score replaces the old one", async () => {
  const path = await file(await png([["parameters", INFOTEXT]]));
  await writeScores(path, { ImageReward: 0.1 }, { model: "ImageReward.pt" });
  await writeScores(path, { PickScore: 21.25 });
  await writeScores(path, { ImageReward: -0.5 });
  expect(await readMetadata(path)).toMatchObject({ scores: { ImageReward: -0.5, PickScore: 21.25 }, warnings: [] });
  const record = textsOf(await readFile(path)).find((text) => text.startsWith("renoir="))!;
  expect(JSON.parse(record.slice(7))).toMatchObject({
    v: 1,
    model: "ImageReward.pt",
    scores: { ImageReward: -0.5, PickScore: 21.25 },
  });
});

test("other tools' chunks are read under their own names", async () => {
  const { scores } = await readMetadata(
    await png([
      ["aesthetic_score", "5.9"],
      ["parameters", `${INFOTEXT}, Score: 5.12`],
    ]),
  );
  expect(scores).toEqual({ Score: 5.12, aesthetic_score: 5.9 });
});

test("what is no image is refused by name, and leaves nothing behind", async () => {
  const path = await file(Buffer.from("hello"), "png");
  const before = await readdir(folder);
  await expect(writeScores(path, { ImageReward: 1 })).rejects.toThrow(/does not begin as a PNG/);
  await expect(writeScores(path, { ImageReward: Number.NaN })).rejects.toThrow(/score is NaN/);
  await expect(readMetadata(join(folder, "none.png"))).rejects.toThrow(/can not be read/);
  expect(await readdir(folder)).toEqual(before);
});
