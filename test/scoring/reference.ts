// What Pillow made of the fixtures: fixtures/images.json, by test/reference/images.py.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { inflateSync } from "node:zlib";
import type { Mode } from "../../src/scoring/decode.ts";
import type { Samples } from "../../src/scoring/pilResize.ts";

interface Recorded {
  mode: Mode;
  width: number;
  height: number;
  samples: string;
  sides: Record<string, string>;
  error?: string;
}

export const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/images/${name}`, import.meta.url));

const record = JSON.parse(readFileSync(new URL("fixtures/images.json", import.meta.url), "utf8"));

export const pillow: Record<string, Recorded> = record.cases;

const WIDE: Record<string, new (buffer: ArrayBufferLike) => Samples> = {
  "I;16": Uint16Array,
  "I;16B": Uint16Array,
  I: Int32Array,
  F: Float32Array,
};

export function samplesOf(recorded: Recorded): Samples {
  const bytes = new Uint8Array(inflateSync(Buffer.from(recorded.samples, "base64")));
  if (recorded.mode === "I;16B") Buffer.from(bytes.buffer).swap16();
  const Wide = WIDE[recorded.mode];
  return Wide ? new Wide(bytes.buffer) : bytes;
}

export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));

export function largestDifference(got: Samples, want: Samples): number {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < got.length; i++) largest = Math.max(largest, Math.abs(got[i]! - want[i]!));
  return largest;
}
