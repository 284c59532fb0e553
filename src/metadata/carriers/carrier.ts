// The places in an image file that hold text, and byte surgery on them: pixels are never decoded and never written anew.
// Each format's rules are in the file of its name; this one has the types they share and the table that finds the right one.

import { createHash } from "node:crypto";
import { MetadataError } from "../../errors.ts";
import { gif } from "./gif.ts";
import { isobmff } from "./isobmff.ts";
import { jpeg } from "./jpeg.ts";
import { png } from "./png.ts";
import { webp } from "./webp.ts";

export type ImageFormat = "png" | "jpeg" | "webp" | "avif" | "heif" | "gif" | "jxl" | "unknown";

/** One place in a file that holds text. */
export interface Carrier {
  kind: "tEXt" | "zTXt" | "iTXt" | "comf" | "exif" | "comment" | "xmp" | "stealth";
  /** PNG keyword; EXIF tag name such as "UserComment", "Make", "Model", "ImageDescription"; "Comment"; "XML:com.adobe.xmp". */
  keyword: string;
  /** Decoded: strict UTF-8, else Latin-1; UserComment by its prefix and what its bytes look like. */
  text: string;
  /**
   * How `text` lies in the file. Anywhere: "ascii", "utf-8", "latin1". UserComment, by prefix: "unicode-be", "unicode-le",
   * "unicode-bom", "unicode-utf8", "ascii", "ascii-utf-8", "ascii-latin1", "jis", "undefined-utf8", "undefined-latin1";
   * without one "none-utf8", "none-latin1".
   */
  encoding: string;
  /** EXIF only: the directory the tag was found in (Fooocus puts UserComment in IFD0). */
  ifd?: "ifd0" | "exif";
  /** Position among the file's carriers, in file order. */
  index: number;
}

export interface ReadResult {
  format: ImageFormat;
  width?: number;
  height?: number;
  carriers: Carrier[];
  warnings: string[];
  signed?: "c2pa" | undefined;
}

/**
 * A wanted change. `replace` keeps the carrier's own type and encoding form (a zTXt or compressed iTXt becomes tEXt or
 * uncompressed iTXt); `add` puts a new one where the format's readers look.
 */
export type Edit =
  | { do: "replace"; carrier: Carrier; text: string }
  | { do: "add"; kind: "text"; keyword: string; text: string } // PNG: tEXt if Latin-1 else iTXt, before the first IDAT
  | { do: "add"; kind: "exif"; tag: "UserComment"; text: string }; // JPEG and WebP: UNICODE + UTF-16BE, no byte order mark

/** What one format's file can tell and do. `edit` is absent where files are not rewritten. */
export interface Format {
  read(bytes: Uint8Array, format: ImageFormat): ReadResult;
  edit?(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array;
  /** The parts of the file that make the picture; an edit must leave each of their bytes. */
  pixels?(bytes: Uint8Array): Uint8Array[];
}

const formats: Partial<Record<ImageFormat, Format>> = {
  png,
  jpeg,
  webp,
  avif: isobmff,
  heif: isobmff,
  jxl: isobmff,
  gif,
};

const ascii = (bytes: Uint8Array, start: number, end: number) => String.fromCharCode(...bytes.subarray(start, end));

/** The first bytes of each format; a file's name says nothing (JPEGs named .png are common). */
const signatures: [ImageFormat, (bytes: Uint8Array) => boolean][] = [
  ["png", (b) => ascii(b, 0, 8) === "\x89PNG\r\n\x1a\n"],
  ["jpeg", (b) => ascii(b, 0, 3) === "\xff\xd8\xff"],
  ["webp", (b) => ascii(b, 0, 4) === "RIFF" && ascii(b, 8, 12) === "WEBP"],
  ["gif", (b) => /^GIF8[79]a$/.test(ascii(b, 0, 6))],
  ["jxl", (b) => ascii(b, 0, 2) === "\xff\x0a" || ascii(b, 0, 12) === "\0\0\0\x0cJXL \r\n\x87\n"],
  ["avif", (b) => brands(b).some((brand) => brand === "avif" || brand === "avis")],
  ["heif", (b) => brands(b).some((brand) => /^(he(ic|ix|im|is|vc|vx|vm|vs)|mif1|msf1)$/.test(brand))],
];

/** The major and compatible brands of an ISO base media file (ISO/IEC 14496-12, 4.3), at most 32 of them. */
function brands(bytes: Uint8Array): string[] {
  if (ascii(bytes, 4, 8) !== "ftyp") return [];
  const size = Math.min(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0), bytes.length, 16 + 4 * 32);
  const starts = Array.from({ length: Math.max(0, Math.floor((size - 8) / 4)) }, (_, i) => 8 + 4 * i);
  return starts.filter((start) => start !== 12).map((start) => ascii(bytes, start, start + 4)); // 12 holds the version
}

export function sniff(bytes: Uint8Array): ImageFormat {
  return signatures.find(([, matches]) => matches(bytes))?.[0] ?? "unknown";
}

/** All text carriers of a file. Damage is told in `warnings`; lengths, inflated sizes and counts are bounded. */
export function readCarriers(bytes: Uint8Array): ReadResult {
  const format = sniff(bytes);
  const rules = formats[format];
  if (rules) return rules.read(bytes, format);
  const what = bytes.length === 0 ? "The file is empty" : `The file's format (${format}) has no metadata that is read`;
  return { format, carriers: [], warnings: [`${what}.`] };
}

/** The file with the edits made, and every other byte as it was. The same edits made again change nothing. */
export function applyEdits(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  const format = sniff(bytes);
  const edit = formats[format]?.edit;
  if (!edit) {
    throw new MetadataError(`A file of format ${format} is not rewritten, only PNG, JPEG and WebP files are.`, {
      hint: "Write the score to a sidecar file beside the image.",
    });
  }
  return edit(bytes, edits);
}

/** SHA-256 of everything that makes the picture, equal before and after an edit. */
export function pixelDigest(bytes: Uint8Array): string {
  const format = sniff(bytes);
  const parts = formats[format]?.pixels?.(bytes);
  if (!parts) throw new MetadataError(`Only PNG, JPEG and WebP files have a digest of their picture, not ${format}.`);
  const hash = createHash("sha256").update(format);
  for (const part of parts) hash.update(`:${part.length}:`).update(part);
  return hash.digest("hex");
}
