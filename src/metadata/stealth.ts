// Stealth pnginfo: infotext in the lowest bits of the pixels, Forge's default beside the text chunk (modules/stealth_infotext.py at
// dfdcbab6) and NovelAI's own form. Columns first, highest bit first; 15 bytes of signature, the length in bits as 32 bits, the text.
import { gunzipSync } from "node:zlib";
import sharp from "sharp";
import type { Carrier } from "./carriers/carrier.ts";
import { asString, parseJsonObject } from "./json.ts";

export interface Pixels {
  data: Uint8Array;
  width: number;
  height: number;
  /** 3 or 4; stealth needs colours. */
  channels: number;
}

/** [signature, channels that hold it, whether the text is gzipped]. */
const FORMS: readonly (readonly [string, "alpha" | "rgb", boolean])[] = [
  ["stealth_pnginfo", "alpha", false],
  ["stealth_pngcomp", "alpha", true],
  ["stealth_rgbinfo", "rgb", false],
  ["stealth_rgbcomp", "rgb", true],
];
const SIGNATURE = 15;

/** Ours: gzip can turn the 131,053 bytes that fit in a 1024 x 1024 alpha channel into 130 MB. */
const MAX_TEXT = 16 * 1024 * 1024;
/** Ours: 64 million pixels are 256 MB as RGBA; reading a text is not worth more. */
const MAX_PIXELS = 64_000_000;

/** The text hidden in the pixels, or null. */
export function readStealth(pixels: Pixels): string | null {
  for (const [signature, where, zipped] of FORMS) {
    const bits = bitReader(pixels, where);
    if (!bits || latin1(bits(0, SIGNATURE)) !== signature) continue;
    const bytes = textBytes(pixels, where, bits);
    return bytes && decode(bytes, zipped);
  }
  return null;
}

/** The hidden text as the carriers it stands for: NovelAI hides a JSON object of its text chunks, the others hide infotext. */
export async function stealthCarriers(bytes: Uint8Array): Promise<Carrier[]> {
  const text = readStealth(await decodePixels(bytes));
  if (text === null) return [];
  const json = parseJsonObject(text);
  const chunks = Object.entries(json ?? {}).filter(([, value]) => asString(value) !== null) as [string, string][];
  const texts = json && "Comment" in json ? chunks : [["parameters", text] as [string, string]];
  return texts.map(([keyword, chunk], index) => ({ kind: "stealth", keyword, text: chunk, encoding: "utf-8", index }));
}

/** The pixels as they lie in the file: no turning, no colour management. */
async function decodePixels(bytes: Uint8Array): Promise<Pixels> {
  const image = sharp(bytes, { limitInputPixels: MAX_PIXELS, ignoreIcc: true });
  const { data, info } = await image.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height, channels: info.channels };
}

type Bits = (firstByte: number, count: number) => Uint8Array;

/** Reads bytes out of the lowest bits, column by column; null where the picture is too small or lacks the channels. */
function bitReader({ data, width, height, channels }: Pixels, where: "alpha" | "rgb"): Bits | null {
  const perPixel = where === "alpha" ? 1 : 3;
  if (channels < 3 || (where === "alpha" && channels !== 4) || width * height * perPixel < capacity(SIGNATURE + 4))
    return null;
  const first = where === "alpha" ? 3 : 0;
  const bitAt = (i: number) => {
    const pixel = Math.floor(i / perPixel);
    const [x, y] = [Math.floor(pixel / height), pixel % height];
    return data[(y * width + x) * channels + first + (i % perPixel)]! & 1;
  };
  return (firstByte, count) => {
    const bytes = new Uint8Array(count);
    for (let i = 0; i < 8 * count; i++) bytes[i >> 3]! |= bitAt(8 * firstByte + i) << (7 - (i & 7));
    return bytes;
  };
}

const capacity = (bytes: number) => 8 * bytes;

function textBytes({ width, height }: Pixels, where: "alpha" | "rgb", bits: Bits): Uint8Array | null {
  const head = bits(SIGNATURE, 4);
  const length = new DataView(head.buffer).getUint32(0) >> 3;
  const room = Math.floor((width * height * (where === "alpha" ? 1 : 3)) / 8) - SIGNATURE - 4;
  return length > 0 && length <= room ? bits(SIGNATURE + 4, length) : null;
}

function decode(bytes: Uint8Array, zipped: boolean): string | null {
  try {
    const plain = zipped ? gunzipSync(bytes, { maxOutputLength: MAX_TEXT }) : bytes;
    return new TextDecoder("utf-8").decode(plain);
  } catch {
    return null; // cut off by an editor, or more than MAX_TEXT
  }
}

const latin1 = (bytes: Uint8Array) => String.fromCharCode(...bytes);
