// GIF: text in comment extensions (GIF89a, section 24), where A1111 writes its parameters. Read, never rewritten.

import { CarrierList, concat, decodeText, viewOf, withoutNulls } from "./bytes.ts";
import type { Format } from "./carrier.ts";

const head = 13; // signature, logical screen descriptor
const blocks = { extension: 0x21, image: 0x2c, end: 0x3b, comment: 0xfe } as const;

export const gif: Format = {
  read(bytes, format) {
    const list = new CarrierList<undefined>();
    if (bytes.length < head) return { format, carriers: [], warnings: ["The file ends within its header."] };
    const isWhole = walk(bytes, (comment) => {
      const value = withoutNulls(comment);
      list.add({ kind: "comment", keyword: "Comment", ...decodeText(value) }, value.length, undefined);
    });
    if (!isWhole) list.warnings.push("The file ends before its trailer, or has a block of no known kind.");
    const view = viewOf(bytes);
    const size = { width: view.getUint16(6, true), height: view.getUint16(8, true) };
    return { format, ...size, carriers: list.plain(), warnings: list.warnings };
  },
};

/** Calls back with each comment; false where the file ends before its trailer. */
function walk(bytes: Uint8Array, onComment: (comment: Uint8Array) => void): boolean {
  let at = head + colorTable(bytes[10]!);
  while (at < bytes.length && bytes[at] !== blocks.end) {
    const kind = bytes[at];
    if (kind !== blocks.extension && kind !== blocks.image) return false;
    const dataAt = kind === blocks.extension ? at + 2 : at + 11 + colorTable(bytes[at + 9] ?? 0);
    const { parts, end } = subBlocks(bytes, dataAt);
    if (kind === blocks.extension && bytes[at + 1] === blocks.comment) onComment(concat(parts));
    at = end;
  }
  return at < bytes.length;
}

/** A table of colours is there when bit 7 is set, with 2^(n + 1) colours of three bytes. */
const colorTable = (packed: number) => (packed & 0x80 ? 3 * 2 ** ((packed & 7) + 1) : 0);

/** Blocks of up to 255 bytes, each after its length, up to one of length 0. */
function subBlocks(bytes: Uint8Array, start: number): { parts: Uint8Array[]; end: number } {
  const parts: Uint8Array[] = [];
  let at = start;
  while (at < bytes.length && bytes[at] !== 0) {
    parts.push(bytes.subarray(at + 1, at + 1 + bytes[at]!));
    at += 1 + bytes[at]!;
  }
  return { parts, end: at + 1 };
}
