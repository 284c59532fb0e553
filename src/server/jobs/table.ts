// Jobs as they lie in the database: what a restart finds again.

import type { Job, JobKind, JobProgress, JobResult, JobState, JobStep, JobSummary } from "../api/jobs.ts";
import type { Database, Value } from "../database.ts";
import { NotFoundError } from "../errors.ts";

/** A job as its work sees it: what its users see, and what only the server needs. */
export interface StoredJob extends JobSummary {
  readonly client: string;
  readonly priority: number;
  readonly attempts: number;
  /** Cancelled while it worked, which takes until the end of its step. */
  readonly unwanted: boolean;
  /** The file that it begins with. */
  readonly picture: string | null;
  /** Where each kept picture is, by what it is in the job. */
  readonly kept: Readonly<Record<string, { path: string; id?: string }>>;
}

export interface NewJob {
  readonly id: string;
  readonly kind: JobKind;
  readonly title: string;
  readonly client: string;
  readonly priority: number;
  readonly source: string | null;
  readonly picture: string | null;
  readonly request: Readonly<Record<string, unknown>>;
}

/** What of a job changes. Times are in milliseconds. */
export interface JobChange {
  readonly state?: JobState;
  readonly started?: number | null;
  readonly ended?: number | null;
  readonly attempts?: number;
  readonly unwanted?: boolean;
  readonly title?: string;
  readonly notes?: readonly string[];
  readonly progress?: JobProgress | null;
  readonly result?: JobResult | null;
  readonly error?: Job["error"];
  readonly kept?: StoredJob["kept"];
}

interface Row {
  id: string;
  kind: JobKind;
  state: JobState;
  created: number;
  started: number | null;
  ended: number | null;
  attempts: number;
  unwanted: number;
  title: string;
  client: string;
  priority: number;
  source: string | null;
  picture: string | null;
  request: string;
  notes: string;
  progress: string | null;
  result: string | null;
  error: string | null;
  kept: string;
}

const plainColumns = new Set(["state", "started", "ended", "attempts", "unwanted", "title"]);

export class JobTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The newest first. */
  list(): StoredJob[] {
    return this.#database.all<Row>("SELECT * FROM jobs ORDER BY key DESC").map(jobOf);
  }

  inState(state: JobState): StoredJob[] {
    return this.#database.all<Row>("SELECT * FROM jobs WHERE state = ? ORDER BY key", state).map(jobOf);
  }

  unended(): StoredJob[] {
    return [...this.inState("running"), ...this.inState("queued")];
  }

  get(id: string): StoredJob {
    const row = this.#database.get<Row>("SELECT * FROM jobs WHERE id = ?", id);
    if (row) return jobOf(row);
    throw new NotFoundError(`There is no job "${id}".`, { hint: "It may have been discarded, or be too old." });
  }

  insert({ id, kind, title, client, priority, source, picture, request }: NewJob): void {
    this.#database.run(
      "INSERT INTO jobs (id, kind, state, created, attempts, title, client, priority, source, picture, request, notes, kept)" +
        " VALUES (?, ?, 'queued', ?, 0, ?, ?, ?, ?, ?, ?, '[]', '{}')",
      ...[id, kind, Date.now(), title, client, priority, source, picture, JSON.stringify(request)],
    );
  }

  change(id: string, change: JobChange): void {
    const entries = Object.entries(change).map(([name, value]): [string, Value] => [
      name,
      plainColumns.has(name) || value === null ? (value as Value) : JSON.stringify(value),
    ]);
    const columns = entries.map(([name]) => `${name} = ?`).join(", ");
    this.#database.run(`UPDATE jobs SET ${columns} WHERE id = ?`, ...entries.map(([, value]) => value), id);
  }

  remove(id: string): void {
    this.#database.run("DELETE FROM jobs WHERE id = ?", id);
  }

  // ---- steps

  steps(id: string): JobStep[] {
    const rows = this.#database.all<{ content: string }>(
      "SELECT content FROM jobSteps WHERE job = (SELECT key FROM jobs WHERE id = ?) ORDER BY step",
      id,
    );
    return rows.map(({ content }) => JSON.parse(content));
  }

  /** The last step that there is; -1 for none. */
  lastStep(id: string): number {
    const row = this.#database.get<{ last: number | null }>(
      "SELECT max(step) AS last FROM jobSteps WHERE job = (SELECT key FROM jobs WHERE id = ?)",
      id,
    );
    return row?.last ?? -1;
  }

  /** False where that step is there already. */
  addStep(id: string, step: JobStep): boolean {
    const { changes } = this.#database.run(
      "INSERT OR IGNORE INTO jobSteps (job, step, content) SELECT key, ?, ? FROM jobs WHERE id = ?",
      ...[step.step, JSON.stringify(step), id],
    );
    return changes > 0;
  }

  // ---- pictures that are not to be scored unasked

  declined(): Set<string> {
    const rows = this.#database.all<{ picture: string }>("SELECT picture FROM declined");
    return new Set(rows.map(({ picture }) => picture));
  }

  decline(pictures: readonly string[]): void {
    this.#database.transaction(() => {
      for (const picture of pictures)
        this.#database.run("INSERT OR IGNORE INTO declined (picture) VALUES (?)", picture);
    });
  }
}

const parsed = (text: string | null) => (text === null ? null : JSON.parse(text));
const moment = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());

function jobOf(row: Row): StoredJob {
  return {
    id: row.id,
    kind: row.kind,
    state: row.state,
    created: moment(row.created)!,
    started: moment(row.started),
    ended: moment(row.ended),
    title: row.title,
    request: JSON.parse(row.request),
    source: row.source,
    notes: JSON.parse(row.notes),
    progress: parsed(row.progress),
    result: parsed(row.result),
    error: parsed(row.error),
    client: row.client,
    priority: row.priority,
    attempts: row.attempts,
    unwanted: row.unwanted === 1,
    picture: row.picture,
    kept: JSON.parse(row.kept),
  };
}

/** What its users see of it. */
export function summaryOf(stored: StoredJob): JobSummary {
  const { client: _, priority: __, attempts: ___, unwanted: ____, picture: _____, kept: ______, ...job } = stored;
  return job;
}
