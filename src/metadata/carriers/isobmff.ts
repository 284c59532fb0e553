// AVIF, HEIF and JPEG XL: boxes (ISO/IEC 14496-12, 4.2). AVIF and HEIF have EXIF as an item whose place is in iloc
// (ISO/IEC 23008-12, annex A); JPEG XL as a box of its own (ISO/IEC 18181-2). These files are read, never rewritten:
// every offset in iloc would have to move with the text.

import { CarrierList, concat, latin1, limits, splitExif, viewOf } from "./bytes.ts";
import type { Format, ImageFormat, ReadResult } from "./carrier.ts";
import { readExif } from "./tiff.ts";

interface Box {
  type: string;
  data: Uint8Array;
}

const maxBoxes = 100_000; // ours; a file of nothing but empty boxes would otherwise make millions
const c2pa = "d8fec3d61b0e483c92975828877ec481"; // the uuid box of C2PA 1.3, 11.4

export const isobmff: Format = {
  read(bytes, format) {
    const boxes = boxesOf(bytes);
    const list = new CarrierList<undefined>();
    const exif = format === "jxl" ? exifBox(boxes) : exifItem(bytes, boxes);
    if (exif) readExifData(exif, list);
    if (boxes.some((box) => box.type === "brob")) list.warnings.push("A Brotli-compressed box is not read.");
    return {
      format,
      ...sizeOf(boxes),
      carriers: list.plain(),
      warnings: list.warnings,
      signed: signatureOf(boxes, format),
    };
  },
};

/** Boxes one after the other; a box of size 0 runs to the end, one of size 1 has its size in 64 bits. */
function boxesOf(bytes: Uint8Array): Box[] {
  const boxes: Box[] = [];
  let at = 0;
  while (at + 8 <= bytes.length && boxes.length < maxBoxes) {
    const view = viewOf(bytes);
    const size = view.getUint32(at);
    const head = size === 1 ? 16 : 8;
    if (at + head > bytes.length) break;
    const length = size === 0 ? bytes.length - at : size === 1 ? Number(view.getBigUint64(at + 8)) : size;
    if (length < head) break;
    boxes.push({ type: latin1(bytes, at + 4, at + 8), data: bytes.subarray(at + head, at + length) });
    at += length;
  }
  return boxes;
}

const boxNamed = (boxes: readonly Box[], type: string) => boxes.find((box) => box.type === type)?.data;
const exifBox = (boxes: readonly Box[]) => boxNamed(boxes, "Exif");

/** Four bytes say how far the TIFF header is from behind them, to step over JPEG's prefix. */
function readExifData(data: Uint8Array, list: CarrierList<undefined>): void {
  const offset = data.length < 4 ? 0 : viewOf(data).getUint32(0);
  const { found, warnings } = readExif(splitExif(data.subarray(4 + offset)).tiff);
  for (const { size, ...carrier } of found) list.add(carrier, size, undefined);
  list.warnings.push(...warnings);
}

function exifItem(bytes: Uint8Array, boxes: readonly Box[]): Uint8Array | undefined {
  const meta = boxNamed(boxes, "meta");
  if (!meta) return undefined;
  const inner = boxesOf(meta.subarray(4)); // after version and flags
  const [infos, places] = [boxNamed(inner, "iinf"), boxNamed(inner, "iloc")];
  try {
    const id = infos && exifItemId(infos);
    return id === undefined || !places ? undefined : itemData(new Cursor(places), id, [bytes, boxNamed(inner, "idat")]);
  } catch (error) {
    if (error instanceof RangeError) return undefined; // a table that ends before its entries do
    throw error;
  }
}

/** The item whose type is Exif, in the table of item infos (8.11.6); only versions 2 and 3 have types. */
function exifItemId(infos: Uint8Array): number | undefined {
  const countSize = infos[0] === 0 ? 2 : 4;
  for (const { type, data } of boxesOf(infos.subarray(4 + countSize))) {
    const version = data[0];
    if (type !== "infe" || (version !== 2 && version !== 3)) continue;
    const idSize = version === 2 ? 2 : 4;
    const typeAt = 4 + idSize + 2; // version and flags, id, protection index
    if (latin1(data, typeAt, typeAt + 4) === "Exif") return new Cursor(data.subarray(4)).uint(idSize);
  }
  return undefined;
}

/** The extents of one item (8.11.3), from the file or from the idat box. */
function itemData(at: Cursor, wanted: number, sources: (Uint8Array | undefined)[]): Uint8Array | undefined {
  const version = at.uint(4) >>> 24;
  const [sizes, more] = [at.uint(1), at.uint(1)];
  const [offsetSize, lengthSize, baseSize, indexSize] = [
    sizes >> 4,
    sizes & 15,
    more >> 4,
    version > 0 ? more & 15 : 0,
  ];
  const count = at.uint(version < 2 ? 2 : 4);
  for (let item = 0; item < count; item++) {
    const id = at.uint(version < 2 ? 2 : 4);
    const source = sources[version > 0 ? at.uint(2) & 15 : 0];
    at.skip(2); // data reference
    const base = at.uint(baseSize);
    const extents = at.uint(2);
    if (id !== wanted) {
      at.skip(extents * (indexSize + offsetSize + lengthSize));
      continue;
    }
    const places = Array.from({ length: extents }, () => {
      at.skip(indexSize);
      return { start: base + at.uint(offsetSize), length: at.uint(lengthSize) };
    });
    return source && gathered(source, places);
  }
  return undefined;
}

/** Many small extents may name the same bytes again and again, so their sum is bounded, not only each. */
function gathered(source: Uint8Array, extents: { start: number; length: number }[]): Uint8Array | undefined {
  const total = extents.reduce((sum, { length }) => sum + length, 0);
  if (total > limits.text) return undefined;
  return concat(extents.map(({ start, length }) => source.subarray(start, start + length)));
}

/** Reads big-endian numbers one after the other; past the end it throws RangeError. */
class Cursor {
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#view = viewOf(bytes);
  }

  skip(size: number): void {
    this.#at += size;
  }

  uint(size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + this.#view.getUint8(this.#at++);
    return value;
  }
}

/** The clean aperture where there is one (encoders pad to whole blocks); else the largest size, for tiles have smaller ones. */
function sizeOf(boxes: readonly Box[]): { width?: number; height?: number } {
  const meta = boxNamed(boxes, "meta");
  const properties = meta && boxNamed(boxesOf(meta.subarray(4)), "iprp");
  const container = boxesOf((properties && boxNamed(boxesOf(properties), "ipco")) ?? new Uint8Array(0));
  const aperture = boxNamed(container, "clap");
  if (aperture && aperture.length >= 16) {
    const [width, widthUnit, height, heightUnit] = [0, 4, 8, 12].map((at) => viewOf(aperture).getUint32(at));
    if (widthUnit && heightUnit)
      return { width: Math.floor(width! / widthUnit), height: Math.floor(height! / heightUnit) };
  }
  const sizes = container
    .filter((box) => box.type === "ispe" && box.data.length >= 12)
    .map(({ data }) => ({ width: viewOf(data).getUint32(4), height: viewOf(data).getUint32(8) }));
  return sizes.sort((a, b) => b.width * b.height - a.width * a.height)[0] ?? {};
}

function signatureOf(boxes: readonly Box[], format: ImageFormat): ReadResult["signed"] {
  const isC2pa = (box: Box) => box.type === "uuid" && Buffer.from(box.data.subarray(0, 16)).toString("hex") === c2pa;
  const isJumbf = (box: Box) => format === "jxl" && box.type === "jumb" && latin1(box.data, 0, 256).includes("c2pa");
  return boxes.some((box) => isC2pa(box) || isJumbf(box)) ? "c2pa" : undefined;
}
