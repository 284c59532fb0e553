import { deflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { MetadataError } from "../../../src/errors.ts";
import { applyEdits, readCarriers } from "../../../src/metadata/carriers/carrier.ts";
import {
  carrier,
  carriersOf,
  chunk,
  chunksOf,
  edited,
  fixture,
  infotext,
  pair,
  pngWith,
  scored,
  unicode,
} from "./build.ts";

const addText = (keyword: string, text: string) => ({ do: "add", kind: "text", keyword, text }) as const;
const types = (png: Uint8Array) => chunksOf(png).map((c) => c.type);

test("an infotext of A1111 is read and gets its score in a tEXt chunk at the same place", () => {
  const before = fixture("infotext.png");
  expect(readCarriers(before)).toEqual({
    format: "png",
    width: 21,
    height: 13,
    carriers: [{ kind: "tEXt", keyword: "parameters", text: infotext, encoding: "ascii", index: 0 }],
    warnings: [],
    signed: undefined,
  });
  const after = edited(before, scored(before, "parameters"));
  expect(types(after)).toEqual(types(before));
  expect(carrier(after, "parameters")).toMatchObject({ kind: "tEXt", text: infotext + pair });
});

test("case 8: emoji, right-to-left, CJK and combining characters go to iTXt and come back", () => {
  const before = fixture("unicode.png");
  expect(carrier(before, "parameters")).toMatchObject({ kind: "iTXt", text: unicode, encoding: "utf-8" });
  const after = edited(before, scored(before, "parameters"));
  expect(carrier(after, "parameters")).toMatchObject({ kind: "iTXt", text: unicode + pair });
});

test("case 8: a lone surrogate written as a JSON escape stays an escape", () => {
  const json = String.raw`{"text": "\ud83d broken"}`;
  const after = edited(fixture("plain.png"), addText("prompt", json));
  expect(carrier(after, "prompt")).toMatchObject({ kind: "tEXt", text: json });
});

test("case 9: Latin-1 in tEXt is read as such and keeps its bytes when the score is appended", () => {
  const before = fixture("latin1.png");
  const text = infotext.replace("a cat", "a café");
  expect(carrier(before, "parameters")).toMatchObject({ text, encoding: "latin1" });
  const after = edited(before, scored(before, "parameters"));
  expect(Buffer.from(after).includes(Buffer.from(`parameters\0${text}${pair}`, "latin1"))).toBe(true);
});

test("case 10: UTF-8 in tEXt is read as such and keeps its bytes when the score is appended", () => {
  const before = fixture("utf8_in_text.png");
  expect(carrier(before, "parameters")).toMatchObject({ kind: "tEXt", text: unicode, encoding: "utf-8" });
  const after = edited(before, scored(before, "parameters"));
  expect(Buffer.from(after).includes(Buffer.from(`tEXtparameters\0${unicode}${pair}`, "utf8"))).toBe(true);
});

test("a Latin-1 text whose bytes would be read as UTF-8 is written as iTXt", () => {
  const after = edited(fixture("plain.png"), addText("parameters", "Ã©"));
  expect(carrier(after, "parameters")).toMatchObject({ kind: "iTXt", text: "Ã©" });
});

test("case 15: a workflow of 5 MB is read and its neighbour edited, and it stays uncompressed", () => {
  const workflow = `{"nodes": "${"n".repeat(5_000_000)}"}`;
  const before = pngWith({
    before: [chunk("tEXt", `workflow\0${workflow}`), chunk("tEXt", `parameters\0${infotext}`)],
  });
  const after = edited(before, scored(before, "parameters"));
  expect(carrier(after, "workflow")).toMatchObject({ kind: "tEXt", text: workflow });
  expect(after.length).toBe(before.length + pair.length);
});

test("case 16: of two chunks of one keyword both are found in file order, and each can be replaced", () => {
  const before = fixture("two_parameters.png");
  const both = carriersOf(before).filter((c) => c.keyword === "parameters");
  expect(both.map((c) => [c.kind, c.text, c.index])).toEqual([
    ["tEXt", "first", 0],
    ["iTXt", "zweites ü", 2],
  ]);
  const after = edited(before, ...both.map((c) => ({ do: "replace", carrier: c, text: `${c.text}!` }) as const));
  expect(carriersOf(after).map((c) => c.text)).toEqual(["first!", "x", "zweites ü!"]);
});

test("case 17: a compressed iTXt with a language is found by its keyword and becomes plain, language kept", () => {
  const before = fixture("itxt_compressed_language.png");
  expect(carrier(before, "parameters")).toMatchObject({ kind: "iTXt", text: unicode });
  const after = edited(before, scored(before, "parameters"));
  const head = Buffer.from("iTXtparameters\0\0\0ja\0パラメータ\0", "utf8");
  expect(Buffer.from(after).includes(Buffer.concat([head, Buffer.from(unicode + pair)]))).toBe(true);
});

test("case 18: zTXt is inflated, and replaced by tEXt", () => {
  const before = fixture("ztxt.png");
  expect(carrier(before, "parameters")).toMatchObject({ kind: "zTXt", text: infotext });
  const after = edited(before, scored(before, "parameters"));
  expect(carrier(after, "parameters")).toMatchObject({ kind: "tEXt", text: infotext + pair });
});

test("case 19: a zTXt bomb is not inflated past 16 MiB, and the file is not edited", () => {
  const bomb = Buffer.concat([Buffer.from("bomb\0\0"), deflateSync(Buffer.alloc(64 * 1024 * 1024))]);
  const png = pngWith({ before: [chunk("tEXt", `parameters\0${infotext}`), chunk("zTXt", bomb)] });
  const { carriers, warnings } = readCarriers(png);
  expect(carriers.map((c) => c.keyword)).toEqual(["parameters"]);
  expect(warnings).toEqual(['zTXt "bomb" inflates to more than 16777216 bytes; it is not read.']);
  expect(() => applyEdits(png, [scored(png, "parameters")])).toThrow(/inflates to more than/);
});

test("case 19: many compressed texts together are inflated to 64 MiB at most", () => {
  const fifteen = Buffer.concat([Buffer.from("big\0\0"), deflateSync(Buffer.alloc(15 * 1024 * 1024, "a"))]);
  const { carriers, warnings } = readCarriers(
    pngWith({ before: Array.from({ length: 8 }, () => chunk("zTXt", fifteen)) }),
  );
  expect(carriers).toHaveLength(4);
  expect(warnings).toHaveLength(4);
});

test("case 20: a bad checksum is told with its place, the text is read, and the file is not edited", () => {
  const broken = chunk("tEXt", `parameters\0${infotext}`);
  broken[broken.length - 1]! ^= 1;
  const png = pngWith({ before: [broken] });
  expect(readCarriers(png)).toMatchObject({
    carriers: [{ text: infotext }],
    warnings: ["The checksum of the tEXt chunk at byte 33 is wrong."],
  });
  expect(() => applyEdits(png, [scored(png, "parameters")])).toThrow(MetadataError);
});

test("case 21: a file cut in its IDAT, its text or before IEND is read up to there and not edited", () => {
  const whole = fixture("infotext.png");
  const cutAt = (needle: string, by: number) => whole.subarray(0, Buffer.from(whole).indexOf(needle) + by);
  const cuts = [
    { png: cutAt("IDAT", 20), found: 1, why: /IDAT chunk at byte \d+ ends past the end/ },
    { png: cutAt("Steps: 20", 4), found: 0, why: /tEXt chunk at byte 33 ends past the end/ },
    { png: cutAt("IEND", -4), found: 1, why: /ends before its IEND/ },
  ];
  for (const { png, found, why } of cuts) {
    const result = readCarriers(png);
    expect(result.carriers).toHaveLength(found);
    expect(result.warnings.join()).toMatch(why);
    expect(() => applyEdits(png, [addText("renoir", "{}")])).toThrow(why);
  }
});

test("case 22: bytes after IEND stay", () => {
  const before = pngWith({ before: [chunk("tEXt", `parameters\0${infotext}`)], rest: "PK\x03\x04 a zip" });
  const after = edited(before, scored(before, "parameters"));
  expect(Buffer.from(after).toString("latin1").endsWith("IEND\xaeB`\x82PK\x03\x04 a zip")).toBe(true);
});

test("case 23: text after IDAT is found and replaced where it is", () => {
  const before = pngWith({ after: [chunk("tEXt", `parameters\0${infotext}`)] });
  const after = edited(before, scored(before, "parameters"));
  expect(types(after)).toEqual(["IHDR", "IDAT", "tEXt", "IEND"]);
  expect(carrier(after, "parameters").text).toBe(infotext + pair);
});

test("case 24: comf and private chunks and 1500 texts keep their order", () => {
  const texts = Array.from({ length: 1500 }, (_, i) => chunk("tEXt", `key${i}\0value ${i}`));
  const before = pngWith({
    before: [...texts, chunk("prVt", "\x01\x02")],
    after: [chunk("comf", 'prompt\0{"a": 1}'), chunk("tEXt", `parameters\0${infotext}`)],
  });
  expect(carrier(before, "key1499").text).toBe("value 1499");
  expect(carrier(before, "prompt")).toMatchObject({ kind: "comf", text: '{"a": 1}' });
  const after = edited(before, scored(before, "parameters"), addText("renoir", "{}"));
  const expected = types(before);
  expected.splice(expected.indexOf("IDAT"), 0, "tEXt");
  expect(types(after)).toEqual(expected);
  expect(carriersOf(after).slice(0, 1500)).toEqual(carriersOf(before).slice(0, 1500));
});

for (const name of ["apng.png", "interlaced.png", "grey16.png", "palette_trns.png", "rgba.png"]) {
  const number = name === "apng.png" ? 25 : 26;
  test(`case ${number}: of ${name} every chunk but the edited text keeps its bytes and place`, () => {
    const before = fixture(name);
    const after = edited(before, scored(before, "parameters"), addText("renoir", "{}"));
    const others = (png: Uint8Array) => chunksOf(png).filter((c) => c.type !== "tEXt");
    expect(others(after)).toEqual(others(before));
    expect(types(before)).toEqual(expect.arrayContaining(name === "apng.png" ? ["acTL", "fcTL", "fdAT"] : ["IDAT"]));
  });
}

test("case 27: new text goes directly before the first IDAT, behind colour profile and density", () => {
  const after = edited(fixture("colour_chunks.png"), addText("renoir", "{}"));
  const order = types(after);
  expect(order.indexOf("iCCP")).toBeGreaterThan(0);
  expect(order.indexOf("pHYs")).toBeGreaterThan(0);
  expect(order.slice(-3)).toEqual(["tEXt", "IDAT", "IEND"]);
  expect(order[order.indexOf("IDAT") - 1]).toBe("tEXt");
});

test("case 28: a UserComment in eXIf and the parameters are both told, and both can be replaced", () => {
  const before = fixture("exif_and_text.png");
  expect(
    carriersOf(before)
      .map((c) => [c.kind, c.keyword, c.text])
      .sort(),
  ).toEqual([
    ["exif", "UserComment", infotext],
    ["tEXt", "parameters", infotext],
  ]);
  const after = edited(before, scored(before, "parameters"), scored(before, "UserComment"));
  expect(carriersOf(after).map((c) => c.text)).toEqual([infotext + pair, infotext + pair]);
  expect(carrier(after, "UserComment").encoding).toBe("unicode-be");
});

test("case 29: a PNG with a C2PA signature is told to be signed and not edited", () => {
  const png = fixture("c2pa.png");
  expect(readCarriers(png).signed).toBe("c2pa");
  expect(() => applyEdits(png, [scored(png, "parameters")])).toThrow(/C2PA signature/);
});

test("case 30: a chunk added to a signed NovelAI picture leaves its Comment and picture byte for byte", () => {
  const before = fixture("novelai_signed.png");
  const after = edited(before, addText("renoir", '{"score":0.5812}'));
  expect(chunksOf(after).filter((c) => !c.bytes.includes("renoir"))).toEqual(chunksOf(before));
});

test("ComfyUI's JSON chunks stay tEXt when another text is added", () => {
  const before = fixture("comfy.png");
  const after = edited(before, addText("renoir", "{}"));
  expect(carriersOf(after).map((c) => [c.kind, c.keyword])).toEqual([
    ["tEXt", "prompt"],
    ["tEXt", "workflow"],
    ["tEXt", "renoir"],
  ]);
  expect(carrier(after, "prompt").text).toBe(carrier(before, "prompt").text);
});

test("case 40: what a file is is told by its first bytes, and a header's size allocates nothing", () => {
  const huge = chunk("IHDR", Buffer.from("80000000800000000802000000", "hex"));
  const png = Buffer.concat([fixture("plain.png").subarray(0, 8), huge, chunk("IEND", "")]);
  expect(readCarriers(new Uint8Array(png))).toMatchObject({ format: "png", width: 2 ** 31, height: 2 ** 31 });
  expect(readCarriers(new Uint8Array(0))).toMatchObject({ format: "unknown", warnings: ["The file is empty."] });
  expect(readCarriers(new TextEncoder().encode("this is text")).format).toBe("unknown");
  expect(readCarriers(fixture("plain.jpg")).format).toBe("jpeg");
});

test("case 40: a chunk that claims more than 2^31 - 1 bytes ends the reading", () => {
  const png = pngWith({});
  png.set([0xff, 0xff, 0xff, 0xff], 33);
  expect(readCarriers(png).warnings).toEqual(["The IDAT chunk at byte 33 claims 4294967295 bytes."]);
});

test("an edit of a text that is no longer there is refused", () => {
  const before = fixture("infotext.png");
  const edit = scored(before, "parameters");
  const other = applyEdits(before, [{ ...edit, text: "something else" } as typeof edit]);
  expect(() => applyEdits(other, [edit])).toThrow(/Read the file anew|no tEXt "parameters"/);
});

test("a keyword that PNG does not allow, and a UserComment in a PNG, are refused", () => {
  const png = fixture("plain.png");
  expect(() => applyEdits(png, [addText("日本", "x")])).toThrow(/no keyword/);
  expect(() => applyEdits(png, [addText("k".repeat(80), "x")])).toThrow(/no keyword/);
  expect(() => applyEdits(png, [{ do: "add", kind: "exif", tag: "UserComment", text: "x" }])).toThrow(MetadataError);
});
