// The index of a multi-picture JPEG (CIPA DC-007, 5.2): an APP2 segment with a TIFF directory of its own. Phones and
// cameras put a preview or a gain map after the picture and its place here.

import { startsWith, viewOf } from "./bytes.ts";

const prefix = "MPF\0";
const segmentHead = 4; // marker and length
const mpEntries = 0xb002;
const entrySize = 12;

export const isMpf = (data: Uint8Array) => startsWith(data, prefix);

/** The segment with the length of the first picture, which holds the edited text, grown; as it was where it has none. */
export function withFirstImageGrown(segment: Uint8Array, by: number): Uint8Array {
  const grown = segment.slice();
  const tiff = grown.subarray(segmentHead + prefix.length);
  const at = firstSizeAt(tiff);
  if (at === undefined) return grown;
  const little = tiff[0] === 0x49;
  const old = viewOf(tiff).getUint32(at, little);
  if (old > 0) viewOf(tiff).setUint32(at, old + by, little);
  return grown;
}

/** Where the first picture's length stands: the second word of the first entry. */
function firstSizeAt(tiff: Uint8Array): number | undefined {
  if (tiff.length < 8) return undefined;
  const little = tiff[0] === 0x49;
  const view = viewOf(tiff);
  const directory = view.getUint32(4, little);
  if (directory + 2 > tiff.length) return undefined;
  const count = view.getUint16(directory, little);
  for (
    let at = directory + 2;
    at < directory + 2 + count * entrySize && at + entrySize <= tiff.length;
    at += entrySize
  ) {
    if (view.getUint16(at, little) !== mpEntries) continue;
    const size = view.getUint32(at + 8, little) + 4;
    return size + 4 <= tiff.length ? size : undefined;
  }
  return undefined;
}
