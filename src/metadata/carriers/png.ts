// PNG: text in tEXt, zTXt and iTXt chunks (PNG third edition, 11.3.3), ComfyUI's private comf chunk, and EXIF in eXIf.
// An edit replaces whole chunks or puts new ones before the first IDAT; all others keep their bytes and order.

import { crc32, inflateSync } from "node:zlib";
import { MetadataError } from "../../errors.ts";
import {
  CarrierList,
  concat,
  decodeText,
  encodeLatin1,
  encodeUtf8,
  type Found,
  latin1,
  limits,
  splitExif,
  uint32,
  viewOf,
} from "./bytes.ts";
import type { Edit, Format, ImageFormat, ReadResult } from "./carrier.ts";
import { type Plan, planEdits, refuse, signedReason } from "./edits.ts";
import { readExif, replaceTags } from "./tiff.ts";

const signatureLength = 8;
const maxChunkLength = 2 ** 31 - 1;
const frame = 12; // length, type and CRC around a chunk's data

interface Chunk {
  type: string;
  data: Uint8Array;
  whole: Uint8Array; // with length, type and CRC
}

interface Layout {
  chunks: Chunk[];
  /** What follows IEND; kept. */
  rest: Uint8Array;
  /** What is wrong with the file; it is read all the same, but not edited. */
  damage: string[];
}

/** A carrier's chunk, by its number. */
type List = CarrierList<number>;

export const png: Format = {
  read: (bytes, format) => read(bytes, format).result,
  edit,
  pixels: (bytes) => {
    const { chunks, rest } = layoutOf(bytes);
    return [...chunks.filter((chunk) => !(chunk.type in readers)).map((chunk) => chunk.whole), rest];
  },
};

function layoutOf(bytes: Uint8Array): Layout {
  const layout: Layout = { chunks: [], rest: bytes.subarray(bytes.length), damage: [] };
  let at = signatureLength;
  while (layout.chunks.at(-1)?.type !== "IEND") {
    const chunk = chunkAt(bytes, at, layout.damage);
    if (!chunk) return layout;
    layout.chunks.push(chunk);
    at += chunk.whole.length;
  }
  layout.rest = bytes.subarray(at);
  return layout;
}

/** The chunk at an offset; undefined, with the reason in `damage`, where there is no whole one. */
function chunkAt(bytes: Uint8Array, at: number, damage: string[]): Chunk | undefined {
  if (at + frame > bytes.length) return void damage.push("The file ends before its IEND chunk.");
  const length = viewOf(bytes).getUint32(at);
  const type = latin1(bytes, at + 4, at + 8);
  if (!/^[A-Za-z]{4}$/.test(type)) return void damage.push(`What should be a chunk at byte ${at} has no chunk's name.`);
  if (length > maxChunkLength) return void damage.push(`The ${type} chunk at byte ${at} claims ${length} bytes.`);
  const end = at + frame + length;
  if (end > bytes.length) return void damage.push(`The ${type} chunk at byte ${at} ends past the end of the file.`);
  if (crc32(bytes.subarray(at + 4, end - 4)) !== viewOf(bytes).getUint32(end - 4)) {
    damage.push(`The checksum of the ${type} chunk at byte ${at} is wrong.`);
  }
  return { type, data: bytes.subarray(at + 8, end - 4), whole: bytes.subarray(at, end) };
}

function read(bytes: Uint8Array, format: ImageFormat) {
  const layout = layoutOf(bytes);
  const list: List = new CarrierList();
  for (const [number, chunk] of layout.chunks.entries()) readers[chunk.type]?.(chunk, list, number, layout.damage);
  const isSigned = layout.chunks.some((chunk) => chunk.type === "caBX");
  const result: ReadResult = {
    format,
    ...sizeOf(layout),
    carriers: list.plain(),
    warnings: [...layout.damage, ...list.warnings],
    signed: isSigned ? "c2pa" : undefined,
  };
  return { result, layout, list };
}

/** The header's size is told, never used to allocate. */
function sizeOf({ chunks }: Layout): { width?: number; height?: number } {
  const header = chunks[0];
  if (header?.type !== "IHDR" || header.data.length < 8) return {};
  return { width: viewOf(header.data).getUint32(0), height: viewOf(header.data).getUint32(4) };
}

type ChunkReader = (chunk: Chunk, list: List, number: number, damage: string[]) => void;

/** The chunks that hold text. A chunk of another type is part of the picture, or nobody's business. */
const readers: Record<string, ChunkReader> = {
  tEXt: plainText("tEXt"),
  comf: plainText("comf"),
  zTXt({ data }, list, number, damage) {
    const { keyword, value } = splitKeyword(data);
    addInflated({ kind: "zTXt", keyword }, value.subarray(1), list, number, damage);
  },
  iTXt({ data }, list, number, damage) {
    const { keyword, compressed, value } = splitInternational(data);
    if (compressed) addInflated({ kind: "iTXt", keyword }, value, list, number, damage);
    else addText({ kind: "iTXt", keyword }, value, list, number);
  },
  eXIf({ data }, list, number) {
    const { found, warnings } = readExif(splitExif(data).tiff);
    for (const { size, ...carrier } of found) list.add(carrier, size, number);
    list.warnings.push(...warnings);
  },
};

function plainText(kind: "tEXt" | "comf"): ChunkReader {
  return ({ data }, list, number) => {
    const { keyword, value } = splitKeyword(data);
    addText({ kind, keyword }, value, list, number);
  };
}

type Naming = Pick<Found, "kind" | "keyword">;

function addText(naming: Naming, value: Uint8Array, list: List, number: number): void {
  const text = value.length > list.room ? { text: "", encoding: "ascii" } : decodeText(value);
  list.add({ ...naming, ...text }, value.length, number);
}

/** Inflates up to the room that is left: two hundred kilobytes can claim two hundred megabytes. */
function addInflated(naming: Naming, value: Uint8Array, list: List, number: number, damage: string[]): void {
  const name = `${naming.kind} "${naming.keyword}"`;
  try {
    addText(naming, inflateSync(value, { maxOutputLength: Math.max(1, list.room) }), list, number);
  } catch (error) {
    const isTooLarge = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    damage.push(
      `${name} ${isTooLarge ? `inflates to more than ${limits.text} bytes` : "can not be inflated"}; it is not read.`,
    );
  }
}

function splitKeyword(data: Uint8Array): { keyword: string; value: Uint8Array } {
  const end = data.indexOf(0);
  if (end < 0) return { keyword: latin1(data), value: data.subarray(data.length) };
  return { keyword: latin1(data, 0, end), value: data.subarray(end + 1) };
}

/** Keyword, NUL, compression flag and method, language, NUL, translated keyword, NUL, text. */
function splitInternational(data: Uint8Array) {
  const { keyword, value: rest } = splitKeyword(data);
  const { value: afterLanguage } = splitKeyword(rest.subarray(2));
  const { value } = splitKeyword(afterLanguage);
  const names = rest.subarray(2, rest.length - value.length); // language and translated keyword, with their NULs
  return { keyword, compressed: rest[0] === 1, names, value };
}

function edit(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  const { layout, list, result } = read(bytes, "png");
  refuse([...layout.damage, ...(result.signed ? [signedReason] : [])]);
  const plan = planEdits(list.carriers, edits);
  if (plan.comment !== undefined) {
    throw new MetadataError("A PNG file takes new text in a chunk of its own, not as a UserComment.", {
      hint: 'Add it with kind "text".',
    });
  }
  const pieces = layout.chunks.map((chunk, number) => editedChunk(chunk, number, plan));
  const added = plan.texts.map(({ keyword, text }) => newText(keyword, text));
  const firstData = layout.chunks.findIndex((chunk) => chunk.type === "IDAT");
  if (firstData < 0) refuse(["It has no IDAT chunk, and so no picture."]);
  return concat([
    bytes.subarray(0, signatureLength),
    ...pieces.slice(0, firstData),
    ...added,
    ...pieces.slice(firstData),
    layout.rest,
  ]);
}

function editedChunk(chunk: Chunk, number: number, { replaced }: Plan<List["carriers"][number]>): Uint8Array {
  const changes = [...replaced].filter(([carrier]) => carrier.place === number);
  if (changes.length === 0) return chunk.whole;
  if (chunk.type === "eXIf") return chunkOf("eXIf", replaceTags(chunk.data, changes));
  const [carrier, text] = changes[0]!; // a text chunk is one carrier
  return writers[chunk.type]!(chunk.data, carrier, text);
}

/** A chunk of each type with another text, in the form it has; compressed ones become plain ones. */
const writers: Record<string, (data: Uint8Array, carrier: Found, text: string) => Uint8Array> = {
  tEXt: (_, { keyword, encoding }, text) =>
    encoding === "utf-8" ? chunkOf("tEXt", withKeyword(keyword, encodeUtf8(text))) : newText(keyword, text),
  zTXt: (_, { keyword }, text) => newText(keyword, text),
  iTXt: (data, { keyword }, text) => international(keyword, splitInternational(data).names, text),
  comf: (_, { keyword }, text) => chunkOf("comf", withKeyword(keyword, encodeUtf8(text))),
};

/** tEXt where Latin-1 has all the characters, else uncompressed iTXt: Pillow's rule, and so that of every host on it. */
function newText(keyword: string, text: string): Uint8Array {
  const bytes = encodeLatin1(text);
  return bytes ? chunkOf("tEXt", withKeyword(keyword, bytes)) : international(keyword, new Uint8Array(2), text);
}

function international(keyword: string, names: Uint8Array, text: string): Uint8Array {
  const uncompressed = new Uint8Array(2);
  return chunkOf("iTXt", withKeyword(keyword, concat([uncompressed, names, encodeUtf8(text)])));
}

function withKeyword(keyword: string, value: Uint8Array): Uint8Array {
  return concat([new Uint8Array(Buffer.from(`${checkedKeyword(keyword)}\0`, "latin1")), value]);
}

function checkedKeyword(keyword: string): string {
  if (/^[\x20-\x7e\xa1-\xff]{1,79}$/.test(keyword)) return keyword;
  throw new MetadataError(`"${keyword}" is no keyword of a PNG text: those are 1 to 79 printable Latin-1 characters.`);
}

/** The data of the first whole chunk of that type; undefined where there is none, or its checksum is wrong. */
export function chunkData(bytes: Uint8Array, type: string): Uint8Array | undefined {
  const chunk = layoutOf(bytes).chunks.find((each) => each.type === type);
  const isWhole = chunk && crc32(chunk.whole.subarray(4, -4)) === viewOf(chunk.whole).getUint32(chunk.whole.length - 4);
  return isWhole ? chunk.data : undefined;
}

/** The file with one chunk of that type before its picture, in the place of any it had. For chunks that hold no text. */
export function withChunk(bytes: Uint8Array, type: string, data: Uint8Array): Uint8Array {
  const { chunks, rest, damage } = layoutOf(bytes);
  refuse(damage);
  const others = chunks.filter((chunk) => chunk.type !== type);
  const firstData = others.findIndex((chunk) => chunk.type === "IDAT");
  const wholes = others.map((chunk) => chunk.whole);
  wholes.splice(firstData < 0 ? wholes.length - 1 : firstData, 0, chunkOf(type, data));
  return concat([bytes.subarray(0, signatureLength), ...wholes, rest]);
}

function chunkOf(type: string, data: Uint8Array): Uint8Array {
  const named = concat([encodeUtf8(type), data]);
  return concat([uint32(data.length), named, uint32(crc32(named))]);
}
