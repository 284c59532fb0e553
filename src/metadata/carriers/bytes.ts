// Text and bytes: the few conversions that every image format needs, and the bounds on what is read.

import type { Carrier } from "./carrier.ts";

const mebibyte = 1024 * 1024;

/** Ours, against files made to exhaust memory. The largest honest text seen is a ComfyUI workflow of 5 MB. */
export const limits = { text: 16 * mebibyte, allText: 64 * mebibyte, carriers: 10_000 };

const noBytes = new Uint8Array(0);
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }); // a BOM is text too: edits must give it back

/** The bytes as Latin-1. TextDecoder's "latin1" is windows-1252 and loses bytes 80 to 9F. */
export function latin1(bytes: Uint8Array, start = 0, end = bytes.length): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1", start, end);
}

/** The bytes as UTF-8, or undefined where they are not. */
export function utf8(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

export interface Decoded {
  text: string;
  encoding: "ascii" | "utf-8" | "latin1";
}

/** UTF-8 if the bytes are, else Latin-1: PNG's tEXt should be Latin-1, and much in the wild is UTF-8. */
export function decodeText(bytes: Uint8Array): Decoded {
  const text = utf8(bytes);
  if (text === undefined) return { text: latin1(bytes), encoding: "latin1" };
  return { text, encoding: text.length === bytes.length ? "ascii" : "utf-8" };
}

export const encodeUtf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The text as Latin-1 bytes; undefined where it has other characters, or where the bytes would be read as UTF-8. */
export function encodeLatin1(text: string): Uint8Array | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: Latin-1 begins at 0.
  if (!/^[\x00-\xff]*$/.test(text)) return undefined;
  const bytes = new Uint8Array(Buffer.from(text, "latin1"));
  return decodeText(bytes).text === text ? bytes : undefined;
}

/** Without the NULs that end C strings and pad fields. */
export function withoutNulls(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.subarray(0, end);
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

export function uint32(value: number, little = false): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, little);
  return bytes;
}

export const startsWith = (bytes: Uint8Array, prefix: string) => latin1(bytes, 0, prefix.length) === prefix;

const exifPrefix = "Exif\0\0";

/** EXIF with and without the six bytes that JPEG puts before it; WebP and PNG files have either. */
export function splitExif(bytes: Uint8Array): { prefix: Uint8Array; tiff: Uint8Array } {
  if (!startsWith(bytes, exifPrefix)) return { prefix: noBytes, tiff: bytes };
  return { prefix: bytes.subarray(0, exifPrefix.length), tiff: bytes.subarray(exifPrefix.length) };
}

/** A carrier as a format's reader finds it, before it has its place in the list. */
export type Found = Omit<Carrier, "index">;

/** Collects carriers up to the limits and says what was left out. */
export class CarrierList<Place> {
  readonly carriers: (Carrier & { place: Place })[] = [];
  readonly warnings: string[] = [];
  #room = limits.allText;

  /** How many bytes of text may still come. */
  get room(): number {
    return Math.min(this.#room, limits.text);
  }

  add(found: Found, size: number, place: Place): void {
    if (this.carriers.length === limits.carriers) {
      this.warnOnce(`Only the first ${limits.carriers} texts of the file are read.`);
    } else if (size > this.room) {
      this.leaveOut(`${found.kind} "${found.keyword}" of ${size} bytes`);
    } else {
      this.#room -= size;
      this.carriers.push({ ...found, index: this.carriers.length, place });
    }
  }

  leaveOut(what: string): void {
    this.warnings.push(
      `${what} is not read: ${limits.text} bytes of text in one place and ${limits.allText} in all are allowed.`,
    );
  }

  warnOnce(warning: string): void {
    if (!this.warnings.includes(warning)) this.warnings.push(warning);
  }

  /** The carriers alone, as callers see them. */
  plain(): Carrier[] {
    return this.carriers.map(({ place: _, ...carrier }) => carrier);
  }
}
