// A look at folders: what is new, changed, moved or gone since the last one. By date and size first, and only what differs in these is read.
// Links are not followed: what they lead to is either seen at its own place or outside of the library, and none can lead in circles.

import type { Dirent } from "node:fs";
import { lstat, opendir } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { setImmediate as breathe, setTimeout as wait } from "node:timers/promises";
import type { JobProgress } from "../api/jobs.ts";
import type { Logger } from "../log.ts";
import type { Facts } from "./facts.ts";
import { type Folders, isWithin, type Root } from "./folders.ts";
import type { Lock } from "./lock.ts";
import { type Known, type Pictures, pathOf, placeOf } from "./pictures.ts";
import type { Readers } from "./readers.ts";

/** What is taken for a picture in a folder. */
const ENDINGS = new Set([".png", ".jpg", ".jpeg", ".jfif", ".webp", ".avif", ".gif", ".tif", ".tiff"]);

export const isPictureName = (path: string): boolean =>
  ENDINGS.has(extname(path).toLowerCase()) && !basename(path).startsWith(".");

/** Names looked at together: their dates are asked at once, their rows in one query. */
const NAMES = 256;
/** Files read together, and rows written in one go: a few milliseconds. */
const READ = 64;
const WRITE = 8;
/** New files that wait to be read before the walk goes on, so that a tree of millions needs no more memory. */
const MAX_WAITING = 20_000;
/** A file that is still written after this is left for the next look. */
const MAX_WAIT_MS = 30_000;

export interface ScanTools {
  readonly pictures: Pictures;
  readonly folders: Folders;
  readonly readers: Readers;
  readonly log: Logger;
  /** Held while files and rows are compared or changed together. */
  readonly lock: Lock;
  /** How long a file's date must rest before it is taken for whole. */
  readonly restingMs: number;
  /** Folders that are not looked into: Renoir's own. */
  readonly except: readonly string[];
  /** Told of every folder that is walked through. */
  readonly onFolder?: ((folder: string, root: Root) => void) | undefined;
  readonly onChange?: ((change: { added: number; removed: number; changed: number }) => void) | undefined;
}

export interface ScanOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: JobProgress) => void) | undefined;
}

interface Candidate {
  readonly root: Root;
  readonly folder: string;
  readonly name: string;
  readonly bytes: number;
  readonly modified: number;
}

export class Scan {
  readonly counts = { files: 0, added: 0, changed: 0, moved: 0, gone: 0, failed: 0, unfinished: 0, links: 0 };
  readonly #tools: ScanTools;
  readonly #options: ScanOptions;
  #waiting: Candidate[] = [];
  /** Written to a moment ago: looked at again when they rest. */
  #fresh: Candidate[] = [];
  #read = 0;
  #walked = false;

  constructor(tools: ScanTools, options: ScanOptions = {}) {
    this.#tools = tools;
    this.#options = options;
  }

  /** A whole folder of the library; one that is not there now is left as it is. */
  async root(root: Root): Promise<void> {
    if (!(await this.#tools.folders.look(root))) return;
    const seen = new Set<string>();
    const blind: string[] = [];
    await this.#walk(root, [root.path], seen, blind);
    await this.#goneFolders(root, seen, blind);
  }

  /** These folders, and what is new in them; they lie within `root`. */
  async parts(root: Root, folders: readonly string[]): Promise<void> {
    if (!(await this.#tools.folders.look(root))) return;
    for (const folder of folders) {
      const seen = new Set<string>();
      const blind: string[] = [];
      await this.#walk(root, [folder], seen, blind, true);
      if (!seen.has(folder) && !blind.includes(folder)) await this.#goneFolders(root, seen, blind, folder);
    }
  }

  /** A single file that someone has just made. */
  async file(root: Root, folder: string, name: string): Promise<void> {
    await this.#compare(root, folder, [name], new Set());
  }

  /** Reads what the walks have found; to be called after the last of them. */
  async finish(): Promise<void> {
    this.#walked = true;
    await this.#readWaiting();
    const until = Date.now() + MAX_WAIT_MS;
    while (this.#fresh.length > 0 && Date.now() < until && !this.#aborted) {
      await wait(Math.max(10, Math.min(this.#tools.restingMs, 250)));
      const fresh = this.#fresh.splice(0);
      this.counts.files -= fresh.length; // they are counted anew
      for (const { root, folder, name } of fresh) await this.#compare(root, folder, [name], new Set());
      await this.#readWaiting();
    }
    this.counts.unfinished += this.#fresh.length;
    this.#fresh = [];
  }

  get #aborted(): boolean {
    return this.#options.signal?.aborted ?? false;
  }

  // -- walking -------------------------------------------------------------------------------------------------------

  async #walk(root: Root, todo: string[], seen: Set<string>, blind: string[], shallow = false): Promise<void> {
    for (let folder = todo.pop(); folder !== undefined && !this.#aborted; folder = todo.pop()) {
      try {
        const inner = await this.#folder(root, folder);
        seen.add(folder);
        todo.push(...(shallow ? inner.filter((each) => !this.#isKnown(each)) : inner));
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (code === "ENOENT" || code === "ENOTDIR") continue;
        blind.push(folder);
        this.counts.failed += 1;
        this.#tools.log.warn(`The folder ${folder} can not be looked into: ${message}.`);
      }
      if (this.#waiting.length >= MAX_WAITING) await this.#readWaiting();
    }
  }

  #isKnown(folder: string): boolean {
    const sql = "SELECT 1 FROM pictures WHERE folder = ? AND place IN ('here', 'rejected') LIMIT 1";
    return this.#tools.pictures.database.get(sql, folder) !== undefined;
  }

  /** Compares a folder's files with what is known; gives the folders in it. */
  async #folder(root: Root, folder: string): Promise<string[]> {
    const inner: string[] = [];
    const seen = new Set<number>();
    let names: string[] = [];
    for await (const entry of await opendir(folder, { bufferSize: NAMES })) {
      const path = join(folder, entry.name);
      if (this.#isFolder(entry, path, root)) inner.push(path);
      else if (this.#isPicture(entry)) names.push(entry.name);
      if (names.length < NAMES) continue;
      await this.#compare(root, folder, names, seen);
      names = [];
      if (this.#aborted) return [];
    }
    await this.#compare(root, folder, names, seen);
    this.#tools.onFolder?.(folder, root);
    await this.#goneFiles(folder, seen);
    return inner;
  }

  #isFolder(entry: Dirent, path: string, root: Root): boolean {
    if (!entry.isDirectory() || entry.name.startsWith(".")) return false;
    const isOther = this.#roots().some((other) => other.key !== root.key && other.path === path);
    return !isOther && !this.#tools.except.includes(path);
  }

  #rootsNow: readonly Root[] | undefined;
  #roots(): readonly Root[] {
    this.#rootsNow ??= this.#tools.folders.roots();
    return this.#rootsNow;
  }

  #isPicture(entry: Dirent): boolean {
    if (!isPictureName(entry.name)) return false;
    if (entry.isSymbolicLink()) this.counts.links += 1;
    return entry.isFile();
  }

  // -- comparing -----------------------------------------------------------------------------------------------------

  async #compare(root: Root, folder: string, names: readonly string[], seen: Set<number>): Promise<void> {
    if (names.length === 0) return;
    const stats = await Promise.all(names.map((name) => lstat(join(folder, name)).catch((error) => error as Error)));
    const known = new Map(this.#tools.pictures.named(folder, names).map((row) => [row.name, row]));
    for (const [i, name] of names.entries()) {
      const facts = stats[i]!;
      const row = known.get(name);
      this.counts.files += 1;
      if (facts instanceof Error) {
        this.#unseen(join(folder, name), facts);
        continue;
      }
      if (row) seen.add(row.key);
      if (!facts.isFile() || (row && this.#isUnchanged(row, root, facts))) continue;
      const candidate = { root, folder, name, bytes: facts.size, modified: facts.mtimeMs };
      (this.#rests(facts.mtimeMs) ? this.#waiting : this.#fresh).push(candidate);
    }
    this.#tell();
    await breathe();
  }

  /** A file that went between two looks is no failure; one whose name is no UTF-8 seems to be gone, but is only out of Node's reach. */
  #unseen(path: string, error: NodeJS.ErrnoException): void {
    if (error.code !== "ENOENT") this.#failed(path, error.message);
    else if (path.includes("\ufffd")) this.#failed(path, "its name is no UTF-8; rename it.");
  }

  /** Also brings back what was absent, such as a disk's pictures. */
  #isUnchanged(row: Known, root: Root, { size, mtimeMs }: { size: number; mtimeMs: number }): boolean {
    if (row.bytes !== size || row.modified !== mtimeMs || row.place === "deleted") return false;
    const place = placeOf(row.folder, root.path);
    if (row.place !== place || row.folderKey !== root.key) {
      this.#tools.pictures.relocate(row, { folderKey: root.key, folder: row.folder, name: row.name, place });
      this.#changed({ added: row.place === "absent" ? 1 : 0, changed: row.place === "absent" ? 0 : 1 });
    }
    return true;
  }

  /** A date in the future is another clock's. */
  #rests(modified: number): boolean {
    const age = Date.now() - modified;
    return age < 0 || age >= this.#tools.restingMs;
  }

  // -- what has gone -------------------------------------------------------------------------------------------------

  /** Absent pictures keep their scores for when they come back or turn up elsewhere. */
  async #goneFiles(folder: string, seen: ReadonlySet<number>): Promise<void> {
    for (const rows of this.#tools.pictures.inFolder(folder)) {
      const unseen = rows.filter(({ key }) => !seen.has(key));
      const gone = await Promise.all(unseen.map((row) => isGone(pathOf(row))));
      for (const [i, row] of unseen.entries()) {
        if (!gone[i]) continue;
        this.#tools.pictures.setPlace(row.key, "absent");
        this.counts.gone += 1;
        this.#changed({ removed: 1 });
      }
      await breathe();
    }
  }

  /** Folders that have pictures in the database but were not walked through. Where a folder could not be read, nothing is known. */
  async #goneFolders(
    root: Root,
    seen: ReadonlySet<string>,
    blind: readonly string[],
    under = root.path,
  ): Promise<void> {
    const sql = "SELECT DISTINCT folder FROM pictures WHERE folderKey = ? AND place IN ('here', 'rejected')";
    const folders = this.#tools.pictures.database.all<{ folder: string }>(sql, root.key).map(({ folder }) => folder);
    for (const folder of folders) {
      if (this.#aborted) return;
      if (seen.has(folder) || !isWithin(folder, under) || blind.some((each) => isWithin(folder, each))) continue;
      if (await isThere(root.path)) await this.#goneFiles(folder, new Set());
    }
  }

  // -- reading -------------------------------------------------------------------------------------------------------

  async #readWaiting(): Promise<void> {
    const candidates = this.#waiting;
    this.#waiting = [];
    // Reading goes on while the batch before is written.
    let reading = this.#readings(candidates.slice(0, READ));
    for (let at = 0; at < candidates.length && !this.#aborted; at += READ) {
      const results = await reading;
      reading = this.#readings(candidates.slice(at + READ, at + 2 * READ));
      await this.#take(candidates.slice(at, at + READ), results);
    }
    await reading;
  }

  #readings(candidates: readonly Candidate[]) {
    return candidates.length > 0 ? this.#tools.readers.read(candidates.map(pathOf)) : Promise.resolve([]);
  }

  async #take(candidates: readonly Candidate[], results: Awaited<ReturnType<Readers["read"]>>): Promise<void> {
    const whole: { candidate: Candidate; facts: Facts }[] = [];
    for (const [i, candidate] of candidates.entries()) {
      const result = results[i]!;
      this.#read += 1;
      if ("failure" in result) {
        if (result.failure.code !== "ENOENT") this.#failed(pathOf(candidate), result.failure.message);
      } else if (result.facts.bytes !== candidate.bytes || result.facts.modified !== candidate.modified) {
        this.#fresh.push(candidate); // it was written to meanwhile
      } else whole.push({ candidate, facts: result.facts });
    }
    for (let at = 0; at < whole.length; at += WRITE) {
      await this.#tools.lock.run(() => this.#write(whole.slice(at, at + WRITE)));
      this.#tell();
      await breathe();
    }
  }

  /** A file that was moved or changed since it was read is another look's. */
  async #write(part: readonly { candidate: Candidate; facts: Facts }[]): Promise<void> {
    const still = await Promise.all(part.map(({ candidate }) => isStill(candidate)));
    const moved = await this.#movedAway(part.map(({ facts }) => facts.hash));
    this.#tools.pictures.change(() => {
      for (const [i, { candidate, facts }] of part.entries()) if (still[i]) this.#store(candidate, facts, moved);
    });
  }

  /** By hash, the pictures whose file is no longer where it was: this is where it went. */
  async #movedAway(hashes: readonly string[]): Promise<Map<string, Known[]>> {
    const moved = new Map<string, Known[]>();
    for (const row of this.#tools.pictures.byHashes(hashes)) {
      const isAbsent = row.place === "absent" || (row.place !== "deleted" && (await this.#hasLeft(row)));
      if (isAbsent) moved.set(row.hash, [...(moved.get(row.hash) ?? []), row]);
    }
    return moved;
  }

  async #hasLeft(row: Known): Promise<boolean> {
    const root = this.#roots().find(({ key }) => key === row.folderKey);
    return root !== undefined && (await isThere(root.path)) && (await isGone(pathOf(row)));
  }

  #store({ root, folder, name }: Candidate, facts: Facts, moved: Map<string, Known[]>): void {
    const { pictures } = this.#tools;
    const place = placeOf(folder, root.path);
    const known = pictures.byPath(folder, name);
    const to = { folderKey: root.key, folder, name, place, bytes: facts.bytes, modified: facts.modified };
    if (known && known.hash === facts.hash) {
      pictures.relocate(known, to);
      if (known.place !== place) this.#changed({ added: 1 });
      return;
    }
    const twins = moved.get(facts.hash) ?? [];
    const same = twins.splice(
      Math.max(
        0,
        twins.findIndex((row) => row.name === name),
      ),
      1,
    )[0];
    if (same) {
      pictures.relocate(same, to);
      this.counts.moved += 1;
      this.#changed({ changed: 1 });
    } else if (known && known.place !== "deleted") {
      pictures.refresh(known, place, facts);
      this.counts.changed += 1;
      this.#changed({ changed: 1 });
    } else this.#add(root, { folder, name }, facts, known);
  }

  #add(root: Root, path: { folder: string; name: string }, facts: Facts, deleted: Known | undefined): void {
    const { pictures } = this.#tools;
    const twin = pictures.byHashes([facts.hash])[0];
    if (deleted) pictures.setAside(deleted);
    const key = pictures.add(root.key, path, placeOf(path.folder, root.path), facts);
    if (twin) pictures.copyScores(twin.key, key);
    this.counts.added += 1;
    this.#changed({ added: 1 });
  }

  #failed(path: string, why: string): void {
    this.counts.failed += 1;
    this.#tools.log.warn(`${path} was not taken into the library: ${why}`);
  }

  #changed(change: { added?: number; removed?: number; changed?: number }): void {
    this.#tools.onChange?.({ added: 0, removed: 0, changed: 0, ...change });
  }

  #tell(): void {
    const { files, added, changed, moved } = this.counts;
    const toRead = this.#waiting.length + this.#read;
    const message = this.#walked ? `${added} new, ${changed} changed, ${moved} moved` : "Looking through the folders";
    this.#options.onProgress?.({
      done: this.#walked ? files - toRead + this.#read : files,
      total: this.#walked ? files : null,
      unit: "files",
      message,
    });
  }
}

const isStill = (candidate: Candidate): Promise<boolean> =>
  lstat(pathOf(candidate)).then(
    ({ size, mtimeMs }) => size === candidate.bytes && mtimeMs === candidate.modified,
    () => false,
  );

const isThere = (path: string): Promise<boolean> => isGone(path).then((gone) => !gone);

/** Only the system's word that there is none counts; a disk that does not answer may still have it. */
const isGone = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => false,
    ({ code }: NodeJS.ErrnoException) => code === "ENOENT" || code === "ENOTDIR",
  );
