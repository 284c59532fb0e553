// Where the entries of a zip archive lie. Only stored (uncompressed) ones have bytes that can be used in place.
// APPNOTE.TXT, sections 4.3.7 to 4.3.16: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
import { WeightError } from "../errors.ts";
import { count, type OpenFile, readBytes } from "./file.ts";

/** A tensor is an entry, and its directory record about 100 bytes: room for 2^18 of them and their names. */
export const MAX_DIRECTORY_BYTES = 64 * 2 ** 20;

export interface ZipEntry {
  readonly name: string;
  readonly size: number;
  readonly storedSize: number;
  /** 0 is stored, 8 is deflate. */
  readonly method: number;
  readonly encrypted: boolean;
  /** Where its local header is; the data comes after that. */
  readonly header: number;
}

export interface Zip {
  readonly entries: ReadonlyMap<string, ZipEntry>;
  /** Entries end before this. */
  readonly directoryStart: number;
}

/** An entry's bytes in the file. */
export interface Extent {
  readonly start: number;
  readonly end: number;
}

interface Directory {
  readonly entries: number;
  readonly size: number;
  readonly start: number;
}

const END = { signature: 0x06054b50, bytes: 22 };
const END64_LOCATOR = { signature: 0x07064b50, bytes: 20 };
const END64 = { signature: 0x06064b50, bytes: 56 };
const CENTRAL = { signature: 0x02014b50, bytes: 46 };
const LOCAL = { signature: 0x04034b50, bytes: 30 };
const MAX_COMMENT_BYTES = 0xffff;
const ZIP64_EXTRA = 1;
/** A 32-bit field that is all ones refers to the zip64 one. */
const IN_ZIP64 = 0xffffffff;

export async function readZip(file: OpenFile): Promise<Zip> {
  const directory = await findDirectory(file);
  if (directory.start + directory.size > file.size)
    throw damaged(file, "its table of contents would lie after its end");
  if (directory.size > MAX_DIRECTORY_BYTES) {
    throw damaged(
      file,
      `its table of contents has ${count(directory.size)} bytes, more than ${count(MAX_DIRECTORY_BYTES)}`,
    );
  }
  const bytes = Buffer.from((await readBytes(file.handle, directory.start, directory.size)).buffer);
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  while (at + CENTRAL.bytes <= bytes.length && bytes.readUInt32LE(at) === CENTRAL.signature) {
    const { entry, end } = centralEntry(file, bytes, at);
    if (entries.has(entry.name)) throw damaged(file, `it has two entries named "${entry.name}"`);
    entries.set(entry.name, entry);
    at = end;
  }
  if (entries.size !== directory.entries || at !== bytes.length) {
    throw damaged(
      file,
      `its table of contents announces ${count(directory.entries)} entries but has ${count(entries.size)}`,
    );
  }
  return { entries, directoryStart: directory.start };
}

/** The end record is the last thing in the file, but for a comment of unknown length. */
async function findDirectory(file: OpenFile): Promise<Directory> {
  const tailStart = Math.max(0, file.size - END.bytes - MAX_COMMENT_BYTES);
  const tail = Buffer.from((await readBytes(file.handle, tailStart, file.size - tailStart)).buffer);
  for (let at = tail.length - END.bytes; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== END.signature || at + END.bytes + tail.readUInt16LE(at + 20) !== tail.length)
      continue;
    const directory = {
      entries: tail.readUInt16LE(at + 10),
      size: tail.readUInt32LE(at + 12),
      start: tail.readUInt32LE(at + 16),
    };
    return (await findDirectory64(file, tailStart + at)) ?? directory;
  }
  throw new WeightError(
    `${file.name} begins as a zip archive, as PyTorch writes them, but has no table of contents at its end: the download or copy broke off.`,
    { hint: `Download the file again; it has ${count(file.size)} bytes now.` },
  );
}

/** Of archives beyond 4 GB or 65,535 entries (PyTorch always writes it): a locator lies just before the end record. */
async function findDirectory64(file: OpenFile, end: number): Promise<Directory | undefined> {
  const locatorStart = end - END64_LOCATOR.bytes;
  if (locatorStart < 0) return undefined;
  const locator = Buffer.from((await readBytes(file.handle, locatorStart, END64_LOCATOR.bytes)).buffer);
  if (locator.readUInt32LE(0) !== END64_LOCATOR.signature) return undefined;
  const start = Number(locator.readBigUInt64LE(8));
  if (start + END64.bytes > locatorStart) throw damaged(file, "its zip64 end record would lie outside of it");
  const record = Buffer.from((await readBytes(file.handle, start, END64.bytes)).buffer);
  if (record.readUInt32LE(0) !== END64.signature) throw damaged(file, "its zip64 end record is not where it should be");
  const [entries, size, from] = [32, 40, 48].map((at) => Number(record.readBigUInt64LE(at))) as [
    number,
    number,
    number,
  ];
  return { entries, size, start: from };
}

function centralEntry(file: OpenFile, bytes: Buffer, at: number): { entry: ZipEntry; end: number } {
  const nameEnd = at + CENTRAL.bytes + bytes.readUInt16LE(at + 28);
  const extraEnd = nameEnd + bytes.readUInt16LE(at + 30);
  const end = extraEnd + bytes.readUInt16LE(at + 32);
  if (end > bytes.length) throw damaged(file, "an entry of its table of contents is cut off");
  const fields = [bytes.readUInt32LE(at + 24), bytes.readUInt32LE(at + 20), bytes.readUInt32LE(at + 42)];
  const wide = zip64Fields(bytes.subarray(nameEnd, extraEnd));
  const [size, storedSize, header] = fields.map((field) => (field === IN_ZIP64 ? (wide.shift() ?? field) : field));
  const entry = {
    name: bytes.toString("utf8", at + CENTRAL.bytes, nameEnd),
    size: size!,
    storedSize: storedSize!,
    method: bytes.readUInt16LE(at + 10),
    encrypted: (bytes.readUInt16LE(at + 8) & 1) === 1,
    header: header!,
  };
  return { entry, end };
}

/** The 64-bit numbers of the zip64 extra field: those of size, stored size and header that did not fit, in this order. */
function zip64Fields(extra: Buffer): number[] {
  let at = 0;
  while (at + 4 <= extra.length) {
    const end = Math.min(at + 4 + extra.readUInt16LE(at + 2), extra.length);
    if (extra.readUInt16LE(at) === ZIP64_EXTRA) {
      const field = extra.subarray(at + 4, end);
      return Array.from({ length: Math.floor(field.length / 8) }, (_, i) => Number(field.readBigUInt64LE(8 * i)));
    }
    at = end;
  }
  return [];
}

/**
 * Where the bytes of an entry lie. Its local header has a name and an extra field of its own lengths (PyTorch pads there
 * to 64 bytes), so the table of contents alone does not tell.
 */
export async function locate(file: OpenFile, zip: Zip, entry: ZipEntry): Promise<Extent> {
  if (entry.method !== 0 || entry.encrypted || entry.size !== entry.storedSize) throw notStored(file, entry);
  const outside = () => damaged(file, `its entry "${entry.name}" would lie outside of it`);
  if (entry.header + LOCAL.bytes > zip.directoryStart) throw outside();
  const header = Buffer.from((await readBytes(file.handle, entry.header, LOCAL.bytes)).buffer);
  if (header.readUInt32LE(0) !== LOCAL.signature)
    throw damaged(file, `its entry "${entry.name}" is not where it should be`);
  const start = entry.header + LOCAL.bytes + header.readUInt16LE(26) + header.readUInt16LE(28);
  const end = start + entry.size;
  if (end > zip.directoryStart) throw outside();
  return { start, end };
}

function notStored(file: OpenFile, entry: ZipEntry): WeightError {
  const found = entry.encrypted ? "encrypted" : "compressed";
  return new WeightError(
    `${file.name}: its entry "${entry.name}" is ${found}, but weights are used where they lie and must be stored as they are.`,
    {
      hint: "It was probably packed anew by an archiver: use the publisher's own file, or save it again with torch.save.",
    },
  );
}

const damaged = (file: OpenFile, why: string) =>
  new WeightError(`${file.name} is damaged: ${why}.`, { hint: "Download the file again from its publisher." });
