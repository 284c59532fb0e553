// What lists show: pages, totals, the histogram, names to filter by. Counts are kept until the library changes.

import type {
  Facets,
  Histogram,
  LibraryFilter,
  LibraryItem,
  LibraryPage,
  LibraryPicture,
  LibraryQuery,
} from "../api/library.ts";
import type { InfoReply } from "../api/pictures.ts";
import { NotFoundError } from "../errors.ts";
import { type Pictures, pathOf } from "./pictures.ts";
import {
  bucketOf,
  type Condition,
  conditions,
  FROM,
  formatCursor,
  type Judge,
  type Position,
  parseCursor,
  stretches,
  where,
} from "./query.ts";

interface ItemRow {
  readonly key: number;
  readonly id: string;
  readonly folder: string;
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  readonly modified: number;
  readonly hash: string;
  readonly pixels: string;
  readonly format: string;
  readonly host: string | null;
  readonly model: string | null;
  readonly prompt: string | null;
  readonly seed: string | null;
  readonly written: number;
}

const ITEM =
  "key, id, folder, name, width, height, bytes, modified, hash, pixels, format, host, model, prompt, seed, written";

/** What is remembered of one revision at most. */
const MAX_COUNTS = 200;

export class Lists {
  readonly #pictures: Pictures;
  readonly #judge: (reward: string | undefined) => Judge;
  readonly #counts = new Map<string, unknown>();
  #revision = -1;

  constructor(pictures: Pictures, judge: (reward: string | undefined) => Judge) {
    this.#pictures = pictures;
    this.#judge = judge;
  }

  page({ sort, cursor, limit, ...filter }: LibraryQuery): LibraryPage {
    const judge = this.#judge(filter.reward);
    const after = cursor === undefined ? undefined : parseCursor(cursor, sort, judge.reward);
    const found = this.positions(filter, sort, limit + 1, after);
    const shown = found.slice(0, limit);
    const next = found.length > limit ? formatCursor(sort, judge.reward, shown.at(-1)!) : null;
    return { items: this.items(shown.map(({ key }) => key)), next, total: this.total(filter) };
  }

  /** Where each picture of a page stands; what lists and exports walk along. */
  positions(filter: LibraryFilter, sort: string, limit: number, after?: Position): Position[] {
    const judge = this.#judge(filter.reward);
    const parts = conditions(filter, judge);
    const found: Position[] = [];
    for (const { from, order, value, ...bounds } of stretches(sort, after)) {
      if (found.length >= limit) break;
      const { sql, values } = where([...parts, bounds]);
      found.push(
        ...this.#pictures.database.all<Position & Record<string, unknown>>(
          `SELECT p.key AS key, ${value} AS value FROM ${from} ${sql} ORDER BY ${order} LIMIT ?`,
          ...[judge.reward, ...values, limit - found.length],
        ),
      );
    }
    return found;
  }

  /** All that a filter lets through, some at a time. */
  *keys(filter: LibraryFilter, atATime = 500): Generator<number[]> {
    for (let after: Position | undefined; ; ) {
      const found = this.positions(filter, "date", atATime, after);
      if (found.length > 0) yield found.map(({ key }) => key);
      if (found.length < atATime) return;
      after = found.at(-1)!;
    }
  }

  items(keys: readonly number[]): LibraryItem[] {
    const list = JSON.stringify(keys);
    const { database } = this.#pictures;
    const rows = database.all<ItemRow>(
      `SELECT ${ITEM} FROM pictures WHERE key IN (SELECT value FROM json_each(?))`,
      list,
    );
    const byKey = new Map(rows.map((row) => [row.key, row]));
    const scores = this.#scores(list);
    return keys.flatMap((key) => {
      const row = byKey.get(key);
      return row ? [itemOf(row, scores.get(key) ?? {})] : [];
    });
  }

  picture(id: string): LibraryPicture {
    const { database } = this.#pictures;
    const row = database.get<ItemRow>(`SELECT ${ITEM} FROM pictures WHERE id = ? AND place <> 'deleted'`, id);
    if (!row) throw unknownPicture(id);
    const info = database.get<{ info: string }>("SELECT info FROM infos WHERE picture = ?", row.key);
    const scores = database.all<{ reward: string; score: number; version: string; at: number; approximate: number }>(
      "SELECT reward, score, version, at, approximate FROM scores WHERE picture = ? ORDER BY reward, at DESC, version",
      row.key,
    );
    return {
      ...itemOf(row, this.#pictures.ratings(row.key)),
      info: JSON.parse(info!.info) as InfoReply,
      allScores: scores.map((score) => ({
        ...score,
        at: new Date(score.at).toISOString(),
        approximate: score.approximate === 1,
      })),
      hash: row.hash,
    };
  }

  total(filter: LibraryFilter): number {
    const { sql, values } = this.#where(filter);
    const judge = this.#judge(filter.reward);
    return this.#counted(["total", sql, judge.reward, values], () => this.#count(judge, { sql, values }));
  }

  histogram({ bins, ...filter }: LibraryFilter & { bins: number }): Histogram {
    const judge = this.#judge(filter.reward);
    const condition = this.#where(filter);
    const key = ["histogram", bins, judge, condition];
    return this.#counted(key, () => this.#histogram(judge, condition, bins));
  }

  facets(): Facets {
    return this.#counted(["facets"], () => ({
      hosts: this.#names("host"),
      models: this.#names("model"),
      folders: this.#names("folder"),
      rewards: this.#pictures.database.all<Facets["rewards"][number]>(
        "SELECT reward AS name, count(*) AS count FROM ratings r CROSS JOIN pictures p ON p.key = r.picture WHERE p.place = 'here' GROUP BY reward ORDER BY count DESC, name",
      ),
      total: this.total({}),
    }));
  }

  #names(column: "host" | "model" | "folder"): { name: string; count: number }[] {
    return this.#pictures.database.all(
      `SELECT ${column} AS name, count(*) AS count FROM pictures WHERE place = 'here' AND ${column} IS NOT NULL GROUP BY ${column} ORDER BY count DESC, name LIMIT 1000`,
    );
  }

  #histogram(judge: Judge, condition: Condition, bins: number): Histogram {
    const { database } = this.#pictures;
    const scored = { sql: `${condition.sql} AND r.score IS NOT NULL`, values: condition.values };
    const ends = database.get<{ low: number | null; high: number | null }>(
      `SELECT min(r.score) AS low, max(r.score) AS high FROM ${FROM} ${scored.sql}`,
      ...[judge.reward, ...scored.values],
    );
    const [from, to] = [ends?.low ?? 0, ends?.high ?? 0];
    const width = to > from ? (to - from) / bins : 1;
    const rows = database.all<{ bin: number; count: number }>(
      `SELECT min(CAST((r.score - ?) / ? AS INTEGER), ?) AS bin, count(*) AS count FROM ${FROM} ${scored.sql} GROUP BY 1`,
      ...[from, width, bins - 1, judge.reward, ...scored.values],
    );
    const counts = new Map(rows.map(({ bin, count }) => [bin, count]));
    return {
      reward: this.#spelled(judge.reward),
      from,
      to,
      bins: Array.from({ length: bins }, (_, bin) => counts.get(bin) ?? 0),
      buckets: this.#buckets(judge, condition),
    };
  }

  #buckets(judge: Judge, condition: Condition): Histogram["buckets"] {
    const names = ["great", "ok", "weak", "unscored"] as const;
    const parts = names.map((name) => bucketOf(name, judge.limits));
    const row = this.#pictures.database.get<Record<string, number>>(
      `SELECT ${parts.map(({ sql }, i) => `count(*) FILTER (WHERE ${sql}) AS ${names[i]}`).join(", ")} FROM ${FROM} ${condition.sql}`,
      ...[...parts.flatMap(({ values }) => values), judge.reward, ...condition.values],
    )!;
    return { great: row.great!, ok: row.ok!, weak: row.weak!, unscored: row.unscored! };
  }

  /** "ImageReward" for "imagereward", once a picture has such a score. */
  #spelled(reward: string): string {
    const row = this.#pictures.database.get<{ reward: string }>(
      "SELECT reward FROM ratings WHERE reward = ? LIMIT 1",
      reward,
    );
    return row?.reward ?? reward;
  }

  #where(filter: LibraryFilter): Condition {
    return where(conditions(filter, this.#judge(filter.reward)));
  }

  #count(judge: Judge, { sql, values }: Condition): number {
    // Where nothing asks for the rating, the join would only cost.
    const from = sql.includes("r.score") ? FROM : "pictures p";
    const given = sql.includes("r.score") ? [judge.reward, ...values] : values;
    return this.#pictures.database.get<{ count: number }>(`SELECT count(*) AS count FROM ${from} ${sql}`, ...given)!
      .count;
  }

  #counted<T>(key: unknown[], count: () => T): T {
    if (this.#revision !== this.#pictures.revision || this.#counts.size >= MAX_COUNTS) this.#counts.clear();
    this.#revision = this.#pictures.revision;
    const name = JSON.stringify(key);
    if (!this.#counts.has(name)) this.#counts.set(name, count());
    return this.#counts.get(name) as T;
  }

  #scores(keys: string): Map<number, Record<string, number>> {
    const rows = this.#pictures.database.all<{ picture: number; reward: string; score: number }>(
      "SELECT picture, reward, score FROM ratings WHERE picture IN (SELECT value FROM json_each(?))",
      keys,
    );
    const scores = new Map<number, Record<string, number>>();
    for (const { picture, reward, score } of rows) {
      scores.set(picture, { ...scores.get(picture), [reward]: score });
    }
    return scores;
  }
}

function itemOf({ key: _, hash, pixels, ...row }: ItemRow, scores: Record<string, number>): LibraryItem {
  return {
    ...row,
    path: pathOf(row),
    modified: new Date(row.modified).toISOString(),
    written: row.written === 1,
    scores,
    thumbnail: `/api/v1/library/${row.id}/thumbnail?v=${pixels.slice(0, 16)}`,
    file: `/api/v1/library/${row.id}/file?v=${hash.slice(0, 16)}`,
  };
}

export const unknownPicture = (id: string): NotFoundError =>
  new NotFoundError(`The library has no picture with the id ${id}.`, {
    hint: "It may have been deleted: undo brings it back.",
  });
