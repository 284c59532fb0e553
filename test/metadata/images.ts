// Small image files with text in them, put together byte by byte, so that no part under test makes another's input.
import { crc32, deflateSync } from "node:zlib";
import sharp from "sharp";

export const LINE = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x768, Version: v1.10.1";
export const INFOTEXT = `a cat\nNegative prompt: ugly\n${LINE}`;

type Text = [keyword: string, text: string, kind?: "tEXt" | "iTXt" | "zTXt"];

/** An 8 x 8 picture with a slope in it, and these texts before its pixels. */
export async function png(texts: Text[] = [], pixels = slope(8, 8, 3)): Promise<Buffer> {
  const plain = await sharp(pixels.data, { raw: pixels.raw }).png().toBuffer();
  const header = 8 + 25; // signature and IHDR
  return Buffer.concat([plain.subarray(0, header), ...texts.map(textChunk), plain.subarray(header)]);
}

export function slope(width: number, height: number, channels: 3 | 4) {
  const data = Uint8Array.from({ length: width * height * channels }, (_, i) =>
    channels === 4 && i % 4 === 3 ? 255 : (i * 7) % 256,
  );
  return { data, raw: { width, height, channels } };
}

function textChunk([keyword, text, kind = /^[\0-\xff]*$/.test(text) ? "tEXt" : "iTXt"]: Text): Buffer {
  const body = {
    tEXt: () => Buffer.from(`${keyword}\0${text}`, "latin1"),
    iTXt: () => Buffer.concat([Buffer.from(`${keyword}\0\0\0\0\0`, "latin1"), Buffer.from(text)]),
    zTXt: () => Buffer.concat([Buffer.from(`${keyword}\0\0`, "latin1"), deflateSync(Buffer.from(text, "latin1"))]),
  }[kind]();
  return chunk(kind, body);
}

export function chunk(type: string, data: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, crc] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  crc.writeUInt32BE(crc32(typed));
  return Buffer.concat([length, typed, crc]);
}

/** Puts a chunk behind IHDR. */
export function withChunk(file: Buffer, type: string, data: Buffer): Buffer {
  return Buffer.concat([file.subarray(0, 33), chunk(type, data), file.subarray(33)]);
}

/** All bytes of the chunks of this type. */
export function chunksOf(file: Buffer, type: string): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 8; at < file.length; at += 12 + file.readUInt32BE(at)) {
    if (file.toString("latin1", at + 4, at + 8) === type)
      found.push(file.subarray(at + 8, at + 8 + file.readUInt32BE(at)));
  }
  return found;
}

/** The text chunks as "keyword=text". */
export function textsOf(file: Buffer): string[] {
  return chunksOf(file, "tEXt").map((data) => data.toString("latin1").replace("\0", "="));
}

export async function jpeg(segments: Buffer[] = []): Promise<Buffer> {
  const { data, raw } = slope(8, 8, 3);
  const plain = await sharp(data, { raw }).jpeg().toBuffer();
  const afterJfif = 4 + plain.readUInt16BE(4); // SOI, then APP0 as long as it says
  return Buffer.concat([plain.subarray(0, afterJfif), ...segments, plain.subarray(afterJfif)]);
}

export const comment = (text: string) => segment(0xfe, Buffer.from(text));
export const exifSegment = (tiff: Buffer) => segment(0xe1, Buffer.concat([Buffer.from("Exif\0\0"), tiff]));

function segment(marker: number, data: Buffer): Buffer {
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(data.length + 2, 2);
  return Buffer.concat([head, data]);
}

/** UserComment as A1111 writes it. */
export const unicodeBe = (text: string) =>
  Buffer.concat([Buffer.from("UNICODE\0"), Buffer.from(text, "utf16le").swap16()]);

/** A big-endian TIFF with these tags in IFD0, and those in the EXIF directory. */
export function tiff(
  ifd0: [tag: number, type: 2 | 7, value: Buffer][],
  exif: [tag: number, type: 2 | 7, value: Buffer][] = [],
): Buffer {
  const count = ifd0.length + (exif.length > 0 ? 1 : 0);
  const exifAt = 8 + 2 + 12 * count + 4;
  let dataAt = exif.length > 0 ? exifAt + 2 + 12 * exif.length + 4 : exifAt;
  const values: Buffer[] = [];
  const directory = (entries: typeof ifd0, pointer: Buffer[]) => {
    const rows = entries.map(([tag, type, value]) => {
      const row = Buffer.alloc(12);
      row.writeUInt16BE(tag, 0);
      row.writeUInt16BE(type, 2);
      row.writeUInt32BE(value.length, 4);
      row.writeUInt32BE(dataAt, 8);
      dataAt += value.length;
      values.push(value);
      return row;
    });
    const size = Buffer.alloc(2);
    size.writeUInt16BE(rows.length + pointer.length);
    return Buffer.concat([size, ...rows, ...pointer, Buffer.alloc(4)]);
  };
  const pointer = Buffer.from([0x87, 0x69, 0, 4, 0, 0, 0, 1, 0, 0, 0, exifAt]);
  const first = directory(ifd0, exif.length > 0 ? [pointer] : []);
  const second = exif.length > 0 ? [directory(exif, [])] : [];
  return Buffer.concat([Buffer.from([0x4d, 0x4d, 0, 42, 0, 0, 0, 8]), first, ...second, ...values]);
}

/** A WebP with an EXIF chunk: VP8X, the picture's own chunk, EXIF. */
export async function webp(exif: Buffer | null): Promise<Buffer> {
  const { data, raw } = slope(8, 8, 3);
  const plain = await sharp(data, { raw }).webp().toBuffer();
  if (exif === null) return plain;
  const canvas = riffChunk("VP8X", Buffer.from([8, 0, 0, 0, 7, 0, 0, 7, 0, 0]));
  const body = Buffer.concat([Buffer.from("WEBP"), canvas, plain.subarray(12), riffChunk("EXIF", exif)]);
  const head = Buffer.from("RIFF\0\0\0\0");
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body]);
}

function riffChunk(type: string, data: Buffer): Buffer {
  const head = Buffer.from(`${type}\0\0\0\0`);
  head.writeUInt32LE(data.length, 4);
  return Buffer.concat([head, data, Buffer.alloc(data.length % 2)]);
}

/** Hides a text as Forge and NovelAI do: lowest bits, columns first. */
export function hide(text: Buffer, signature: string, where: "alpha" | "rgb", width = 64, height = 64) {
  const pixels = slope(width, height, where === "alpha" ? 4 : 3);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(8 * text.length);
  const bytes = Buffer.concat([Buffer.from(signature), length, text]);
  const per = where === "alpha" ? 1 : 3;
  for (let i = 0; i < 8 * bytes.length; i++) {
    const pixel = Math.floor(i / per);
    const at =
      ((pixel % height) * width + Math.floor(pixel / height)) * pixels.raw.channels + (where === "alpha" ? 3 : i % 3);
    pixels.data[at] = (pixels.data[at]! & 254) | ((bytes[i >> 3]! >> (7 - (i & 7))) & 1);
  }
  return pixels;
}
