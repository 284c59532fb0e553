import { expect, test } from "vitest";
import { MetadataError } from "../../../src/errors.ts";
import { applyEdits, readCarriers, sniff } from "../../../src/metadata/carriers/carrier.ts";
import { carriersOf, fixture, infotext, scored, unicode } from "./build.ts";

function box(type: string, ...parts: Uint8Array[]): Buffer {
  const data = Buffer.concat(parts);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(data.length + 8);
  return Buffer.concat([size, Buffer.from(type), data]);
}

for (const format of ["avif", "heif"] as const) {
  test(`EXIF of ${format.toUpperCase()} is found through its item's place, and the file is not edited`, () => {
    const bytes = fixture(`infotext.${format}`);
    expect(readCarriers(bytes)).toMatchObject({
      format,
      width: 21,
      height: 13,
      carriers: [{ kind: "exif", keyword: "UserComment", text: unicode, encoding: "unicode-be" }],
    });
    expect(() => applyEdits(bytes, [scored(bytes, "UserComment")])).toThrow(MetadataError);
  });

  test(`${format.toUpperCase()} cut anywhere is read without failing`, () => {
    const bytes = fixture(`infotext.${format}`);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => readCarriers(bytes.subarray(0, length))).not.toThrow();
    }
  });
}

test("EXIF of JPEG XL is found in its box", () => {
  const exif = Buffer.from(fixture("comment_be.jpg"));
  const tiff = exif.subarray(exif.indexOf("MM\0*"));
  const signature = Buffer.from("0000000c4a584c200d0a870a", "hex");
  const jxl = new Uint8Array(
    Buffer.concat([signature, box("ftyp", Buffer.from("jxl ")), box("Exif", Buffer.alloc(4), tiff)]),
  );
  expect(sniff(jxl)).toBe("jxl");
  expect(carriersOf(jxl)).toMatchObject([{ keyword: "UserComment", text: unicode }]);
});

test("an item table that claims billions of items and extents costs nothing", () => {
  const iloc = Buffer.alloc(2_000_000);
  iloc.writeUInt32BE(2 << 24); // version 2, and all sizes 0
  iloc.writeUInt32BE(0xffffffff, 6);
  iloc.fill(0xff, 10);
  const infe = box("infe", Buffer.from("02000000", "hex"), Buffer.from("00070000", "hex"), Buffer.from("Exif"));
  const iinf = box("iinf", Buffer.from("000000000001", "hex"), infe);
  const file = Buffer.concat([
    box("ftyp", Buffer.from("avif\0\0\0\0")),
    box("meta", Buffer.alloc(4), iinf, box("iloc", iloc)),
  ]);
  const started = performance.now();
  expect(readCarriers(new Uint8Array(file))).toMatchObject({ format: "avif", carriers: [] });
  expect(performance.now() - started).toBeLessThan(2000);
});

test("A1111's comment in a GIF is read, and the file is not edited", () => {
  const gif = fixture("infotext.gif");
  expect(readCarriers(gif)).toMatchObject({
    format: "gif",
    width: 21,
    height: 13,
    carriers: [{ kind: "comment", keyword: "Comment", text: infotext }],
    warnings: [],
  });
  expect(() => applyEdits(gif, [scored(gif, "Comment")])).toThrow(/not rewritten/);
  expect(readCarriers(gif.subarray(0, 60)).warnings).toHaveLength(1);
});
