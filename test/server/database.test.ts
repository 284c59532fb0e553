import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openDatabase } from "../../src/server/database.ts";
import { migrations } from "../../src/server/migrations.ts";

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "renoir-database-"));
  file = join(folder, "home", "renoir.db");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("values that libsql can not take arrive all the same", () => {
  const database = openDatabase(file);
  database.exec("CREATE TABLE t (a, b, c, d)");
  database.run("INSERT INTO t VALUES (?, ?, ?, ?)", true, null, "a\0b", undefined);
  expect(database.all("SELECT * FROM t")).toEqual([{ a: 1, b: null, c: "a\ufffdb", d: null }]);
  expect(database.get("SELECT a FROM t")).toEqual({ a: 1 });
  database.run("UPDATE t SET a = ?", null);
  expect(database.get("SELECT a FROM t")).toEqual({ a: null });
  database.close();
});

test("a transaction is all or nothing, also within another", () => {
  const database = openDatabase(file);
  database.exec("CREATE TABLE t (a)");
  const insert = (a: number) => database.run("INSERT INTO t VALUES (?)", a);
  expect(() =>
    database.transaction(() => {
      insert(1);
      database.transaction(() => insert(2));
      throw new Error("no");
    }),
  ).toThrow("no");
  expect(database.all("SELECT a FROM t")).toEqual([]);
  database.durably(() => insert(3));
  expect(database.all("SELECT a FROM t")).toEqual([{ a: 3 }]);
  database.close();
});

test("an older database is brought up to date, step by step, and keeps what it has", () => {
  openDatabase(file, { steps: ["CREATE TABLE t (a); INSERT INTO t VALUES (7)"] }).close();
  const database = openDatabase(file, { steps: ["never again", "ALTER TABLE t ADD COLUMN b DEFAULT 8"] });
  expect(database.all("SELECT * FROM t")).toEqual([{ a: 7, b: 8 }]);
  expect(database.pragma("user_version")).toBe(2);
  database.close();
});

test("a newer Renoir's database is left alone, with a clear error", () => {
  openDatabase(file, { steps: [...migrations, "CREATE TABLE later (a)"] }).close();
  const before = readFileSync(file);
  expect(() => openDatabase(file)).toThrow(
    /was written by a newer Renoir: it has version \d+, and this one knows up to/,
  );
  expect(readFileSync(file).equals(before)).toBe(true);
});

test("a damaged database is set aside whole, and a new one begun", () => {
  openDatabase(file).close();
  const damaged = Buffer.concat([readFileSync(file).subarray(0, 4096), Buffer.alloc(40_000, 7)]);
  writeFileSync(file, damaged);
  const said: string[] = [];
  const database = openDatabase(file, { warn: (message) => said.push(message) });
  expect(database.get("SELECT count(*) AS n FROM pictures")).toEqual({ n: 0 });
  database.close();
  expect(said).toEqual([expect.stringMatching(/renoir\.db is damaged .* was set aside as .*renoir\.db\.damaged-/)]);
  const aside = readdirSync(join(folder, "home")).find((name) => /damaged-[^.]*$/.test(name));
  expect(readFileSync(join(folder, "home", aside!)).equals(damaged)).toBe(true);
});

test("a file that is no database is set aside as well", () => {
  openDatabase(file).close();
  writeFileSync(file, "this is a text, and no database. ".repeat(200));
  const said: string[] = [];
  openDatabase(file, { warn: (message) => said.push(message) }).close();
  expect(said).toHaveLength(1);
});

test("a folder that can not be made is told by its name", () => {
  writeFileSync(join(folder, "home"), "a file in the way");
  expect(() => openDatabase(file)).toThrow(/The folder .*home can not be made/);
});
