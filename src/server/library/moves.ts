// Files moved so that one moment's death of the process neither loses nor doubles any: a hard link first, which fails where something
// is already, then the old name goes; on another disk a copy under a hidden name first. `settle` tells afterwards how far it came.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, link, lstat, mkdir, open, readdir, rename, rm, unlink, utimes } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** False when the name is taken; then nothing has happened. */
export async function moveFile(from: string, to: string): Promise<boolean> {
  await mkdir(dirname(to), { recursive: true });
  try {
    await link(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (code === "ENOENT") throw error;
    return await copyAway(from, to); // another disk, or a file system without links
  }
  return await leave(from, to);
}

/** A file that may not be taken from where it is stays there, and there only. */
async function leave(from: string, to: string): Promise<true> {
  try {
    await unlink(from);
    return true;
  } catch (error) {
    await rm(to, { force: true });
    throw error;
  }
}

const temporaryOf = (to: string) => join(dirname(to), `.renoir-${basename(to).slice(0, 200)}.tmp`);

async function copyAway(from: string, to: string): Promise<boolean> {
  if (await exists(to)) return false;
  const temporary = temporaryOf(to);
  try {
    await copyFlushed(from, temporary);
    if (!(await place(temporary, to))) return false;
  } finally {
    await rm(temporary, { force: true });
  }
  return await leave(from, to);
}

async function copyFlushed(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  const { atime, mtime } = await lstat(from);
  await utimes(to, atime, mtime);
  await using handle = await open(to, "r+");
  await handle.sync();
}

/** Where there are no links, a name taken since it was looked at is the one thing that can not be told. */
async function place(temporary: string, to: string): Promise<boolean> {
  try {
    await link(temporary, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST" || (await exists(to))) return false;
    await rename(temporary, to);
    return true;
  }
}

/** How far a move came before the process died; what was half done is finished or taken back. */
export async function settle(from: string, to: string): Promise<"moved" | "stayed" | "lost"> {
  await rm(temporaryOf(to), { force: true });
  const [old, fresh] = await Promise.all([facts(from), facts(to)]);
  if (!old && !fresh) return "lost";
  if (!fresh) return "stayed";
  if (!old) return "moved";
  const isSame = (old.dev === fresh.dev && old.ino === fresh.ino) || (await haveSameBytes(from, to));
  if (!isSame) return "stayed"; // another program's file has taken the name
  await unlink(from);
  return "moved";
}

/** A second name for the same bytes, which stay what they are when the first name gets others; a copy where that can not be. */
export async function backUp(file: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await link(file, to).catch(() => copyFile(file, to));
}

/** What killed writers of this program have left in a folder. Those that are still at work began after this process did, or soon end. */
export async function sweepTemporary(folder: string, before = performance.timeOrigin): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!/^\.renoir-.*\.tmp$/.test(name)) continue;
    const left = await facts(join(folder, name));
    if (left && left.mtimeMs < before) await rm(join(folder, name), { force: true });
  }
}

export async function haveSameBytes(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([hashOf(a), hashOf(b)]);
  return one === other;
}

export async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(path)) hash.update(part as Buffer);
  return hash.digest("hex");
}

const facts = (path: string) => lstat(path).catch(() => undefined);

export const exists = async (path: string): Promise<boolean> => (await facts(path)) !== undefined;
