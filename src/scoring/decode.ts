// A picture as Pillow's Image.open holds it: the same mode, the same samples. Upstream resizes in that mode, so the mode decides
// what gets scored. EXIF orientation (but TIFF's), colour profiles and gamma are ignored there, hence here.
// sharp decodes; what it reports of a file tells Pillow's mode (PngImagePlugin.py, _MODES; TiffImagePlugin.py, OPEN_INFO).

import { constants } from "node:fs";
import { open } from "node:fs/promises";
import sharp, { type Metadata, type Sharp } from "sharp";
import { ImageError } from "../errors.ts";
import { avifTurn } from "./avifTurn.ts";
import { type GifFrame, gifSize, readGifFrame } from "./gifFrame.ts";
import { mulDiv255, type Samples } from "./pilResize.ts";
import { EXTRA_SAMPLES, PALETTE, PHOTOMETRIC, readTiffTags, type TiffTags } from "./tiffTags.ts";

/** Pillow's modes. P holds its looked-up colours: that commutes with the nearest neighbour it is resized by. */
export type Mode = "1" | "L" | "LA" | "P" | "RGB" | "RGBA" | "CMYK" | "I;16" | "I;16B" | "I" | "F";

// biome-ignore format: a table
const BANDS: Record<Mode, number> = {
  "1": 1, L: 1, LA: 2, P: 3, RGB: 3, RGBA: 4, CMYK: 4, "I;16": 1, "I;16B": 1, I: 1, F: 1,
};

export const bandsOf = (mode: Mode): number => BANDS[mode];

/**
 * Interleaved samples, rows from the top; bytes but for I;16 (Uint16Array), I (Int32Array) and F (Float32Array).
 * I;16B, a big-endian TIFF's 16-bit gray, holds its numbers with their two bytes exchanged: on today's little-endian machines
 * Pillow resizes it as if they were in the other order (Resample.c, bigendian), and so upstream scores noise.
 */
export interface DecodedImage {
  mode: Mode;
  width: number;
  height: number;
  data: Samples;
}

/** Samples somebody else has decoded: 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA. */
export interface RawImage {
  data: Uint8Array;
  width: number;
  height: number;
  channels: number;
}

/** A path, a file's bytes, or samples. */
export type ImageInput = string | Uint8Array | RawImage;

/** Twice Image.MAX_IMAGE_PIXELS: above it Pillow takes a picture for a decompression bomb. */
export const MAX_PIXELS = 2 * 89_478_485;

/** A file of this size holds MAX_PIXELS in eight bytes each, the most any accepted format takes. */
const MAX_FILE_BYTES = 8 * MAX_PIXELS;

export async function decodeImage(image: ImageInput): Promise<DecodedImage> {
  if (typeof image === "string") return decodeFile(await readPicture(image), image);
  return image instanceof Uint8Array ? decodeFile(image, "The given picture") : acceptRaw(image);
}

/** Pixels for gradients: [3, height, width], 0 to 1. */
export async function decodeToFloat(
  image: ImageInput,
): Promise<{ pixels: Float32Array; width: number; height: number }> {
  const decoded = await decodeImage(image);
  const rgb = toRgb(decoded);
  const area = decoded.width * decoded.height;
  const pixels = new Float32Array(3 * area);
  for (let i = 0; i < area; i++) {
    for (let channel = 0; channel < 3; channel++) pixels[channel * area + i] = rgb[3 * i + channel]! / 255;
  }
  return { pixels, width: decoded.width, height: decoded.height };
}

// -- to RGB ------------------------------------------------------------------------------------------------------------

const clip8 = (value: number) => (value <= 0 ? 0 : value >= 255 ? 255 : Math.trunc(value));

/** One pixel at data[at] to RGB: Convert.c. Alpha is dropped, 16 bits saturate, CMYK has no profile. */
type ToRgb = (data: Samples, at: number) => readonly [number, number, number];

const gray: ToRgb = (data, at) => [data[at]!, data[at]!, data[at]!];
const colour: ToRgb = (data, at) => [data[at]!, data[at + 1]!, data[at + 2]!];
const clippedGray: ToRgb = (data, at) => {
  const value = clip8(data[at]!);
  return [value, value, value];
};
const exchangedGray: ToRgb = (data, at) => {
  const value = data[at]! & 0xff ? 255 : data[at]! >> 8;
  return [value, value, value];
};
const cmyk: ToRgb = (data, at) => {
  const light = 255 - data[at + 3]!;
  const ink = (band: number) => clip8(light - mulDiv255(data[at + band]!, light));
  return [ink(0), ink(1), ink(2)];
};

const TO_RGB: Record<Mode, ToRgb> = {
  "1": gray,
  L: gray,
  LA: gray,
  P: colour,
  RGB: colour,
  RGBA: colour,
  CMYK: cmyk,
  "I;16": clippedGray,
  "I;16B": exchangedGray,
  I: clippedGray,
  F: clippedGray,
};

/** Image.convert("RGB"). */
export function toRgb({ mode, width, height, data }: DecodedImage): Uint8Array {
  if (mode === "RGB" && data instanceof Uint8Array) return data;
  const convert = TO_RGB[mode];
  const bands = BANDS[mode];
  const out = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) out.set(convert(data, i * bands), i * 3);
  return out;
}

// -- input -------------------------------------------------------------------------------------------------------------

const RAW_MODES: Record<number, Mode> = { 1: "L", 2: "LA", 3: "RGB", 4: "RGBA" };

function acceptRaw({ data, width, height, channels }: RawImage): DecodedImage {
  const mode = RAW_MODES[channels];
  if (!mode) throw new ImageError(`The given samples have ${channels} channels; 1, 2, 3 or 4 are wanted.`);
  checkSize("The given picture", width, height);
  const wanted = width * height * channels;
  if (data.length !== wanted) {
    throw new ImageError(
      `The given picture has ${data.length} samples, but ${width} x ${height} pixels of ${channels} channels take ${wanted}.`,
    );
  }
  return { mode, width, height, data };
}

const REASONS: Record<string, string> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder, not a file",
  EACCES: "it may not be read by this user",
};

async function readPicture(path: string): Promise<Uint8Array> {
  try {
    // Not blocking: opening a named pipe would wait for ever.
    await using file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stat = await file.stat();
    if (stat.isDirectory()) throw new ImageError(`${path} can not be opened as a picture: ${REASONS.EISDIR}.`);
    if (!stat.isFile()) throw new ImageError(`${path} can not be opened as a picture: it is not a regular file.`);
    if (stat.size > MAX_FILE_BYTES) {
      throw new ImageError(`${path} has ${stat.size} bytes; pictures of up to ${MAX_FILE_BYTES} are read.`);
    }
    return await file.readFile();
  } catch (cause) {
    if (cause instanceof ImageError) throw cause;
    const { code = "", message } = cause as NodeJS.ErrnoException;
    throw new ImageError(`${path} can not be opened as a picture: ${REASONS[code] ?? message}.`, { cause });
  }
}

function checkSize(name: string, width: number, height: number): void {
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0)) {
    throw new ImageError(`${name} is ${width} x ${height} pixels; both sides must be whole numbers above 0.`);
  }
  if (width * height <= MAX_PIXELS) return;
  throw new ImageError(
    `${name} is ${width} x ${height} = ${(width * height).toLocaleString("en")} pixels, and at most ${MAX_PIXELS.toLocaleString("en")} are read.`,
    { hint: "Make the picture smaller first." },
  );
}

// -- formats -----------------------------------------------------------------------------------------------------------

type Format = "PNG" | "JPEG" | "GIF" | "WebP" | "TIFF" | "AVIF";

/** How files begin, in Latin-1. */
const SIGNATURES: [Format, RegExp][] = [
  ["PNG", /^\x89PNG\r\n/],
  ["JPEG", /^\xff\xd8\xff/],
  ["GIF", /^GIF8[79]a/],
  ["WebP", /^RIFF.{4}WEBP/s],
  ["TIFF", /^(II[*+]\0|MM\0[*+])/],
  ["AVIF", /^.{4}ftyp(avif|avis|(mif1|msf1).*avi[fs])/s],
];

/** Files people mistake for pictures, and what to do about it. */
const OTHERS: [RegExp, string][] = [
  [/^%PDF/, "It is a PDF document"],
  [/^\s*(<\?xml.*)?<svg/s, "It is an SVG drawing"],
  [/^.{4}ftyp/s, "It is a HEIC picture or a film"],
  [/^BM/, "It is a BMP picture"],
];

const WANTED = "PNG, JPEG, WebP, AVIF, GIF and TIFF are read";
const HINT = "Save it as PNG and try again.";

function recognise(bytes: Uint8Array, name: string): Format {
  if (bytes.length === 0) throw new ImageError(`${name} is empty: it has 0 bytes.`, { hint: "Write it again." });
  const start = Buffer.from(bytes.subarray(0, 256)).toString("latin1");
  const format = SIGNATURES.find(([, signature]) => signature.test(start))?.[0];
  if (format) return format;
  const other = OTHERS.find(([signature]) => signature.test(start))?.[1];
  const found = other ?? `It begins with ${JSON.stringify(start.slice(0, 12))}, as no picture does`;
  throw new ImageError(`${name} is not a picture that can be scored. ${found}; ${WANTED}.`, { hint: HINT });
}

async function decodeFile(bytes: Uint8Array, name: string): Promise<DecodedImage> {
  const format = recognise(bytes, name);
  try {
    if (format === "GIF") return decodeGif(bytes, name);
    return await decodeWithSharp(bytes, name, format);
  } catch (cause) {
    if (cause instanceof ImageError) throw cause;
    throw new ImageError(
      `${name} begins as ${format} but can not be decoded: it is damaged or cut off (${(cause as Error).message.trim()}).`,
      { hint: "Copy or save the picture again.", cause },
    );
  }
}

function decodeGif(bytes: Uint8Array, name: string): GifFrame {
  const { width, height } = gifSize(bytes);
  checkSize(name, width, height);
  return readGifFrame(bytes);
}

// -- sharp -------------------------------------------------------------------------------------------------------------

type Depth = "uchar" | "ushort" | "short" | "int" | "uint" | "float";

/** How samples of each depth are held. */
const DEPTHS: Record<Depth, new (buffer: ArrayBufferLike) => Samples> = {
  uchar: Uint8Array,
  ushort: Uint16Array,
  short: Int32Array,
  int: Int32Array,
  uint: Int32Array,
  float: Float32Array,
};

const WIDE_MODES: Partial<Record<Depth, Mode>> = { short: "I", int: "I", uint: "I", float: "F" };

async function decodeWithSharp(bytes: Uint8Array, name: string, format: Format): Promise<DecodedImage> {
  // Pillow refuses files that are cut off, and puts up with other damage. Its own limit on pixels is checked below.
  const input = sharp(bytes, { failOn: "truncated", ignoreIcc: true, limitInputPixels: false });
  const metadata = await input.metadata();
  checkSize(name, metadata.width, metadata.height);
  const mode = modeOf(metadata, bytes, format);
  const depth = metadata.depth as Depth;
  if (!DEPTHS[depth])
    throw new ImageError(`${name} has samples of type ${metadata.depth}; ${WANTED}, of up to 32 bits.`);
  // "short" and "uint" are written as "int", to be held as Pillow holds them.
  const { data, info } = await oriented(input, bytes, format)
    .pipelineColourspace(metadata.space)
    .toColourspace(mode === "LA" ? "srgb" : metadata.space) // sharp writes gray without its alpha
    .raw({ depth: depth === "uchar" || depth === "ushort" || depth === "float" ? depth : "int" })
    .toBuffer({ resolveWithObject: true });
  const samples = new DEPTHS[depth](data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
  const bands = samples.length / (info.width * info.height);
  return { mode, width: info.width, height: info.height, data: arrange(samples, bands, mode) };
}

/** Pillow turns TIFFs as their tag says and nothing else; libheif has already turned what AVIF's boxes say. */
function oriented(input: Sharp, bytes: Uint8Array, format: Format): Sharp {
  if (format === "TIFF") return input.autoOrient();
  if (format !== "AVIF") return input;
  const { quarters, mirror } = avifTurn(bytes);
  if (mirror === "top-bottom") input.flip();
  if (mirror === "left-right") input.flop();
  return quarters === 0 ? input : input.rotate(90 * quarters); // sharp mirrors first, whatever the order of calls
}

function modeOf(
  { space, depth, bitsPerSample, isPalette, hasAlpha }: Metadata,
  bytes: Uint8Array,
  format: Format,
): Mode {
  const tags: TiffTags = format === "TIFF" ? readTiffTags(bytes) : new Map();
  const gray = space === "b-w" || space === "grey16";
  if (space === "cmyk") return "CMYK";
  if (isPalette || tags.get(PHOTOMETRIC)?.[0] === PALETTE) return "P";
  if (WIDE_MODES[depth as Depth]) return WIDE_MODES[depth as Depth]!;
  if (gray && bitsPerSample === 1) return "1";
  const alpha = hasAlpha && !isSideInformation(bytes, format, tags);
  if (gray && !alpha && depth === "ushort") return isBigEndianTiff(bytes) ? "I;16B" : "I;16";
  if (gray && !alpha) return "L";
  if (gray && depth === "uchar") return "LA";
  return alpha ? "RGBA" : "RGB";
}

const isBigEndianTiff = (bytes: Uint8Array) => bytes[0] === 0x4d && bytes[1] === 0x4d;

const PNG_COLOR_TYPE = 25; // signature 8, chunk length 4, "IHDR" 4, width 4, height 4, depth 1
const PNG_ALPHA = 4;

/** What libvips calls alpha and Pillow leaves aside: a PNG's one clear colour (tRNS), a TIFF's fourth band of unsaid meaning. */
function isSideInformation(bytes: Uint8Array, format: Format, tags: TiffTags): boolean {
  if (format === "PNG") return (bytes[PNG_COLOR_TYPE]! & PNG_ALPHA) === 0;
  return tags.get(EXTRA_SAMPLES)?.[0] === 0;
}

/** Which of sharp's bands are the mode's, by how many there are. */
const PICKS: Partial<Record<Mode, Record<number, number[]>>> = {
  "1": { 2: [0] },
  L: { 2: [0] },
  "I;16": { 2: [0] },
  LA: { 4: [0, 3] },
  RGB: { 1: [0, 0, 0], 4: [0, 1, 2] },
  P: { 4: [0, 1, 2] },
  RGBA: { 2: [0, 0, 0, 1] }, // 16-bit gray and alpha: "LA;16B->LA not yet available", says Pillow
};

/** The mode's bands only, and of 16 bits the high byte, except in I;16. */
function arrange(samples: Samples, have: number, mode: Mode): Samples {
  if (mode === "I;16B") return Uint16Array.from(samples, (value) => ((value & 0xff) << 8) | (value >> 8));
  const drop = samples instanceof Uint16Array && mode !== "I;16" ? 8 : 0;
  const picks = PICKS[mode]?.[have] ?? (drop ? Array.from({ length: have }, (_, band) => band) : undefined);
  if (!picks) return samples;
  const count = (samples.length / have) * picks.length;
  const out = mode === "I;16" ? new Uint16Array(count) : new Uint8Array(count);
  let to = 0;
  for (let at = 0; at < samples.length; at += have) for (const band of picks) out[to++] = samples[at + band]! >> drop;
  return out;
}
