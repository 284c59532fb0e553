// WebP: RIFF chunks (RFC 9649, 2). Text is in the EXIF and XMP chunks, which need the extended form: a file that begins
// with VP8X, whose flags say what else there is. A simple file gets that chunk when it gets its first EXIF.

import { MetadataError } from "../../errors.ts";
import { CarrierList, concat, decodeText, encodeUtf8, latin1, splitExif, uint32, viewOf } from "./bytes.ts";
import type { Edit, Format, ImageFormat, ReadResult } from "./carrier.ts";
import { type Plan, planEdits, refuse, signedReason } from "./edits.ts";
import { addUserComment, newExif, readExif, replaceTags } from "./tiff.ts";

const riffHead = 12; // "RIFF", size, "WEBP"
const chunkHead = 8;
const flags = { alpha: 0x10, exif: 0x08 } as const;

interface Chunk {
  type: string;
  data: Uint8Array;
  whole: Uint8Array; // with head and padding
}

interface Layout {
  chunks: Chunk[];
  /** What follows the RIFF chunk; kept. */
  rest: Uint8Array;
  damage: string[];
}

type List = CarrierList<Chunk>;

export const webp: Format = {
  read: (bytes, format) => read(bytes, format).result,
  edit,
  pixels: (bytes) => {
    const { chunks, rest } = layoutOf(bytes);
    return [...chunks.filter((chunk) => !["VP8X", "EXIF"].includes(chunk.type)).map((chunk) => chunk.data), rest];
  },
};

function layoutOf(bytes: Uint8Array): Layout {
  const claimed = chunkHead + viewOf(bytes).getUint32(4, true);
  const end = Math.min(claimed, bytes.length);
  const layout: Layout = { chunks: [], rest: bytes.subarray(end), damage: [] };
  if (claimed > bytes.length + 1) {
    layout.damage.push(`The file says it has ${claimed} bytes and has ${bytes.length}.`); // one may be missing padding
  }
  let at = riffHead;
  while (at < end) {
    const chunk = chunkAt(bytes, at, end, layout.damage);
    if (!chunk) return layout;
    layout.chunks.push(chunk);
    at += chunk.whole.length;
  }
  return layout;
}

function chunkAt(bytes: Uint8Array, at: number, end: number, damage: string[]): Chunk | undefined {
  if (at + chunkHead > end) return void damage.push(`${end - at} bytes at the end are no chunk.`);
  const type = latin1(bytes, at, at + 4);
  const length = viewOf(bytes).getUint32(at + 4, true);
  const dataEnd = at + chunkHead + length;
  if (dataEnd > end) return void damage.push(`The "${type}" chunk at byte ${at} ends past the end of the file.`);
  const next = length % 2 === 1 && hasPadding(bytes, dataEnd, end) ? dataEnd + 1 : dataEnd;
  return { type, data: bytes.subarray(at + chunkHead, dataEnd), whole: bytes.subarray(at, next) };
}

/** A chunk of odd length is followed by a zero; some writers forget it, and the next chunk's name is there at once. */
function hasPadding(bytes: Uint8Array, dataEnd: number, end: number): boolean {
  return dataEnd < end && !/^[A-Z]/.test(latin1(bytes, dataEnd, dataEnd + 1));
}

function read(bytes: Uint8Array, format: ImageFormat) {
  const layout = layoutOf(bytes);
  const list: List = new CarrierList();
  for (const chunk of layout.chunks) readChunk(chunk, list);
  const result: ReadResult = {
    format,
    ...canvasOf(layout.chunks),
    carriers: list.plain(),
    warnings: [...layout.damage, ...list.warnings],
    signed: layout.chunks.some((chunk) => chunk.type === "C2PA") ? "c2pa" : undefined,
  };
  return { result, layout, list };
}

function readChunk(chunk: Chunk, list: List): void {
  if (chunk.type === "EXIF") {
    const { found, warnings } = readExif(splitExif(chunk.data).tiff);
    for (const { size, ...carrier } of found) list.add(carrier, size, chunk);
    list.warnings.push(...warnings);
  } else if (chunk.type === "XMP ") {
    list.add({ kind: "xmp", keyword: "XML:com.adobe.xmp", ...decodeText(chunk.data) }, chunk.data.length, chunk);
  }
}

interface Canvas {
  width: number;
  height: number;
  alpha: boolean;
}

const uint24 = (view: DataView, at: number) => view.getUint16(at, true) + 0x10000 * view.getUint8(at + 2);

/** Where each kind of first chunk has the picture's size (RFC 9649, 2.7; RFC 6386, 9.1; RFC 9649, 3.4). */
const canvases: Record<string, (view: DataView) => Canvas | undefined> = {
  VP8X: (view) =>
    view.byteLength < 10
      ? undefined
      : { width: uint24(view, 4) + 1, height: uint24(view, 7) + 1, alpha: (view.getUint8(0) & flags.alpha) !== 0 },
  "VP8 ": (view) =>
    view.byteLength < 10 || uint24(view, 3) !== 0x2a019d
      ? undefined
      : { width: view.getUint16(6, true) & 0x3fff, height: view.getUint16(8, true) & 0x3fff, alpha: false },
  VP8L: (view) => {
    if (view.byteLength < 5 || view.getUint8(0) !== 0x2f) return undefined;
    const bits = view.getUint32(1, true); // 14 bits width - 1, 14 bits height - 1, one bit alpha
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1, alpha: ((bits >>> 28) & 1) === 1 };
  },
};

function pictureOf(chunks: readonly Chunk[]): Canvas | undefined {
  const first = chunks[0];
  return first && canvases[first.type]?.(viewOf(first.data));
}

function canvasOf(chunks: readonly Chunk[]): { width?: number; height?: number } {
  const picture = pictureOf(chunks);
  return picture ? { width: picture.width, height: picture.height } : {};
}

function edit(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  const { layout, list, result } = read(bytes, "webp");
  refuse([...layout.damage, ...(result.signed ? [signedReason] : [])]);
  const plan = planEdits(list.carriers, edits);
  if (plan.texts.length > 0) {
    throw new MetadataError(`A WebP file has no place for a text named "${plan.texts[0]!.keyword}".`, {
      hint: "Add a UserComment, or write a sidecar file beside the image.",
    });
  }
  if (plan.replaced.size === 0 && plan.comment === undefined) return bytes.slice();
  const pieces = layout.chunks.map((chunk) => editedChunk(chunk, plan));
  if (plan.comment !== undefined) addComment(layout.chunks, pieces, plan.comment);
  extend(layout.chunks, pieces);
  const body = concat([encodeUtf8("WEBP"), ...pieces]);
  return concat([encodeUtf8("RIFF"), uint32(body.length, true), body, layout.rest]);
}

function editedChunk(chunk: Chunk, { replaced }: Plan<List["carriers"][number]>): Uint8Array {
  const changes = [...replaced].filter(([carrier]) => carrier.place === chunk);
  if (changes.length === 0) return chunk.whole;
  if (chunk.type !== "EXIF") throw new MetadataError("XMP in WebP files is read but not rewritten.");
  return chunkOf("EXIF", replaceTags(chunk.data, changes));
}

/** Into the EXIF that is there; else in a chunk of its own after the picture, before XMP. */
function addComment(chunks: readonly Chunk[], pieces: Uint8Array[], text: string): void {
  const exif = chunks.findIndex((chunk) => chunk.type === "EXIF");
  if (exif >= 0) {
    pieces[exif] = chunkOf("EXIF", addUserComment(chunks[exif]!.data, text));
    return;
  }
  const xmp = chunks.findIndex((chunk) => chunk.type === "XMP ");
  const place = xmp < 0 ? pieces.length : xmp;
  if (place > 0) pieces[place - 1] = even(pieces[place - 1]!);
  pieces.splice(place, 0, chunkOf("EXIF", newExif(text)));
}

/** Sets the EXIF flag, in a new VP8X chunk where the file is of the simple form. */
function extend(chunks: readonly Chunk[], pieces: Uint8Array[]): void {
  const first = chunks[0];
  const picture = pictureOf(chunks);
  if (!first || !picture) {
    refuse(["Its first chunk does not tell the size of the picture."]);
  } else if (first.type === "VP8X") {
    pieces[0] = pieces[0]!.slice();
    pieces[0][chunkHead]! |= flags.exif;
  } else {
    pieces.unshift(chunkOf("VP8X", extendedHeader(picture)));
  }
}

function extendedHeader({ width, height, alpha }: Canvas): Uint8Array {
  const sizes = [width - 1, height - 1].flatMap((size) => [size & 0xff, (size >> 8) & 0xff, size >> 16]);
  return Uint8Array.of(flags.exif | (alpha ? flags.alpha : 0), 0, 0, 0, ...sizes);
}

function chunkOf(type: string, data: Uint8Array): Uint8Array {
  return even(concat([encodeUtf8(type), uint32(data.length, true), data]));
}

/** Chunks begin on even offsets. */
const even = (piece: Uint8Array) => (piece.length % 2 === 0 ? piece : concat([piece, Uint8Array.of(0)]));
