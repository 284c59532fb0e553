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
import type { Value } from "../database.ts";
import { NotFoundError } from "../errors.ts";
import { type Pictures, pathOf } from "./pictures.ts";
import {
  type Condition,
  conditions,
  FROM,
  formatCursor,
  type Judge,
  type Position,
  parseCursor,
  stretches,
  where,
  whereRated,
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

interface Bin {
  readonly bin: number | null;
  readonly count: number;
  readonly low: number | null;
  readonly high: number | null;
  readonly scored: number;
  readonly great: number;
  readonly weak: number;
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
    const total = this.total(filter);
    const found = total === 0 ? [] : this.positions(filter, sort, limit + 1, after);
    const shown = found.slice(0, limit);
    const next = found.length > limit ? formatCursor(sort, judge.reward, shown.at(-1)!) : null;
    return { items: this.items(shown.map(({ key }) => key)), next, total };
  }

  /** Where each picture of a page stands; what lists and exports walk along. */
  positions(filter: LibraryFilter, sort: string, limit: number, after?: Position): Position[] {
    const judge = this.#judge(filter.reward);
    const parts = conditions(filter, judge);
    const found: Position[] = [];
    for (const { from, byRating, order, value, ...bounds } of stretches(sort, after)) {
      if (found.length >= limit) break;
      const said = byRating ? parts.map((part) => ({ ...part, sql: part.rated ?? part.sql })) : parts;
      const { sql, values } = where([...said, bounds]);
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
    const judge = this.#judge(filter.reward);
    const parts = conditions(filter, judge);
    return this.#counted(["total", judge, parts], () => this.#count(judge, parts));
  }

  histogram({ bins, ...filter }: LibraryFilter & { bins: number }): Histogram {
    const judge = this.#judge(filter.reward);
    const parts = conditions(filter, judge);
    return this.#counted(["histogram", bins, judge, parts], () => this.#histogram(judge, parts, bins));
  }

  facets(): Facets {
    return this.#counted(["facets"], () => ({
      hosts: this.#names("host"),
      models: this.#names("model"),
      folders: this.#names("folder"),
      rewards: this.#pictures.database.all<Facets["rewards"][number]>(
        "SELECT reward AS name, count(*) AS count FROM ratings WHERE place = 'here' GROUP BY reward ORDER BY count DESC, name",
      ),
      total: this.total({}),
    }));
  }

  #names(column: "host" | "model" | "folder"): { name: string; count: number }[] {
    return this.#pictures.database.all(
      `SELECT ${column} AS name, count(*) AS count FROM pictures WHERE place = 'here' AND ${column} IS NOT NULL GROUP BY ${column} ORDER BY count DESC, name LIMIT 1000`,
    );
  }

  /** The scores once, and from them all that is told of them. */
  #histogram(judge: Judge, parts: readonly Condition[], bins: number): Histogram {
    const { weak, great } = judge.limits;
    const [from, values] = this.#ratings(judge, parts);
    const rows = this.#pictures.database.all<Bin>(
      `WITH s AS MATERIALIZED (SELECT r.score AS score ${from}),
       ends AS MATERIALIZED (SELECT min(score) AS low, max(score) AS high, count(*) AS scored,
         count(*) FILTER (WHERE score >= ?) AS great, count(*) FILTER (WHERE score < ? AND score < ?) AS weak FROM s)
       SELECT low, high, scored, great, weak, count(score) AS count,
         min(CAST((score - low) * ? / (high - low) AS INTEGER), ?) AS bin FROM ends LEFT JOIN s GROUP BY bin`,
      ...[...values, great, weak, great, bins, bins - 1],
    );
    const { low, high, scored, great: best, weak: worst } = rows[0]!;
    const counts = new Map(rows.map(({ bin, count }) => [bin ?? 0, count]));
    return {
      reward: this.#spelled(judge.reward),
      from: low ?? 0,
      to: high ?? 0,
      bins: Array.from({ length: bins }, (_, bin) => counts.get(bin) ?? 0),
      buckets: {
        great: best,
        ok: scored - best - worst,
        weak: worst,
        unscored: this.#count(judge, parts) - scored,
      },
    };
  }

  /** Where the judge's scores of the pictures stand that the conditions let through. */
  #ratings(judge: Judge, parts: readonly Condition[]): [string, Value[]] {
    const { sql, values } = whereRated(parts) ?? where([...parts, { sql: "r.score IS NOT NULL", values: [] }]);
    const from = whereRated(parts) ? "ratings r" : FROM;
    return [`FROM ${from} ${sql}`, [judge.reward, ...values]];
  }

  /** "ImageReward" for "imagereward", once a picture has such a score. */
  #spelled(reward: string): string {
    const row = this.#pictures.database.get<{ reward: string }>(
      "SELECT reward FROM ratings WHERE reward = ? LIMIT 1",
      reward,
    );
    return row?.reward ?? reward;
  }

  #count(judge: Judge, parts: readonly Condition[]): number {
    const count = (from: string, ...values: Value[]) =>
      this.#pictures.database.get<{ count: number }>(`SELECT count(*) AS count FROM ${from}`, ...values)!.count;
    const { sql, values } = where(parts);
    // Where nothing asks for the rating, the join would only cost; where nothing else is asked, the pictures would.
    if (!sql.includes("r.score")) return count(`pictures p ${sql}`, ...values);
    const rated = whereRated(parts);
    if (rated) return count(`ratings r ${rated.sql}`, judge.reward, ...rated.values);
    return count(`${FROM} ${sql}`, judge.reward, ...values);
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
