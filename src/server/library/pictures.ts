// The pictures' rows: what the scan and the changes do to them, each in one small transaction.

import { randomBytes } from "node:crypto";
import { dirname, join, sep } from "node:path";
import { fallbackFolder } from "../../tasks/reject.ts";
import type { Database, Value } from "../database.ts";
import type { Facts } from "./facts.ts";
import { spaced } from "./words.ts";

/** here: in its folder; rejected: in one called so; absent: its file has gone; deleted: in Renoir's trash. */
export type Place = "here" | "rejected" | "absent" | "deleted";

export interface Known {
  readonly key: number;
  readonly id: string;
  readonly place: Place;
  readonly folderKey: number;
  readonly folder: string;
  readonly name: string;
  readonly bytes: number;
  readonly modified: number;
  readonly hash: string;
  readonly pixels: string;
  readonly prompt: string | null;
}

export type Selected = Pick<Known, "key" | "id" | "place" | "folder" | "name">;

export interface NewScore {
  readonly reward: string;
  readonly score: number;
  readonly version: string;
  readonly approximate: boolean;
}

const KNOWN = "key, id, place, folderKey, folder, name, bytes, modified, hash, pixels, prompt";

const RATE =
  "INSERT OR REPLACE INTO ratings (picture, reward, place, score) SELECT ?, ?, place, ? FROM pictures WHERE key = ?";

/** The version of scores that a file told. */
const FROM_FILE = "file";

export const pathOf = ({ folder, name }: { folder: string; name: string }): string => join(folder, name);

export const placeOf = (folder: string, root: string): Place =>
  folder.slice(root.length).split(sep).includes(fallbackFolder) ? "rejected" : "here";

export class Pictures {
  readonly database: Database;
  /** Counts up with every change: what was counted before it may be wrong now. */
  revision = 0;

  constructor(database: Database) {
    this.database = database;
  }

  change<T>(work: () => T): T {
    this.revision += 1;
    return this.database.transaction(work);
  }

  byId(id: string): Known | undefined {
    return this.database.get<Known>(`SELECT ${KNOWN} FROM pictures WHERE id = ?`, id);
  }

  byKey(key: number): Known | undefined {
    return this.database.get<Known>(`SELECT ${KNOWN} FROM pictures WHERE key = ?`, key);
  }

  /** What changes need to know of many, in the order given. */
  select(by: "id" | "key", values: readonly (string | number)[]): Selected[] {
    const rows = this.database.all<Selected>(
      `SELECT key, id, place, folder, name FROM pictures WHERE ${by} IN (SELECT value FROM json_each(?))`,
      JSON.stringify(values),
    );
    const found = new Map<string | number, Selected>(rows.map((row) => [row[by], row]));
    return values.flatMap((value) => found.get(value) ?? []);
  }

  byPath(folder: string, name: string): Known | undefined {
    return this.database.get<Known>(`SELECT ${KNOWN} FROM pictures WHERE folder = ? AND name = ?`, folder, name);
  }

  named(folder: string, names: readonly string[]): Known[] {
    const sql = `SELECT ${KNOWN} FROM pictures WHERE folder = ? AND name IN (SELECT value FROM json_each(?))`;
    return this.database.all<Known>(sql, folder, JSON.stringify(names));
  }

  byHashes(hashes: readonly string[]): Known[] {
    const sql = `SELECT ${KNOWN} FROM pictures WHERE hash IN (SELECT value FROM json_each(?)) ORDER BY key`;
    return this.database.all<Known>(sql, JSON.stringify(hashes));
  }

  /** Those that should have a file in this folder, some at a time. */
  *inFolder(folder: string, atATime = 500): Generator<Known[]> {
    const sql = `SELECT ${KNOWN} FROM pictures WHERE folder = ? AND name > ? AND place IN ('here', 'rejected') ORDER BY name LIMIT ?`;
    for (let name = ""; ; ) {
      const rows = this.database.all<Known>(sql, folder, name, atATime);
      if (rows.length > 0) yield rows;
      if (rows.length < atATime) return;
      name = rows.at(-1)!.name;
    }
  }

  add(folderKey: number, path: { folder: string; name: string }, place: Place, facts: Facts): number {
    return this.change(() => {
      const id = randomBytes(8).toString("hex");
      const columns = {
        id,
        place,
        folderKey,
        ...path,
        nameOrder: nameOrder(path.name),
        ...columnsOf(facts),
        written: 0,
      };
      const names = Object.keys(columns);
      const sql = `INSERT INTO pictures (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`;
      const key = Number(this.database.run(sql, ...Object.values(columns)).lastInsertRowid);
      this.#describe(key, path.name, facts);
      this.#takeScores(key, facts);
      return key;
    });
  }

  /** Another content under the same name. Scores stay where picture and prompt are the same: someone wrote into the file. */
  refresh(known: Known, place: Place, facts: Facts): void {
    this.change(() => {
      const isSame = known.pixels === facts.pixels && known.prompt === facts.prompt;
      if (!isSame) this.forgetScores(known.key);
      this.#set(known.key, { place, since: null, ...columnsOf(facts) });
      this.#describe(known.key, known.name, facts);
      this.#takeScores(known.key, facts);
    });
  }

  /** The same content elsewhere, or again, or with another date. */
  relocate(
    known: Known,
    to: { folderKey: number; folder: string; name: string; place: Place; bytes?: number; modified?: number },
  ): void {
    const { name } = to;
    this.change(() => {
      this.database.run("DELETE FROM pictures WHERE folder = ? AND name = ? AND key <> ?", to.folder, name, known.key);
      this.#set(known.key, { ...to, nameOrder: nameOrder(name), since: null });
      if (name !== known.name) this.#index(known.key, name);
    });
  }

  setPlace(key: number, place: Place): void {
    this.change(() => this.#set(key, { place, since: place === "absent" ? Date.now() : null }));
  }

  /** A picture in the trash gives its place up to a file that has come there meanwhile. */
  setAside({ key, name }: Known): void {
    this.change(() => this.#set(key, { name: `${key}/${name}` }));
  }

  forget(keys: readonly number[]): void {
    this.change(() => {
      for (const key of keys) {
        this.database.run("DELETE FROM words WHERE rowid = ?", key);
        this.database.run("DELETE FROM pictures WHERE key = ?", key);
      }
    });
  }

  recordScores(key: number, entries: readonly NewScore[], at = Date.now()): void {
    this.change(() => {
      for (const { reward, score, version, approximate } of entries) {
        this.database.run(
          "INSERT OR REPLACE INTO scores (picture, reward, version, score, approximate, at) VALUES (?, ?, ?, ?, ?, ?)",
          ...[key, reward, version, score, approximate, at],
        );
        this.database.run(RATE, key, reward, score, key);
      }
      this.#markWritten(key);
    });
  }

  /** What was found out of one picture holds of its copy. */
  copyScores(from: number, to: number): void {
    this.change(() => {
      this.database.run(
        `INSERT OR REPLACE INTO scores (picture, reward, version, score, approximate, at)
         SELECT ?, reward, version, score, approximate, at FROM scores WHERE picture = ?`,
        ...[to, from],
      );
      for (const [reward, score] of Object.entries(this.ratings(from))) this.database.run(RATE, to, reward, score, to);
      this.#markWritten(to);
    });
  }

  ratings(key: number): Record<string, number> {
    const rows = this.database.all<{ reward: string; score: number }>(
      "SELECT reward, score FROM ratings WHERE picture = ? ORDER BY reward",
      key,
    );
    return Object.fromEntries(rows.map(({ reward, score }) => [reward, score]));
  }

  forgetScores(key: number): void {
    this.database.run("DELETE FROM scores WHERE picture = ?", key);
    this.database.run("DELETE FROM ratings WHERE picture = ?", key);
  }

  #set(key: number, columns: Record<string, Value>): void {
    const names = Object.keys(columns);
    const sql = `UPDATE pictures SET ${names.map((name) => `${name} = ?`).join(", ")} WHERE key = ?`;
    this.database.run(sql, ...Object.values(columns), key);
    if (columns.place) this.database.run("UPDATE ratings SET place = ? WHERE picture = ?", columns.place, key);
  }

  #describe(key: number, name: string, { info }: Facts): void {
    this.database.run("INSERT OR REPLACE INTO infos (picture, info) VALUES (?, ?)", key, JSON.stringify(info));
    this.#index(key, name);
  }

  #index(key: number, name: string): void {
    const row = this.database.get<{ info: string }>("SELECT info FROM infos WHERE picture = ?", key);
    const { prompt, settings } = JSON.parse(row?.info ?? "{}") as Partial<Facts["info"]>;
    const told = Object.entries(settings ?? {}).map(([setting, value]) => `${setting} ${value}`);
    this.database.run(
      "INSERT OR REPLACE INTO words (rowid, prompt, name, settings) VALUES (?, ?, ?, ?)",
      ...[key, spaced(prompt ?? ""), spaced(name), spaced(told.join(" "))],
    );
  }

  /** What the file says counts where nothing else is known. */
  #takeScores(key: number, { scores }: Facts): void {
    const known = this.ratings(key);
    const names = new Set(Object.keys(known).map((name) => name.toLowerCase()));
    const news = Object.entries(scores).filter(([reward]) => !names.has(reward.toLowerCase()));
    const entries = news.map(([reward, score]) => ({ reward, score, version: FROM_FILE, approximate: false }));
    this.recordScores(key, entries);
  }

  #markWritten(key: number): void {
    const row = this.database.get<{ fileScores: string }>("SELECT fileScores FROM pictures WHERE key = ?", key);
    const inFile = new Map(
      Object.entries(JSON.parse(row?.fileScores ?? "{}") as Record<string, number>).map(([name, score]) => [
        name.toLowerCase(),
        score,
      ]),
    );
    const known = Object.entries(this.ratings(key));
    // Files have four decimals.
    const isIn = ([reward, score]: [string, number]) =>
      Math.abs((inFile.get(reward.toLowerCase()) ?? Number.NaN) - score) <= 0.5001e-4;
    this.#set(key, { written: known.length > 0 && known.every(isIn) });
  }
}

function columnsOf({ info: _, scores, ...facts }: Facts): Record<string, Value> {
  const promptOrder = facts.prompt?.slice(0, 200).toLowerCase() ?? null;
  return { ...facts, promptOrder, seedOrder: seedOrder(facts.seed), fileScores: JSON.stringify(scores) };
}

/** Seeds go up to 2^64 - 1, beyond SQLite's integers: as texts of 20 digits they sort and compare as numbers. */
export const seedOrder = (seed: string | null): string | null =>
  seed !== null && /^\d{1,20}$/.test(seed) ? seed.padStart(20, "0") : null;

/** Small letters, and numbers padded, so that 2.png comes before 10.png. */
const nameOrder = (name: string): string => name.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(12, "0"));

export const folderOfPath = (path: string): { folder: string; name: string } => ({
  folder: dirname(path),
  name: path.slice(dirname(path).length).replace(/^[/\\]+/, ""),
});
