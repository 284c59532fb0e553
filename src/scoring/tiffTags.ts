// The few tags of a TIFF's first page that tell Pillow's mode apart and that sharp does not report (TIFF 6.0, section 2).

export type TiffTags = ReadonlyMap<number, number[]>;

export const PHOTOMETRIC = 262;
export const EXTRA_SAMPLES = 338;

/** Photometric interpretation 3: samples are places in a palette. */
export const PALETTE = 3;

/** Bytes of a value by its field type; the wanted tags are BYTE, SHORT or LONG. */
const WIDTHS: Record<number, 1 | 2 | 4> = { 1: 1, 3: 2, 4: 4 };

/** Tags that can not be read are left out: the decoder is the one to complain about damage. BigTIFF gives none. */
export function readTiffTags(bytes: Uint8Array): TiffTags {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  const tags = new Map<number, number[]>();
  const start = view.byteLength >= 8 ? view.getUint32(4, little) : view.byteLength;
  if (start + 2 > view.byteLength) return tags;
  const count = view.getUint16(start, little);
  for (let at = start + 2; at < start + 2 + 12 * count && at + 12 <= view.byteLength; at += 12) {
    const values = readValues(view, at, little);
    if (values) tags.set(view.getUint16(at, little), values);
  }
  return tags;
}

function readValues(view: DataView, at: number, little: boolean): number[] | undefined {
  const width = WIDTHS[view.getUint16(at + 2, little)];
  const count = view.getUint32(at + 4, little);
  if (!width || count > 16) return undefined;
  const from = width * count <= 4 ? at + 8 : view.getUint32(at + 8, little);
  if (from + width * count > view.byteLength) return undefined;
  return Array.from({ length: count }, (_, i) => readNumber(view, from + i * width, width, little));
}

function readNumber(view: DataView, at: number, width: 1 | 2 | 4, little: boolean): number {
  if (width === 1) return view.getUint8(at);
  return width === 2 ? view.getUint16(at, little) : view.getUint32(at, little);
}
