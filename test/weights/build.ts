// Files for the tests: archives and safetensors whose every field can be made a lie.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** A folder for one test file, removed at its end. */
export function scratch(): (name: string, content: Uint8Array | string) => string {
  const folder = mkdtempSync(join(tmpdir(), "renoir-weights-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (name, content) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
}

export interface Entry {
  readonly name: string;
  readonly data: Uint8Array;
  readonly method?: number;
  readonly flags?: number;
  /** Where the table of contents says it is, if not where it is. */
  readonly header?: number;
  /** What the table of contents says of its size. */
  readonly size?: number;
}

/** A zip archive of stored entries; with `zip64`, its numbers are in the 64-bit fields alone. */
export function zip(entries: readonly Entry[], { zip64 = false, announced = entries.length } = {}): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let at = 0;
  for (const entry of entries) {
    const local = localRecord(entry);
    central.push(centralRecord(entry, entry.header ?? at, zip64));
    locals.push(local);
    at += local.length;
  }
  const directory = Buffer.concat(central);
  return Buffer.concat([
    ...locals,
    directory,
    ...(zip64 ? end64(announced, directory.length, at) : []),
    end(announced, directory.length, at, zip64),
  ]);
}

function localRecord({ name, data, method = 0, flags = 0 }: Entry): Buffer {
  const extra = Buffer.from([0x46, 0x42, 5, 0, 1, 2, 3, 4, 5]); // "FB": PyTorch's padding
  const head = Buffer.alloc(30);
  head.writeUInt32LE(0x04034b50, 0);
  head.writeUInt16LE(flags, 6);
  head.writeUInt16LE(method, 8);
  head.writeUInt32LE(data.length, 18);
  head.writeUInt32LE(data.length, 22);
  head.writeUInt16LE(Buffer.byteLength(name), 26);
  head.writeUInt16LE(extra.length, 28);
  return Buffer.concat([head, Buffer.from(name), extra, data]);
}

function centralRecord(
  { name, data, method = 0, flags = 0, size = data.length }: Entry,
  header: number,
  zip64: boolean,
): Buffer {
  const extra = Buffer.alloc(zip64 ? 28 : 0);
  if (zip64) {
    extra.writeUInt16LE(1, 0);
    extra.writeUInt16LE(24, 2);
    for (const [i, value] of [size, size, header].entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
  }
  const head = Buffer.alloc(46);
  head.writeUInt32LE(0x02014b50, 0);
  head.writeUInt16LE(flags, 8);
  head.writeUInt16LE(method, 10);
  head.writeUInt32LE(zip64 ? 0xffffffff : size, 20);
  head.writeUInt32LE(zip64 ? 0xffffffff : size, 24);
  head.writeUInt16LE(Buffer.byteLength(name), 28);
  head.writeUInt16LE(extra.length, 30);
  head.writeUInt32LE(zip64 ? 0xffffffff : header, 42);
  return Buffer.concat([head, Buffer.from(name), extra]);
}

function end64(entries: number, size: number, start: number): Buffer[] {
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50, 0);
  for (const [i, value] of [entries, entries, size, start].entries())
    record.writeBigUInt64LE(BigInt(value), 24 + 8 * i);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(start + size), 8);
  return [record, locator];
}

function end(entries: number, size: number, start: number, zip64: boolean): Buffer {
  const record = Buffer.alloc(22);
  record.writeUInt32LE(0x06054b50, 0);
  record.writeUInt16LE(zip64 ? 0xffff : entries, 8);
  record.writeUInt16LE(zip64 ? 0xffff : entries, 10);
  record.writeUInt32LE(zip64 ? 0xffffffff : size, 12);
  record.writeUInt32LE(zip64 ? 0xffffffff : start, 16);
  return record;
}

export const safetensors = (header: string | object, data: Uint8Array | number = 0): Buffer => {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, typeof data === "number" ? Buffer.alloc(data) : data]);
};

/** The pickle, protocol 2, of {"w": tensor}; the numbers are what it claims. */
export function tensorPickle({
  storage = "FloatStorage",
  elements = 6,
  skip = 0,
  shape = [2, 3],
  strides = [3, 1],
  key = "0",
} = {}): Buffer {
  const int = (n: number) => Buffer.from([0x8a, 8, ...new Uint8Array(new BigInt64Array([BigInt(n)]).buffer)]);
  const tuple = (ns: number[]) => [Buffer.from("("), ...ns.map(int), Buffer.from("t")];
  const text = (s: string) => Buffer.concat([Buffer.from([0x58, s.length, 0, 0, 0]), Buffer.from(s)]);
  return Buffer.concat([
    Buffer.from("\x80\x02}", "latin1"),
    text("w"),
    Buffer.from("ctorch._utils\n_rebuild_tensor_v2\n(("),
    text("storage"),
    Buffer.from(`ctorch\n${storage}\n`),
    text(key),
    text("cpu"),
    int(elements),
    Buffer.from("tQ"),
    int(skip),
    ...tuple(shape),
    ...tuple(strides),
    Buffer.from([0x89]), // requires_grad
    Buffer.from("ccollections\nOrderedDict\n)RtRs."),
  ]);
}

export const torchFile = (pickle: Uint8Array, data: Uint8Array = new Uint8Array(24)) =>
  zip([
    { name: "w/data.pkl", data: pickle },
    { name: "w/data/0", data },
  ]);
