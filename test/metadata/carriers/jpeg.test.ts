import { expect, test } from "vitest";
import { MetadataError } from "../../../src/errors.ts";
import { applyEdits, readCarriers } from "../../../src/metadata/carriers/carrier.ts";
import { carrier, carriersOf, edited, fixture, infotext, pair, scored, unicode } from "./build.ts";

const addComment = (text: string) => ({ do: "add", kind: "exif", tag: "UserComment", text }) as const;

/** Marker and bytes of each segment before the first scan. */
function segmentsOf(jpeg: Uint8Array): { marker: number; bytes: Buffer }[] {
  const all = Buffer.from(jpeg);
  const segments: { marker: number; bytes: Buffer }[] = [];
  for (let at = 2; all[at + 1] !== 0xda; ) {
    const end = at + 2 + all.readUInt16BE(at + 2);
    segments.push({ marker: all[at + 1]!, bytes: all.subarray(at, end) });
    at = end;
  }
  return segments;
}

const markers = (jpeg: Uint8Array) => segmentsOf(jpeg).map((segment) => segment.marker);

/** The bytes with a segment put in right after SOI. */
function withSegment(jpeg: Uint8Array, marker: number, data: string): Uint8Array {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(data.length + 2);
  const segment = Buffer.concat([Buffer.of(0xff, marker), length, Buffer.from(data, "latin1")]);
  return new Uint8Array(Buffer.concat([jpeg.subarray(0, 2), segment, jpeg.subarray(2)]));
}

test("case 33: a JPEG without EXIF gets UserComment in an APP1 behind JFIF's APP0, the rest as it was", () => {
  const before = fixture("plain.jpg");
  const after = edited(before, addComment(unicode));
  expect(readCarriers(after)).toMatchObject({
    format: "jpeg",
    width: 21,
    height: 13,
    carriers: [{ kind: "exif", keyword: "UserComment", text: unicode, encoding: "unicode-be", ifd: "exif", index: 0 }],
    warnings: [],
  });
  expect(markers(after)).toEqual([0xe0, 0xe1, ...markers(before).slice(1)]);
});

test("case 33: Adobe's APP14, XMP and a colour profile of several segments keep their bytes and order", () => {
  for (const [name, expected] of [
    ["cmyk_adobe.jpg", [0xe1, 0xee]],
    ["xmp_icc.jpg", [0xe0, 0xe1, 0xe1, 0xe2, 0xe2]],
  ] as const) {
    const before = fixture(name);
    const after = edited(before, addComment(infotext));
    expect(markers(after).slice(0, expected.length)).toEqual(expected);
    const isNew = (bytes: Buffer) => bytes.includes("Exif\0\0");
    expect(segmentsOf(after).filter((s) => !isNew(s.bytes))).toEqual(segmentsOf(before));
  }
  expect(carrier(fixture("xmp_icc.jpg"), "XML:com.adobe.xmp").text).toBe("<x:xmpmeta xmlns:x='adobe:ns:meta/'/>");
});

test("case 33: a multi-picture index still finds the second picture, and knows the first one's new length", () => {
  const before = fixture("mpf.jpg");
  const after = edited(before, addComment(infotext));
  const places = (jpeg: Uint8Array) => {
    const all = Buffer.from(jpeg);
    const tiff = all.indexOf("MPF\0") + 4;
    const little = all.toString("latin1", tiff, tiff + 2) === "II";
    const u32 = (at: number) => (little ? all.readUInt32LE(at) : all.readUInt32BE(at));
    const u16 = (at: number) => (little ? all.readUInt16LE(at) : all.readUInt16BE(at));
    const directory = tiff + u32(tiff + 4);
    const entry = Array.from({ length: u16(directory) }, (_, i) => directory + 2 + 12 * i).find(
      (at) => u16(at) === 0xb002,
    )!;
    const entries = tiff + u32(entry + 8);
    return { firstSize: u32(entries + 4), second: tiff + u32(entries + 16 + 8) };
  };
  expect(Buffer.from(after).readUInt16BE(places(after).second)).toBe(0xffd8);
  expect(places(after).firstSize - places(before).firstSize).toBe(after.length - before.length);
  expect(places(after).second - places(before).second).toBe(after.length - before.length);
});

test("case 34: a text in COM is found, can be replaced there, or carried over to a UserComment beside it", () => {
  const before = fixture("com.jpg");
  expect(carriersOf(before)).toMatchObject([
    { kind: "comment", keyword: "Comment", text: infotext, encoding: "ascii" },
  ]);
  const inPlace = edited(before, scored(before, "Comment"));
  expect(carriersOf(inPlace)).toMatchObject([{ kind: "comment", text: infotext + pair }]);
  const carried = edited(before, addComment(infotext + pair));
  expect(carriersOf(carried).map((c) => [c.keyword, c.text])).toEqual([
    ["UserComment", infotext + pair],
    ["Comment", infotext],
  ]);
});

test("case 35: the maker note, the thumbnail and all other values keep their offsets when a comment is added", () => {
  const before = fixture("maker_note_thumbnail.jpg");
  const note = Buffer.concat(Array.from({ length: 8 }, () => Buffer.from(Array.from({ length: 256 }, (_, i) => i))));
  const exifAt = (jpeg: Uint8Array) => Buffer.from(jpeg).indexOf("Exif\0\0") + 6;
  const offsetOf = (jpeg: Uint8Array, bytes: Buffer) => Buffer.from(jpeg).indexOf(bytes) - exifAt(jpeg);
  const thumbnail = Buffer.from("ffd8ff", "hex");
  const insideExif = (jpeg: Uint8Array) => offsetOf(jpeg.subarray(2) as Uint8Array, thumbnail);
  const added = edited(before, addComment(unicode));
  const replaced = edited(added, scored(added, "UserComment"));
  for (const after of [added, replaced]) {
    expect(offsetOf(after, note)).toBe(offsetOf(before, note));
    expect(insideExif(after)).toBe(insideExif(before));
    expect(carriersOf(after).map((c) => c.keyword)).toEqual(["ImageDescription", "Make", "UserComment"]);
  }
  expect(carrier(replaced, "UserComment").text).toBe(unicode + pair);
});

test("case 35: EXIF of 65,527 bytes is written and of one more is refused, and the file's bytes are untouched", () => {
  const before = fixture("exif_large.jpg");
  const text = carrier(before, "UserComment").text;
  expect(text).toBe("x".repeat(31_000) + infotext);
  expect(carrier(edited(before, scored(before, "UserComment")), "UserComment").text).toBe(text + pair);
  // A new EXIF has 8 bytes of header, 18 and 18 of directories, and 8 of prefix before the text.
  const room = (65_527 - emptyExifSize()) / 2;
  const longest = edited(fixture("plain.jpg"), addComment("x".repeat(Math.floor(room))));
  expect(carrier(longest, "UserComment").text).toHaveLength(Math.floor(room));
  expect(() => applyEdits(fixture("plain.jpg"), [addComment("x".repeat(Math.floor(room) + 1))])).toThrow(/65,527/);
});

function emptyExifSize(): number {
  const app1 = segmentsOf(applyEdits(fixture("plain.jpg"), [addComment("")])).find((s) => s.marker === 0xe1);
  return app1!.bytes.length - 4 - 6;
}

test("scores replaced again and again do not pile up in the EXIF data", () => {
  let jpeg: Uint8Array = fixture("comment_be.jpg");
  const sizes = ["0.5812", "1.2345", "9.8765"].map((score) => {
    jpeg = edited(jpeg, {
      do: "replace",
      carrier: carrier(jpeg, "UserComment"),
      text: `${unicode}, ImageReward Score: ${score}`,
    });
    return jpeg.length;
  });
  expect(new Set(sizes).size).toBe(1);
  expect(carrier(jpeg, "UserComment").text).toBe(`${unicode}, ImageReward Score: 9.8765`);
});

test("case 37: Fooocus's tags are found in IFD0, and its comment is replaced there", () => {
  const before = fixture("fooocus_ifd0.jpg");
  expect(carriersOf(before).map((c) => [c.keyword, c.ifd, c.text])).toEqual([
    ["Software", "ifd0", "Fooocus v2.5.5"],
    ["MakerNote", "ifd0", "a1111"],
    ["UserComment", "ifd0", infotext],
  ]);
  const after = edited(before, scored(before, "UserComment"));
  expect(carrier(after, "UserComment")).toMatchObject({ ifd: "ifd0", text: infotext + pair, encoding: "none-utf8" });
  expect(() => applyEdits(before, [addComment("x")])).toThrow(/already has a UserComment/);
});

test("a comment is added to little-endian EXIF that has no Exif directory, and IFD0's text stays", () => {
  const after = edited(fixture("little_endian.jpg"), addComment(unicode));
  expect(carriersOf(after).map((c) => [c.keyword, c.text])).toEqual([
    ["ImageDescription", "little-endian, no Exif directory"],
    ["UserComment", unicode],
  ]);
});

test("case 21: a JPEG cut in its scan or before it is read, flagged and not edited", () => {
  const whole = fixture("progressive.jpg");
  for (const length of [whole.length - 2, whole.length - 60, 800]) {
    const cut = whole.subarray(0, length);
    expect(readCarriers(cut).warnings.join()).toMatch(/ends before its picture|claims \d+ bytes/);
    expect(carriersOf(cut).map((c) => c.text)).toEqual([unicode]);
    expect(() => applyEdits(cut, [scored(cut, "UserComment")])).toThrow(MetadataError);
  }
});

test("case 29: a JUMBF segment of C2PA is told, and the file not edited", () => {
  const signed = withSegment(fixture("comment_be.jpg"), 0xeb, "JP\0\x01\0\0\0\x01\0\0\0\x20jumb\0\0\0\x18jumdc2pa");
  expect(readCarriers(signed).signed).toBe("c2pa");
  expect(() => applyEdits(signed, [scored(signed, "UserComment")])).toThrow(/C2PA/);
  const otherBox = withSegment(fixture("comment_be.jpg"), 0xeb, "JP\0\x01\0\0\0\x01\0\0\0\x20jumb a 360 degree view");
  expect(readCarriers(otherBox).signed).toBeUndefined();
});

test("EXIF whose values lie past its end is read where it can be and takes no comment", () => {
  const tiff = "MM\0*\0\0\0\x08\0\x02\x01\x0e\0\x02\0\0\x0f\xff\0\0\0\x40\x01\x0f\0\x02\0\0\0\x03ab\0\0\0\0\0\0";
  const broken = withSegment(fixture("plain.jpg"), 0xe1, `Exif\0\0${tiff}`);
  expect(readCarriers(broken)).toMatchObject({
    carriers: [{ keyword: "Make", text: "ab" }],
    warnings: ["EXIF: the value of ImageDescription lies past the end of the data."],
  });
  expect(() => applyEdits(broken, [addComment("x")])).toThrow(/damaged/);
  const noTiff = withSegment(fixture("plain.jpg"), 0xe1, "Exif\0\0nothing");
  expect(() => applyEdits(noTiff, [addComment("x")])).toThrow(/damaged/);
});

test("a text with a keyword has no place in a JPEG", () => {
  expect(() => applyEdits(fixture("plain.jpg"), [{ do: "add", kind: "text", keyword: "renoir", text: "{}" }])).toThrow(
    /no place/,
  );
});
