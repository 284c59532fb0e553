// EXIF's TIFF structure (TIFF 6.0, section 2; EXIF 2.32, 4.6): read within bounds, edited by appending only.
// New values go to the end and one entry's count and offset are pointed at them. Everything else keeps its place, so
// that maker notes and thumbnails, whose offsets nobody knows, stay valid.

import { MetadataError } from "../../errors.ts";
import {
  concat,
  type Decoded,
  decodeText,
  encodeLatin1,
  encodeUtf8,
  type Found,
  splitExif,
  uint32,
  viewOf,
  withoutNulls,
} from "./bytes.ts";
import { decodeUserComment, newUserComment, replaceUserComment } from "./userComment.ts";

type IfdName = "ifd0" | "exif";

/** One entry of a directory: twelve bytes at `at`, its value the bytes from `start` on. */
interface Entry {
  ifd: IfdName;
  tag: number;
  type: number;
  at: number;
  start: number;
  size: number;
}

interface Directory {
  at: number;
  entries: Entry[];
}

interface Tiff {
  bytes: Uint8Array;
  little: boolean;
  directories: Partial<Record<IfdName, Directory>>;
  warnings: string[];
}

const tags = { exifIfd: 0x8769, makerNote: 0x927c, userComment: 0x9286 } as const;
const types = { ascii: 2, long: 4, undefined: 7 } as const;

/** Bytes in one value of each type, by its number. */
const typeSizes = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4];
const entrySize = 12;

/** The tags that hosts put text in; other text tags go by their number. */
const names: Record<number, string> = {
  269: "DocumentName",
  270: "ImageDescription",
  271: "Make",
  272: "Model",
  305: "Software",
  306: "DateTime",
  315: "Artist",
  33432: "Copyright",
  [tags.makerNote]: "MakerNote",
  [tags.userComment]: "UserComment",
};

const nameOf = (tag: number) => names[tag] ?? `0x${tag.toString(16).padStart(4, "0")}`;

/** The texts of IFD0 and of the Exif directory, in file order of their entries. */
export function readExif(bytes: Uint8Array): { found: (Found & { size: number })[]; warnings: string[] } {
  const tiff = parseTiff(bytes);
  if (!tiff) return { found: [], warnings: ["The EXIF data does not begin as TIFF does and is not read."] };
  const found = textEntries(tiff).map((entry) => ({
    kind: "exif" as const,
    keyword: nameOf(entry.tag),
    ...decodeEntry(tiff, entry),
    ifd: entry.ifd,
    size: entry.size,
  }));
  return { found, warnings: tiff.warnings };
}

/** EXIF, with or without JPEG's prefix, with the texts of some of its tags replaced. */
export function replaceTags(exif: Uint8Array, changes: Iterable<[Found, string]>): Uint8Array {
  const { prefix, tiff } = splitExif(exif);
  let edited = tiff;
  for (const [{ ifd, keyword }, text] of changes) edited = replaceTag(edited, ifd!, keyword, text);
  return concat([prefix, edited]);
}

function replaceTag(bytes: Uint8Array, ifd: IfdName, keyword: string, text: string): Uint8Array {
  const tiff = parseTiff(bytes);
  const entry = tiff && textEntries(tiff).find((e) => e.ifd === ifd && nameOf(e.tag) === keyword);
  if (!entry)
    throw new MetadataError(`The EXIF data has no ${keyword} in its ${ifd} directory that could be replaced.`);
  return setValue(tiff, entry, encodeEntry(tiff, entry, text));
}

/** EXIF, with or without JPEG's prefix, with a UserComment, which it must not have yet. */
export function addUserComment(exif: Uint8Array, text: string): Uint8Array {
  const { prefix, tiff } = splitExif(exif);
  return concat([prefix, withUserComment(tiff, text)]);
}

/** A new EXIF structure that has only a UserComment; `prefix` is JPEG's, and absent elsewhere. */
export function newExif(text: string, prefix: "Exif\0\0" | "" = ""): Uint8Array {
  return concat([encodeUtf8(prefix), withUserComment(emptyTiff, text)]);
}

function withUserComment(bytes: Uint8Array, text: string): Uint8Array {
  const tiff = parseTiff(bytes);
  const ifd0 = tiff?.directories.ifd0;
  if (!tiff || !ifd0 || tiff.warnings.length > 0) {
    const damage = tiff?.warnings.join(" ") ?? "It does not begin as TIFF does.";
    throw new MetadataError(`The file's EXIF data is damaged and takes no UserComment. ${damage}`);
  }
  refuseSecond(tiff);
  const comment = { tag: tags.userComment, type: types.undefined, value: newUserComment(text) };
  const pointer = ifd0.entries.find((entry) => entry.tag === tags.exifIfd);
  return pointer ? addToExif(tiff, pointer, comment) : addExifDirectory(tiff, ifd0, comment);
}

/** Big-endian, as piexif writes it, with an empty IFD0. */
const emptyTiff = Uint8Array.from([0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0]);

/** An empty comment is not here: it is replaced. Any other would be hidden or doubled. */
function refuseSecond(tiff: Tiff): void {
  const all = Object.values(tiff.directories).flatMap((directory) => directory.entries);
  if (!all.some((entry) => entry.tag === tags.userComment)) return;
  throw new MetadataError("The file already has a UserComment, and EXIF allows only one.", {
    hint: "Replace the one that is there.",
  });
}

function parseTiff(bytes: Uint8Array): Tiff | undefined {
  const order = bytes.length >= 8 ? viewOf(bytes).getUint16(0) : 0;
  if (order !== 0x4949 && order !== 0x4d4d) return undefined;
  const little = order === 0x4949;
  if (viewOf(bytes).getUint16(2, little) !== 42) return undefined;
  const tiff: Tiff = { bytes, little, directories: {}, warnings: [] };
  const ifd0 = readDirectory(tiff, "ifd0", viewOf(bytes).getUint32(4, little));
  const pointer = ifd0?.entries.find((entry) => entry.tag === tags.exifIfd && entry.size === 4);
  if (pointer) readDirectory(tiff, "exif", viewOf(bytes).getUint32(pointer.start, little));
  return tiff;
}

function readDirectory(tiff: Tiff, ifd: IfdName, at: number): Directory | undefined {
  const room = tiff.bytes.length - at - 2;
  const count = room >= 0 ? viewOf(tiff.bytes).getUint16(at, tiff.little) : -1;
  if (count < 0 || count * entrySize > room) {
    tiff.warnings.push(`EXIF: the ${ifd} directory lies past the end of the data.`);
    return undefined;
  }
  const ats = Array.from({ length: count }, (_, i) => at + 2 + entrySize * i);
  const entries = ats.map((entryAt) => readEntry(tiff, ifd, entryAt)).filter((entry) => entry !== undefined);
  tiff.directories[ifd] = { at, entries };
  return tiff.directories[ifd];
}

function readEntry(tiff: Tiff, ifd: IfdName, at: number): Entry | undefined {
  const view = viewOf(tiff.bytes);
  const [tag, type] = [view.getUint16(at, tiff.little), view.getUint16(at + 2, tiff.little)];
  const size = view.getUint32(at + 4, tiff.little) * (typeSizes[type] ?? 0);
  const start = size <= 4 ? at + 8 : view.getUint32(at + 8, tiff.little);
  if (start + size <= tiff.bytes.length) return { ifd, tag, type, at, start, size };
  tiff.warnings.push(`EXIF: the value of ${nameOf(tag)} lies past the end of the data.`);
  return undefined;
}

/** In the Exif directory only the comment; in IFD0 every text, since ComfyUI counts tags down from Model for its own. */
function textEntries(tiff: Tiff): Entry[] {
  const { ifd0, exif } = tiff.directories;
  const isComment = (entry: Entry) => entry.tag === tags.userComment && typeSizes[entry.type] === 1;
  const isText = (entry: Entry) => isComment(entry) || entry.type === types.ascii;
  return [...(ifd0?.entries.filter(isText) ?? []), ...(exif?.entries.filter(isComment) ?? [])];
}

const valueBytes = (tiff: Tiff, entry: Entry) => tiff.bytes.subarray(entry.start, entry.start + entry.size);

function decodeEntry(tiff: Tiff, entry: Entry): { text: string; encoding: string } {
  const value = valueBytes(tiff, entry);
  return entry.tag === tags.userComment ? decodeUserComment(value) : decodeText(withoutNulls(value));
}

function encodeEntry(tiff: Tiff, entry: Entry, text: string): Uint8Array {
  const old = valueBytes(tiff, entry);
  const bytes =
    entry.tag === tags.userComment ? replaceUserComment(old, text) : encodeAs(decodeText(old).encoding, text);
  return entry.type === types.ascii ? concat([bytes, Uint8Array.of(0)]) : bytes;
}

function encodeAs(encoding: Decoded["encoding"], text: string): Uint8Array {
  return (encoding === "latin1" ? encodeLatin1(text) : undefined) ?? encodeUtf8(text);
}

/** The structure with one entry's value changed: in the entry when it fits, else at the end. */
function setValue(tiff: Tiff, entry: Entry, value: Uint8Array): Uint8Array {
  const count = uint32(value.length, tiff.little); // all types written here are of one byte
  if (value.length <= 4) return overwritten(tiff.bytes, entry.at + 4, concat([count, padded(value, 4)]));
  const kept = isLast(tiff, entry) ? tiff.bytes.subarray(0, entry.start) : even(tiff.bytes);
  const pointed = overwritten(kept, entry.at + 4, concat([count, uint32(kept.length, tiff.little)]));
  return concat([pointed, value]);
}

/** Whether the value is the data's last bytes and nobody else's: then a longer one takes its place, and edits do not pile up. */
function isLast(tiff: Tiff, entry: Entry): boolean {
  if (tiff.warnings.length > 0 || entry.start % 2 === 1) return false;
  const directories = Object.values(tiff.directories);
  const others = directories.flatMap((directory) => directory.entries).filter((other) => other.at !== entry.at);
  const ends = [
    ...directories.map((directory) => directory.at + 2 + entrySize * directory.entries.length),
    ...others.map((other) => other.start + other.size),
  ];
  const isOutside = entry.size > 4; // a shorter value lies inside its entry
  return isOutside && entry.start + entry.size === tiff.bytes.length && ends.every((end) => end <= entry.start);
}

interface NewEntry {
  tag: number;
  type: number;
  value: Uint8Array;
}

/** A directory's bytes, made once it is known where they will lie. */
type DirectoryAt = (at: number) => Uint8Array;

function appendDirectory(bytes: Uint8Array, make: DirectoryAt): { bytes: Uint8Array; at: number } {
  const start = even(bytes);
  return { bytes: concat([start, make(start.length)]), at: start.length };
}

/** A copy of the Exif directory with the comment in it, and the pointer in IFD0 turned to the copy. */
function addToExif(tiff: Tiff, pointer: Entry, comment: NewEntry): Uint8Array {
  const exif = tiff.directories.exif;
  if (!exif) throw new MetadataError("The file's EXIF data points at an Exif directory that can not be read.");
  const { bytes, at } = appendDirectory(tiff.bytes, grownDirectory(tiff, exif, comment));
  return overwritten(bytes, pointer.start, uint32(at, tiff.little));
}

/** An Exif directory with the comment at the end, then a copy of IFD0 that points at it, and the header at the copy. */
function addExifDirectory(tiff: Tiff, ifd0: Directory, comment: NewEntry): Uint8Array {
  const withExif = appendDirectory(tiff.bytes, directoryOf(tiff.little, [], uint32(0), comment));
  const link = { tag: tags.exifIfd, type: types.long, value: uint32(withExif.at, tiff.little) };
  const withIfd0 = appendDirectory(withExif.bytes, grownDirectory(tiff, ifd0, link));
  return overwritten(withIfd0.bytes, 4, uint32(withIfd0.at, tiff.little));
}

/**
 * The directory with one entry more; the values of the old ones stay where they are. Only IFD0 has a next directory, the
 * thumbnail's: behind the Exif directory piexif writes no pointer but the first value at once.
 */
function grownDirectory(tiff: Tiff, old: Directory, entry: NewEntry): DirectoryAt {
  const raw = old.entries.map((e) => tiff.bytes.slice(e.at, e.at + entrySize));
  const next = old.at + 2 + entrySize * raw.length;
  const isFirst = old === tiff.directories.ifd0;
  return directoryOf(tiff.little, raw, isFirst ? padded(tiff.bytes.slice(next, next + 4), 4) : uint32(0), entry);
}

/** Entries are sorted by tag, as TIFF wants; the new entry's value follows the directory where it is over four bytes. */
function directoryOf(little: boolean, old: Uint8Array[], next: Uint8Array, entry: NewEntry): DirectoryAt {
  const tagOf = (raw: Uint8Array) => viewOf(raw).getUint16(0, little);
  const size = 2 + entrySize * (old.length + 1) + 4;
  return (at) => {
    const inline = entry.value.length <= 4;
    const raw = newEntry(little, entry, inline ? padded(entry.value, 4) : uint32(at + size, little));
    const sorted = [...old, raw].sort((a, b) => tagOf(a) - tagOf(b));
    return concat([uint16(sorted.length, little), ...sorted, next, inline ? new Uint8Array(0) : entry.value]);
  };
}

function newEntry(little: boolean, { tag, type, value }: NewEntry, field: Uint8Array): Uint8Array {
  const count = value.length / typeSizes[type]!;
  return concat([uint16(tag, little), uint16(type, little), uint32(count, little), field]);
}

function uint16(value: number, little: boolean): Uint8Array {
  const bytes = new Uint8Array(2);
  viewOf(bytes).setUint16(0, value, little);
  return bytes;
}

function padded(bytes: Uint8Array, size: number): Uint8Array {
  return concat([bytes, new Uint8Array(size - bytes.length)]);
}

/** TIFF values begin on even offsets. */
const even = (bytes: Uint8Array) => (bytes.length % 2 === 0 ? bytes : concat([bytes, Uint8Array.of(0)]));

function overwritten(bytes: Uint8Array, at: number, by: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy.set(by, at);
  return copy;
}
