import { expect, test } from "vitest";
import { MetadataError } from "../../../src/errors.ts";
import { applyEdits, readCarriers } from "../../../src/metadata/carriers/carrier.ts";
import { carrier, carriersOf, edited, fixture, infotext, pair, scored, unicode } from "./build.ts";

const addComment = (text: string) => ({ do: "add", kind: "exif", tag: "UserComment", text }) as const;

interface Chunk {
  type: string;
  data: Buffer;
}

/** The chunks of a WebP file whose every chunk is padded; fails where the RIFF size is not the file's. */
function chunksOf(webp: Uint8Array): Chunk[] {
  const all = Buffer.from(webp);
  expect(all.readUInt32LE(4)).toBe(all.length - 8);
  const chunks: Chunk[] = [];
  for (let at = 12; at < all.length; ) {
    const length = all.readUInt32LE(at + 4);
    chunks.push({ type: all.toString("latin1", at, at + 4), data: all.subarray(at + 8, at + 8 + length) });
    at += 8 + length + (length % 2);
  }
  return chunks;
}

function webpOf(chunks: Buffer[], rest = ""): Uint8Array {
  const body = Buffer.concat([Buffer.from("WEBP"), ...chunks]);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(body.length);
  return new Uint8Array(Buffer.concat([Buffer.from("RIFF"), size, body, Buffer.from(rest)]));
}

function chunk(type: string, data: Uint8Array, padding = data.length % 2): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(data.length);
  return Buffer.concat([Buffer.from(type), size, data, Buffer.alloc(padding)]);
}

const dataOf = (webp: Uint8Array, type: string) => chunksOf(webp).find((c) => c.type === type)!.data;

for (const [name, alpha] of [
  ["lossy.webp", false],
  ["lossless.webp", false],
  ["lossless_alpha.webp", true],
] as const) {
  test(`case 38: the simple file ${name} gets VP8X with canvas 21x13, EXIF flag and ${alpha ? "an" : "no"} alpha flag`, () => {
    const before = fixture(name);
    const picture = chunksOf(before);
    expect(picture).toHaveLength(1);
    const after = edited(before, addComment(unicode));
    const [header, ...others] = chunksOf(after);
    expect(header).toEqual({ type: "VP8X", data: Buffer.of(alpha ? 0x18 : 0x08, 0, 0, 0, 20, 0, 0, 12, 0, 0) });
    expect(others[0]).toEqual(picture[0]);
    expect(readCarriers(after)).toMatchObject({
      width: 21,
      height: 13,
      carriers: [{ text: unicode, encoding: "unicode-be" }],
    });
  });
}

test("case 38: an extended file with alpha, and an animated one, keep their flags and frames and gain the EXIF flag", () => {
  for (const name of ["lossy_alpha.webp", "animated.webp"]) {
    const before = fixture(name);
    const after = edited(before, addComment(infotext));
    const flags = dataOf(before, "VP8X")[0]!;
    expect(dataOf(after, "VP8X")[0]).toBe(flags | 0x08);
    expect(chunksOf(after).map((c) => c.type)).toEqual([...chunksOf(before).map((c) => c.type), "EXIF"]);
    expect(chunksOf(after).slice(1, -1)).toEqual(chunksOf(before).slice(1));
  }
  expect(dataOf(fixture("animated.webp"), "VP8X")[0]! & 0x02).toBe(0x02);
});

test("case 38: EXIF is read with and without JPEG's prefix, and the prefix is kept", () => {
  const plain = fixture("infotext.webp");
  const [header, picture, exif] = chunksOf(plain);
  const prefixed = webpOf([
    chunk("VP8X", header!.data),
    chunk(picture!.type, picture!.data),
    chunk("EXIF", Buffer.concat([Buffer.from("Exif\0\0"), exif!.data])),
  ]);
  for (const [before, start] of [
    [plain, "MM\0*"],
    [prefixed, "Exif\0\0"],
  ] as const) {
    expect(carrier(before, "UserComment").text).toBe(unicode);
    const after = edited(before, scored(before, "UserComment"));
    expect(carrier(after, "UserComment").text).toBe(unicode + pair);
    expect(dataOf(after, "EXIF").toString("latin1").startsWith(start)).toBe(true);
  }
});

test("case 38: a last chunk of odd length without padding is padded when EXIF follows it", () => {
  const [picture] = chunksOf(fixture("lossless.webp"));
  const odd = Buffer.concat([picture!.data, Buffer.alloc(picture!.data.length % 2 === 0 ? 1 : 0)]);
  const after = edited(webpOf([chunk("VP8L", odd, 0)]), addComment(infotext));
  expect(chunksOf(after).map((c) => [c.type, c.data.length % 2])).toEqual([
    ["VP8X", 0],
    ["VP8L", 1],
    ["EXIF", 0],
  ]);
  expect(carrier(after, "UserComment").text).toBe(infotext);
});

test("case 38: a chunk of odd length whose padding is missing in the middle does not hide the EXIF behind it", () => {
  const [header, picture, exif] = chunksOf(fixture("infotext.webp"));
  const odd = Buffer.concat([picture!.data, Buffer.alloc(picture!.data.length % 2 === 0 ? 1 : 0)]);
  const before = webpOf([chunk("VP8X", header!.data), chunk("VP8L", odd, 0), chunk("EXIF", exif!.data)]);
  expect(carrier(before, "UserComment").text).toBe(unicode);
  expect(carrier(edited(before, scored(before, "UserComment")), "UserComment").text).toBe(unicode + pair);
});

test("case 38: EXIF goes before XMP, which keeps its bytes", () => {
  const before = fixture("xmp.webp");
  const after = edited(before, addComment(infotext));
  expect(chunksOf(after).map((c) => c.type)).toEqual(["VP8X", "VP8 ", "EXIF", "XMP "]);
  expect(dataOf(after, "XMP ")).toEqual(dataOf(before, "XMP "));
});

test("case 39: ComfyUI's Make and Model are read whole and keep their places when a comment is added", () => {
  const before = fixture("comfy.webp");
  const texts = [
    ["Make", 'workflow:{"nodes": []}', "ifd0"],
    ["Model", 'prompt:{"3": {"inputs": {"text": "a: cat"}}}', "ifd0"],
  ];
  expect(carriersOf(before).map((c) => [c.keyword, c.text, c.ifd])).toEqual(texts);
  const after = edited(before, addComment("a cat"));
  expect(carriersOf(after).map((c) => [c.keyword, c.text, c.ifd])).toEqual([
    ...texts,
    ["UserComment", "a cat", "exif"],
  ]);
  const offset = (webp: Uint8Array) => dataOf(webp, "EXIF").indexOf("prompt:");
  expect(offset(after)).toBe(offset(before));
});

test("case 22: bytes after the RIFF chunk stay", () => {
  const [picture] = chunksOf(fixture("lossy.webp"));
  const before = webpOf([chunk("VP8 ", picture!.data)], "tail");
  const after = edited(before, addComment("a cat"));
  expect(Buffer.from(after).toString("latin1").endsWith("tail")).toBe(true);
  expect(Buffer.from(after).readUInt32LE(4)).toBe(after.length - 8 - 4);
});

test("case 21: a cut file is read up to there and not edited", () => {
  const cut = fixture("infotext.webp").subarray(0, -40);
  expect(readCarriers(cut).warnings.length).toBeGreaterThan(0);
  expect(() => applyEdits(cut, [addComment("x")])).toThrow(MetadataError);
});

test("case 29: a C2PA chunk is told, and the file not edited", () => {
  const chunks = chunksOf(fixture("infotext.webp")).map((c) => chunk(c.type, c.data));
  const signed = webpOf([...chunks, chunk("C2PA", Buffer.from("jumb"))]);
  expect(readCarriers(signed).signed).toBe("c2pa");
  expect(() => applyEdits(signed, [scored(signed, "UserComment")])).toThrow(/C2PA/);
});
