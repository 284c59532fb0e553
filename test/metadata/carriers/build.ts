// Fixtures, and image files built byte by byte by code that shares nothing with the readers under test.

import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import {
  applyEdits,
  type Carrier,
  type Edit,
  pixelDigest,
  readCarriers,
} from "../../../src/metadata/carriers/carrier.ts";

const folder = new URL("../fixtures/", import.meta.url);

export const fixture = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)));

export const pair = ", ImageReward Score: 0.5812";

/** As make_fixtures.py has it. */
export const infotext =
  "a cat on a mat, <lora:fine:0.8>\nwearing a hat\nNegative prompt: ugly, bad hands\n" +
  "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1234, Size: 512x768, Model: base, Version: v1.10.1";
export const unicode = infotext.replace("a cat", "日本の猫 😀 שלום e\u0301");

export const carriersOf = (bytes: Uint8Array) => readCarriers(bytes).carriers;

export function carrier(bytes: Uint8Array, keyword: string): Carrier {
  const found = carriersOf(bytes).filter((c) => c.keyword === keyword);
  if (found.length === 0) throw new Error(`no ${keyword}`);
  return found.at(-1)!;
}

/** The edit that appends the score to a carrier. */
export const scored = (bytes: Uint8Array, keyword: string): Edit => {
  const old = carrier(bytes, keyword);
  return { do: "replace", carrier: old, text: old.text + pair };
};

/** The edits applied, after making sure that a second time changes nothing and that the picture's bytes stay. */
export function edited(bytes: Uint8Array, ...edits: Edit[]): Uint8Array {
  const once = applyEdits(bytes, edits);
  const twice = applyEdits(once, edits);
  if (!Buffer.from(once).equals(twice)) throw new Error("the same edits again changed the file");
  if (pixelDigest(once) !== pixelDigest(bytes)) throw new Error("the picture's bytes changed");
  return once;
}

export function chunk(type: string, data: Uint8Array | string): Buffer {
  const named = Buffer.concat([Buffer.from(type, "latin1"), Buffer.from(data as string, "latin1")]);
  const [length, crc] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(named.length - 4);
  crc.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, crc]);
}

export interface RawChunk {
  type: string;
  bytes: Buffer;
}

/** The chunks of a sound PNG. */
export function chunksOf(png: Uint8Array): RawChunk[] {
  const all = Buffer.from(png);
  const chunks: RawChunk[] = [];
  for (let at = 8; at < all.length && chunks.at(-1)?.type !== "IEND"; ) {
    const end = at + 12 + all.readUInt32BE(at);
    chunks.push({ type: all.toString("latin1", at + 4, at + 8), bytes: all.subarray(at, end) });
    at = end;
  }
  return chunks;
}

/** plain.png with chunks before its first IDAT, others after the last, and bytes after IEND. */
export function pngWith(parts: { before?: Buffer[]; after?: Buffer[]; rest?: string }): Uint8Array {
  const plain = fixture("plain.png");
  const chunks = chunksOf(plain);
  const byType = (wanted: (type: string) => boolean) => chunks.filter((c) => wanted(c.type)).map((c) => c.bytes);
  return new Uint8Array(
    Buffer.concat([
      plain.subarray(0, 8),
      ...byType((type) => type !== "IDAT" && type !== "IEND"),
      ...(parts.before ?? []),
      ...byType((type) => type === "IDAT"),
      ...(parts.after ?? []),
      ...byType((type) => type === "IEND"),
      Buffer.from(parts.rest ?? "", "latin1"),
    ]),
  );
}
