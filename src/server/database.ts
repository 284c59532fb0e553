// The embedded database: SQLite by libsql, which installs without compiling. One file, one connection, small transactions.
// What libsql 0.5.29 does to unwary callers is kept from them here: it aborts the process on a boolean, cuts texts at NUL,
// and takes a lone null for an object of named values.

import { existsSync, mkdirSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import Libsql from "libsql";
import { SystemError } from "../errors.ts";
import { migrations } from "./migrations.ts";

export type Value = string | number | bigint | boolean | null | undefined | Uint8Array;
export type Row = Record<string, unknown>;

export interface Changes {
  readonly changes: number;
  readonly lastInsertRowid: number | bigint;
}

export interface OpenOptions {
  /** Told when a damaged file was set aside. */
  readonly warn?: (message: string) => void;
  /** Other steps than the product's, for tests. */
  readonly steps?: readonly string[];
}

/** Opens the file, or makes it; brings an older one up to date; sets a damaged one aside and begins anew. */
export function openDatabase(file: string, { warn = () => {}, steps = migrations }: OpenOptions = {}): Database {
  makeFolder(file);
  const damage = damageOf(file);
  if (damage !== undefined) warn(setAside(file, damage));
  const database = new Database(connect(file));
  try {
    migrate(database, file, steps);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** better-sqlite3's ways, with statements prepared once and values that libsql can take. */
export class Database {
  readonly #connection: Libsql.Database;
  readonly #statements = new Map<string, Statement>();
  #depth = 0;

  constructor(connection: Libsql.Database) {
    this.#connection = connection;
  }

  prepare<R = Row>(sql: string): Statement<R> {
    let statement = this.#statements.get(sql);
    if (!statement) {
      if (this.#statements.size >= MAX_STATEMENTS) this.#statements.clear();
      statement = new Statement(this.#connection.prepare(sql));
      this.#statements.set(sql, statement);
    }
    return statement as Statement<R>;
  }

  run(sql: string, ...values: Value[]): Changes {
    return this.prepare(sql).run(...values);
  }

  get<R = Row>(sql: string, ...values: Value[]): R | undefined {
    return this.prepare<R>(sql).get(...values);
  }

  all<R = Row>(sql: string, ...values: Value[]): R[] {
    return this.prepare<R>(sql).all(...values);
  }

  exec(sql: string): void {
    this.#connection.exec(sql);
  }

  pragma(source: string): unknown {
    return Object.values((this.#connection.pragma(source) as Row[])[0] ?? {})[0];
  }

  /** All of it or nothing. Within another transaction it is a part of that one. */
  transaction<T>(work: () => T): T {
    if (this.#depth > 0) return work();
    this.#connection.exec("BEGIN IMMEDIATE");
    this.#depth += 1;
    try {
      const result = work();
      this.#connection.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#connection.inTransaction) this.#connection.exec("ROLLBACK");
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }

  /** Commits within reach the disk itself, not only the system: for what must outlive a power cut. */
  durably<T>(work: () => T): T {
    this.#connection.exec("PRAGMA synchronous = FULL");
    try {
      return this.transaction(work);
    } finally {
      this.#connection.exec("PRAGMA synchronous = NORMAL");
    }
  }

  close(): void {
    if (!this.#connection.open) return;
    this.#statements.clear();
    // libsql closes the file when its statements are collected, so that SQLite's own last checkpoint may never come.
    try {
      this.#connection.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } finally {
      this.#connection.close();
    }
  }
}

export class Statement<R = Row> {
  readonly #statement: Libsql.Statement<unknown[]>;

  constructor(statement: Libsql.Statement<unknown[]>) {
    this.#statement = statement;
  }

  run(...values: Value[]): Changes {
    return this.#statement.run(values.map(bindable));
  }

  get(...values: Value[]): R | undefined {
    const row = this.#statement.get(values.map(bindable)) as (R & { _metadata?: unknown }) | undefined;
    if (row) delete row._metadata;
    return row;
  }

  all(...values: Value[]): R[] {
    return this.#statement.all(values.map(bindable)) as R[];
  }
}

/** Filters make statements of many forms; the cache forgets them all when there are this many. */
const MAX_STATEMENTS = 500;

function bindable(value: Value): unknown {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "string") return value.replaceAll("\0", "\ufffd");
  return value ?? null;
}

function makeFolder(file: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
  } catch (cause) {
    throw new SystemError(`The folder ${dirname(file)} can not be made: ${(cause as Error).message}.`, {
      hint: "Make its parent writable, or set RENOIR_HOME to a folder that is.",
      cause,
    });
  }
}

function connect(file: string): Libsql.Database {
  try {
    const connection = new Libsql(file, { timeout: 5000 });
    connection.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON");
    connection.exec("PRAGMA cache_size = -65536; PRAGMA mmap_size = 268435456; PRAGMA temp_store = MEMORY");
    return connection;
  } catch (cause) {
    throw new SystemError(`The database ${file} can not be opened: ${(cause as Error).message}.`, {
      hint: "Check that its folder may be written to and has room, and that no other Renoir holds it.",
      cause,
    });
  }
}

const DAMAGE = new Set(["SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_FORMAT"]);

/** What is wrong with the file; undefined where nothing is. Only damage counts: a locked or unreadable file is left alone. */
function damageOf(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  let connection: Libsql.Database | undefined;
  try {
    connection = new Libsql(file, { timeout: 5000 });
    const [first] = connection.pragma("quick_check(1)") as Row[];
    const answer = String(Object.values(first ?? {})[0]);
    return answer === "ok" ? undefined : answer;
  } catch (error) {
    if (DAMAGE.has((error as { code?: string }).code ?? "")) return (error as Error).message;
    return undefined; // connect() says why it can not be opened
  } finally {
    connection?.close();
  }
}

/** The file under another name, with what belongs to it; a person may still get something out of it. */
function setAside(file: string, damage: string): string {
  const aside = `${file}.damaged-${new Date().toISOString().replace(/[:.]/g, "-")}`;
  for (const ending of ["", "-wal", "-shm"]) {
    if (existsSync(file + ending)) renameSync(file + ending, aside + ending);
  }
  return (
    `The database ${file} is damaged (${damage}) and was set aside as ${aside}. ` +
    "A new one was begun: pictures are read anew from their folders, and the scores that stand in their files with them."
  );
}

function migrate(database: Database, file: string, steps: readonly string[]): void {
  const version = Number(database.pragma("user_version"));
  if (version > steps.length) {
    throw new SystemError(
      `The database ${file} was written by a newer Renoir: it has version ${version}, and this one knows up to ${steps.length}.`,
      { hint: "Use the newer Renoir, or another RENOIR_HOME. Nothing was changed." },
    );
  }
  for (const [index, step] of steps.entries()) {
    if (index < version) continue;
    database.transaction(() => {
      database.exec(step);
      database.exec(`PRAGMA user_version = ${index + 1}`);
    });
  }
}
