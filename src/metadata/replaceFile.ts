// Puts edited bytes in a file's place: written beside it, checked, and renamed over it, so that at every moment the file
// is either the old one or the new one. What can not be kept is told in a warning.

import { createHash, randomUUID } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { access, chmod, chown, constants, open, readFile, realpath, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MetadataError, SystemError } from "../errors.ts";
import { pixelDigest } from "./carriers/carrier.ts";

/** A file as it was when it was read; `replaceFile` compares it with the file as it is. */
export interface Snapshot {
  /** Without symbolic links. */
  realPath: string;
  bytes: Uint8Array;
  size: bigint;
  mtimeNs: bigint;
  hash: string;
}

export async function snapshot(path: string): Promise<Snapshot> {
  return explained(path, async () => {
    const realPath = await realpath(path);
    const stats = await stat(realPath, { bigint: true });
    if (!stats.isFile()) throw new MetadataError(`${path} is not a file.`);
    const bytes = new Uint8Array(await readFile(realPath));
    return { realPath, bytes, size: stats.size, mtimeNs: stats.mtimeNs, hash: hashOf(bytes) };
  });
}

/**
 * Replaces the file's bytes. A symbolic link stays one and its target is replaced. Another hard link of the file keeps
 * the old bytes, which a warning says: writing into the shared file could leave it half written. Mode is kept, owner
 * where the system lets us; extended attributes are not, for Node can not read them.
 */
export async function replaceFile(
  path: string,
  read: Snapshot,
  bytes: Uint8Array,
  options: { keepTimes?: boolean } = {},
): Promise<{ warnings: string[] }> {
  return explained(path, async () => {
    const target = await realpath(path);
    const before = await stat(target, { bigint: true });
    await checkWritable(path, target, before);
    checkPixels(path, read.bytes, bytes);
    const temporary = join(dirname(target), `.renoir-${randomUUID()}.tmp`);
    try {
      await writeChecked(temporary, bytes);
      await keepAttributes(temporary, before, options.keepTimes ?? false);
      await checkUnchanged(path, target, read);
      await rename(temporary, target);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await syncDirectory(dirname(target));
    return { warnings: warningsOf(path, before) };
  });
}

const hashOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

const writeBits = 0o222n;

/** rename() would replace a read-only file without a word, and access() lets root write anything: the mode is asked too. */
async function checkWritable(path: string, target: string, stats: BigIntStats): Promise<void> {
  const isReadOnly = (of: BigIntStats) => (of.mode & writeBits) === 0n;
  const folder = dirname(target);
  if (isReadOnly(stats))
    throw new SystemError(`${path} is read-only.`, { hint: "Make it writable, or use a sidecar." });
  if (isReadOnly(await stat(folder, { bigint: true }))) {
    throw new SystemError(`The folder ${folder} is read-only.`, {
      hint: "Make it writable, or use a sidecar elsewhere.",
    });
  }
  await access(target, constants.W_OK);
  await access(folder, constants.W_OK);
}

function checkPixels(path: string, old: Uint8Array, edited: Uint8Array): void {
  if (pixelDigest(old) === pixelDigest(edited)) return;
  throw new MetadataError(`The bytes meant for ${path} have another picture than the file; nothing was written.`);
}

/** Written, flushed to the disk, and read back. */
async function writeChecked(temporary: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(temporary, "wx", 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  if (hashOf(await readFile(temporary)) !== hashOf(bytes)) {
    throw new SystemError(`${temporary} reads back other bytes than were written.`, { hint: "Check the disk." });
  }
}

async function keepAttributes(temporary: string, stats: BigIntStats, keepTimes: boolean): Promise<void> {
  await chown(temporary, Number(stats.uid), Number(stats.gid)).catch(() => {}); // only root may give files away
  await chmod(temporary, Number(stats.mode & 0o7777n));
  const seconds = (ns: bigint) => Number(ns) / 1e9;
  if (keepTimes) await utimes(temporary, seconds(stats.atimeNs), seconds(stats.mtimeNs));
}

async function checkUnchanged(path: string, target: string, read: Snapshot): Promise<void> {
  const now = await stat(target, { bigint: true });
  const isSame =
    target === read.realPath &&
    now.size === read.size &&
    now.mtimeNs === read.mtimeNs &&
    hashOf(await readFile(target)) === read.hash;
  if (isSame) return;
  throw new MetadataError(`${path} was changed by another program since it was read; nothing was written.`, {
    hint: "Run again.",
  });
}

/** The rename is on the disk once the folder is; Windows opens no folders and needs no such thing. */
async function syncDirectory(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

function warningsOf(path: string, stats: BigIntStats): string[] {
  if (stats.nlink <= 1n) return [];
  return [`${path} had ${stats.nlink} hard links; the other names keep the file as it was before.`];
}

/** What each of the system's refusals means for the person, and what to try. */
const refusals: Record<string, [what: string, hint: string]> = {
  ENOENT: ["does not exist", "Check the path."],
  ENOSPC: ["can not be rewritten: the disk is full", "Free some space; the file is as it was."],
  EDQUOT: ["can not be rewritten: the disk quota is used up", "Free some space; the file is as it was."],
  EFBIG: [
    "can not be rewritten: the system allows no file of that size here",
    "Raise the limit; the file is as it was.",
  ],
  EACCES: ["or its folder may not be written by this user", "Change its permissions, or use a sidecar elsewhere."],
  EPERM: ["or its folder may not be written by this user", "Change its permissions, or use a sidecar elsewhere."],
  EROFS: ["lies on a read-only file system", "Copy it elsewhere, or mount the disk writable."],
  EBUSY: ["is open in another program", "Close it there and run again."],
};

async function explained<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw explain(path, error);
  }
}

/** A refusal of the system in the person's words; any other error as it is. */
export function explain(path: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException)?.code;
  if (!(error instanceof Error) || error instanceof MetadataError || error instanceof SystemError || !code)
    return error;
  const [what, hint] = refusals[code] ?? ["can not be read or rewritten", "See the system's message below it."];
  return new SystemError(`${path} ${what} (${code}).`, { hint, cause: error });
}
