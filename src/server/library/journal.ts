// The journal of changes to files. An operation's steps are all written down before the first file is touched, each once more, with the
// names it will use, just before its own, and marked just after. So whenever the process dies, what was begun can be told from what was not.

import { randomBytes } from "node:crypto";
import { setImmediate as breathe } from "node:timers/promises";
import type { Operation } from "../api/library.ts";
import type { Database, Value } from "../database.ts";

export type Action = "write" | "move" | "reject" | "restore" | "delete";
export type StepState = "planned" | "doing" | "done" | "failed" | "undoing" | "undone";

/** How a written file gets its bytes back, and a moved one its place. */
export type Undo =
  | {
      readonly kind: "splice";
      readonly start: number;
      readonly end: number;
      readonly middle: string;
      /** Of the file as it was written, and as it was before. */
      readonly hash: string;
      readonly old: string;
    }
  | { readonly kind: "backup"; readonly hash: string; readonly old: string }
  | { readonly kind: "sidecars"; readonly before: Readonly<Record<string, string | null>> }
  | { readonly kind: "nothing" }
  /** Of a file that goes back where it was: the name it is given there. */
  | { readonly kind: "return"; readonly to: string };

export interface Step {
  readonly operation: number;
  readonly number: number;
  readonly picture: number;
  readonly source: string;
  /** Where the file goes; of a write, where its backup lies. */
  readonly target: string;
  /** Before and after, of captions and sidecars. */
  readonly companions: readonly (readonly [string, string])[];
  readonly undo: Undo | null;
  readonly state: StepState;
}

export interface Entry {
  readonly key: number;
  readonly id: string;
  readonly action: Action;
  readonly at: number;
  readonly state: "planning" | "running" | "done" | "undoing" | "undone";
}

export type Planned = Pick<Step, "picture" | "source" | "target">;

type StepRow = Omit<Step, "companions" | "undo"> & { companions: string; undo: string | null };

/** Rows written in one go. */
const ROWS = 300;

export class Journal {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** On the disk itself when it returns. */
  async plan<T>(
    action: Action,
    items: readonly T[],
    stepOf: (item: T, id: string, number: number) => Planned | undefined,
  ): Promise<Entry> {
    const id = randomBytes(8).toString("hex");
    const begun = "INSERT INTO operations (id, action, at, state) VALUES (?, ?, ?, 'planning')";
    const key = Number(this.#database.run(begun, id, action, Date.now()).lastInsertRowid);
    for (let at = 0; at < items.length; at += ROWS) {
      this.#database.transaction(() => {
        for (const [i, item] of items.slice(at, at + ROWS).entries()) this.#add(key, at + i, stepOf(item, id, at + i));
      });
      await breathe();
    }
    this.#database.durably(() => this.setState(key, "running"));
    return this.entry(id)!;
  }

  #add(operation: number, number: number, planned: Planned | undefined): void {
    if (!planned) return;
    this.#database.run(
      "INSERT INTO steps (operation, number, picture, source, target, companions, state) VALUES (?, ?, ?, ?, ?, '[]', 'planned')",
      ...[operation, number, planned.picture, planned.source, planned.target],
    );
  }

  entry(id: string): Entry | undefined {
    return this.#database.get<Entry>("SELECT key, id, action, at, state FROM operations WHERE id = ?", id);
  }

  latest(): Entry | undefined {
    return this.#database.get<Entry>(
      "SELECT key, id, action, at, state FROM operations WHERE state = 'done' ORDER BY key DESC LIMIT 1",
    );
  }

  unfinished(): Entry[] {
    return this.#database.all<Entry>(
      "SELECT key, id, action, at, state FROM operations WHERE state IN ('planning', 'running', 'undoing') ORDER BY key",
    );
  }

  before(at: number): Entry[] {
    return this.#database.all<Entry>("SELECT key, id, action, at, state FROM operations WHERE at < ? ORDER BY key", at);
  }

  list(): Operation[] {
    const rows = this.#database.all<Entry & { pictures: number }>(
      `SELECT id, action, at, state, (SELECT count(*) FROM steps s WHERE s.operation = o.key AND s.state IN ('done', 'undone')) AS pictures
       FROM operations o WHERE state <> 'planning' ORDER BY key DESC LIMIT 200`,
    );
    return rows.map(({ id, action, at, state, pictures }) => ({
      operation: id,
      action,
      pictures,
      at: new Date(at).toISOString(),
      undone: state === "undone",
    }));
  }

  steps(operation: number, state: StepState, atATime = 200): Step[] {
    return this.#steps("operation = ? AND state = ? ORDER BY number LIMIT ?", operation, state, atATime);
  }

  /** From the last to the first. */
  stepsBack(operation: number, state: StepState, before = 2 ** 31, atATime = 200): Step[] {
    const condition = "operation = ? AND state = ? AND number < ? ORDER BY number DESC LIMIT ?";
    return this.#steps(condition, operation, state, before, atATime);
  }

  #steps(condition: string, ...values: Value[]): Step[] {
    const rows = this.#database.all<StepRow>(
      `SELECT operation, number, picture, source, target, companions, undo, state FROM steps WHERE ${condition}`,
      ...values,
    );
    return rows.map((row) => ({
      ...row,
      companions: JSON.parse(row.companions) as Step["companions"],
      undo: row.undo === null ? null : (JSON.parse(row.undo) as Undo),
    }));
  }

  mark({ operation, number }: Step, change: Partial<Pick<Step, "state" | "target" | "companions" | "undo">>): void {
    const values = Object.entries(change).map(([name, value]) => [
      name,
      typeof value === "string" ? value : JSON.stringify(value),
    ]);
    const set = values.map(([name]) => `${name} = ?`).join(", ");
    const sql = `UPDATE steps SET ${set} WHERE operation = ? AND number = ?`;
    this.#database.run(sql, ...values.map(([, value]) => value), operation, number);
  }

  setState(key: number, state: Entry["state"]): void {
    this.#database.run("UPDATE operations SET state = ? WHERE key = ?", state, key);
  }

  forget(key: number): void {
    this.#database.run("DELETE FROM operations WHERE key = ?", key);
  }
}
