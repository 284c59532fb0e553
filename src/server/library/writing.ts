// Scores written into files so that it can be undone: what the writing changed is kept, not the whole file, unless it changed much.

import { readFile, rm } from "node:fs/promises";
import { extname } from "node:path";
import { MetadataError } from "../../errors.ts";
import { writeScores } from "../../metadata/index.ts";
import { sha256 } from "../../metadata/record.ts";
import { replaceFile, snapshot } from "../../metadata/replaceFile.ts";
import { writeWhole } from "../../tasks/writeWhole.ts";
import type { Undo } from "./journal.ts";

/** What a file's old bytes may differ in to be kept in the database: text chunks have kilobytes. */
const MAX_MIDDLE = 256 * 2 ** 10;
const MAX_SIDECAR = 4 * 2 ** 20;

export type Sidecars = Readonly<Record<string, string | null>>;

/** The texts beside a file that a writer of scores may change. */
export async function sidecarsOf(file: string): Promise<Sidecars> {
  const text = file.slice(0, file.length - extname(file).length).concat(".txt");
  const paths = [text, `${file}.renoir.json`];
  const texts = await Promise.all(paths.map(textOf));
  return Object.fromEntries(paths.map((path, i) => [path, texts[i]!]));
}

async function textOf(path: string): Promise<string | null> {
  const bytes = await readFile(path).catch(() => null);
  return bytes && bytes.length <= MAX_SIDECAR ? bytes.toString("utf8") : null;
}

/** The file keeps its date: its picture is as old as it was. */
export async function write(file: string, scores: Record<string, number>): Promise<void> {
  await writeScores(file, scores, { keepTimes: true });
}

/** What was written, told from the backup; also after the writer was killed. */
export async function undoOf(file: string, backup: string, before: Sidecars): Promise<Undo> {
  const [old, fresh] = await Promise.all([readFile(backup), readFile(file)]);
  if (!old.equals(fresh)) return difference(old, fresh);
  const after = await sidecarsOf(file);
  const changed = Object.keys(before).filter((path) => before[path] !== after[path]);
  if (changed.length === 0) return { kind: "nothing" };
  return { kind: "sidecars", before: Object.fromEntries(changed.map((path) => [path, before[path]!])) };
}

function difference(old: Buffer, fresh: Buffer): Undo {
  const hashes = { hash: sha256(fresh), old: sha256(old) };
  const shorter = Math.min(old.length, fresh.length);
  let start = 0;
  while (start < shorter && old[start] === fresh[start]) start += 1;
  let same = 0;
  while (same < shorter - start && old[old.length - 1 - same] === fresh[fresh.length - 1 - same]) same += 1;
  const middle = old.subarray(start, old.length - same);
  if (middle.length > MAX_MIDDLE) return { kind: "backup", ...hashes };
  return { kind: "splice", start, end: fresh.length - same, middle: middle.toString("base64"), ...hashes };
}

/** Gives the file the bytes it had. One that someone has changed since is left alone. */
export async function unwrite(file: string, undo: Undo, backup: string): Promise<void> {
  if (undo.kind === "nothing" || undo.kind === "return") return;
  if (undo.kind === "sidecars") return await restoreSidecars(undo.before);
  const now = await snapshot(file);
  if (now.hash === undo.old) return; // done before
  if (now.hash !== undo.hash) {
    throw new MetadataError(`${file} was changed since the scores were written; it was left as it is.`, {
      hint: "Take the scores out with the program that changed it.",
    });
  }
  const old = undo.kind === "backup" ? new Uint8Array(await readFile(backup)) : splice(now.bytes, undo);
  await replaceFile(file, now, old, { keepTimes: true });
}

function splice(bytes: Uint8Array, undo: Undo & { kind: "splice" }): Uint8Array {
  const middle = Buffer.from(undo.middle, "base64");
  return new Uint8Array(Buffer.concat([bytes.subarray(0, undo.start), middle, bytes.subarray(undo.end)]));
}

async function restoreSidecars(before: Sidecars): Promise<void> {
  for (const [path, text] of Object.entries(before)) {
    if (text === null) await rm(path, { force: true });
    else await writeWhole(path, text);
  }
}
