import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MetadataError, SystemError } from "../../src/errors.ts";
import { applyEdits } from "../../src/metadata/carriers/carrier.ts";
import { explain, replaceFile, snapshot } from "../../src/metadata/replaceFile.ts";
import { fixture, scored } from "./carriers/build.ts";

let folder: string;
let file: string;
const before = fixture("infotext.png");
const after = applyEdits(before, [scored(before, "parameters")]);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "replace-"));
  file = join(folder, "a.png");
  writeFileSync(file, before);
});

afterEach(() => {
  chmodSync(folder, 0o755);
  rmSync(folder, { recursive: true });
});

const bytesOf = (path: string) => new Uint8Array(readFileSync(path));

/** The work fails, the file is as it was, and nothing else is in the folder. */
async function fails(work: Promise<unknown>, error: new (message: string) => Error, message: RegExp, bytes = before) {
  const names = readdirSync(folder);
  const thrown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(thrown).toBeInstanceOf(error);
  expect((thrown as Error).message).toMatch(message);
  expect(bytesOf(file)).toEqual(bytes);
  expect(readdirSync(folder)).toEqual(names);
}

test("a file is replaced, its mode kept, its time new, and nothing else is left in the folder", async () => {
  chmodSync(file, 0o640);
  utimesSync(file, 1_600_000_000, 1_600_000_000);
  const { warnings } = await replaceFile(file, await snapshot(file), after);
  expect(warnings).toEqual([]);
  expect(bytesOf(file)).toEqual(after);
  if (process.platform !== "win32") expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(statSync(file).mtimeMs).toBeGreaterThan(1_700_000_000_000);
  expect(readdirSync(folder)).toEqual(["a.png"]);
});

test("case 42: the file's time stays when asked to", async () => {
  utimesSync(file, 1_600_000_000, 1_600_000_000.25);
  await replaceFile(file, await snapshot(file), after, { keepTimes: true });
  expect(statSync(file).mtimeMs).toBeCloseTo(1_600_000_000_250, 2); // utimes takes microseconds
});

test("case 41: a symbolic link stays one and its target is replaced", async () => {
  mkdirSync(join(folder, "links"));
  const link = join(folder, "links", "link.png");
  symlinkSync(file, link);
  await replaceFile(link, await snapshot(link), after);
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(bytesOf(file)).toEqual(after);
  expect(readdirSync(join(folder, "links"))).toEqual(["link.png"]);
});

test("case 41: another hard link keeps the old bytes, and a warning says so", async () => {
  linkSync(file, join(folder, "other.png"));
  const { warnings } = await replaceFile(file, await snapshot(file), after);
  expect(warnings.join()).toMatch(/2 hard links/);
  expect(bytesOf(file)).toEqual(after);
  expect(bytesOf(join(folder, "other.png"))).toEqual(before);
});

test("case 41: a read-only file and a read-only folder are refused, for root too", async () => {
  const read = await snapshot(file);
  chmodSync(file, 0o444);
  await fails(replaceFile(file, read, after), SystemError, /a\.png is read-only/);
  if (process.platform === "win32") return; // folders have no such mode there
  chmodSync(file, 0o644);
  chmodSync(folder, 0o555);
  await fails(replaceFile(file, read, after), SystemError, /folder .* is read-only/);
});

test("case 42: a file changed since it was read is left as it is, even with its size and time restored", async () => {
  const read = await snapshot(file);
  const changed = before.slice();
  changed[changed.length - 30]! ^= 1;
  const { atime, mtime } = statSync(file);
  writeFileSync(file, changed);
  utimesSync(file, atime, mtime);
  await fails(
    replaceFile(file, { ...read, mtimeNs: statSync(file, { bigint: true }).mtimeNs }, after),
    MetadataError,
    /changed by another/,
    changed,
  );
  await fails(replaceFile(file, read, after), MetadataError, /changed by another program/, changed);
});

test("case 42: a link turned to another file since it was read is noticed", async () => {
  const other = join(folder, "b.png");
  const link = join(folder, "link.png");
  writeFileSync(other, before);
  symlinkSync(file, link);
  const read = await snapshot(link);
  rmSync(link);
  symlinkSync(other, link);
  await fails(replaceFile(link, read, after), MetadataError, /changed by another program/);
  expect(bytesOf(other)).toEqual(before);
});

test("bytes with another picture are never written", async () => {
  const painted = after.slice();
  painted[Buffer.from(painted).indexOf("IDAT") + 8]! ^= 1;
  await fails(replaceFile(file, await snapshot(file), painted), MetadataError, /another picture/);
  await fails(replaceFile(file, await snapshot(file), fixture("plain.jpg")), MetadataError, /another picture/);
});

test("a missing file and a folder are told as such", async () => {
  await expect(snapshot(join(folder, "none.png"))).rejects.toThrow(/none\.png does not exist \(ENOENT\)/);
  await expect(snapshot(folder)).rejects.toThrow(/is not a file/);
});

test("a full disk, missing rights and a read-only file system are told in words", () => {
  const said = (code: string) => explain("a.png", Object.assign(new Error(code), { code })) as SystemError;
  expect(said("ENOSPC").message).toBe("a.png can not be rewritten: the disk is full (ENOSPC).");
  expect(said("EACCES").message).toMatch(/may not be written by this user/);
  expect(said("EROFS").message).toMatch(/read-only file system/);
  for (const code of ["ENOSPC", "EACCES", "EROFS", "EIO"]) {
    expect(said(code)).toBeInstanceOf(SystemError);
    expect(said(code).hint).toBeTruthy();
  }
});
