// A filter, a sort and a page as SQL. Pages go by keys: where the page before ended, its last value and its row's number say,
// so that pictures that come or go meanwhile shift nothing, and equal values neither repeat nor get lost.

import { sep } from "node:path";
import { z } from "zod";
import { RequestError } from "../../errors.ts";
import type { Bucket, LibraryFilter } from "../api/library.ts";
import type { Value } from "../database.ts";
import { seedOrder } from "./pictures.ts";
import { parseSearch } from "./words.ts";

export interface Limits {
  readonly weak: number;
  readonly great: number;
}

/** Whose score counts, by which limits. */
export interface Judge {
  readonly reward: string;
  readonly limits: Limits;
}

export interface Condition {
  readonly sql: string;
  readonly values: readonly Value[];
  /** The same said of a rating alone, where that can be: counting ratings by their index is ten times as quick as looking at pictures. */
  readonly rated?: string;
}

/** `p` is the picture's row, `r` its rating by the judge. */
export const FROM = "pictures p LEFT JOIN ratings r ON r.picture = p.key AND r.reward = ?";

export function conditions(filter: LibraryFilter, judge: Judge): Condition[] {
  const isPlace = `place = '${filter.rejected ? "rejected" : "here"}'`;
  const place = { sql: `p.${isPlace}`, values: [], rated: `r.${isPlace}` };
  return [
    place,
    ...textConditions(filter.text),
    ...(filter.scores ?? []).map((range) => rangeCondition(range, judge)),
    ...given(filter.bucket, (buckets) => bucketCondition(buckets, judge.limits)),
    ...given(filter.host, (hosts) => anyOf("p.host", hosts)),
    ...given(filter.model, (models) => anyOf("p.model", models)),
    ...given(filter.folder, folderCondition),
    ...given(filter.seed, (seed) => ({ sql: "p.seedOrder = ?", values: [seedOrder(seed)] })),
    ...given(filter.from, (from) => ({ sql: "p.modified >= ?", values: [Date.parse(from)] })),
    ...given(filter.to, toCondition),
  ];
}

export function where(parts: readonly Condition[]): Condition {
  return {
    sql: `WHERE ${parts.map(({ sql }) => `(${sql})`).join(" AND ")}`,
    values: parts.flatMap(({ values }) => values),
  };
}

/** Where only ratings need to be looked at; undefined where a picture must be. */
export function whereRated(parts: readonly Condition[]): Condition | undefined {
  if (parts.some(({ rated }) => rated === undefined)) return undefined;
  const sql = ["r.reward = ?", ...parts.map(({ rated }) => rated)].map((part) => `(${part})`).join(" AND ");
  return { sql: `WHERE ${sql}`, values: parts.flatMap(({ values }) => values) };
}

const given = <T>(value: T | undefined, of: (value: T) => Condition): Condition[] =>
  value === undefined || (Array.isArray(value) && value.length === 0) ? [] : [of(value)];

function textConditions(text: string | undefined): Condition[] {
  const { all, none, signs } = parseSearch(text ?? "");
  const words = (not: string, query: string): Condition => {
    const found = `${not}IN (SELECT rowid FROM words WHERE words MATCH ?)`;
    return { sql: `p.key ${found}`, values: [query], rated: `r.picture ${found}` };
  };
  return [
    ...(all.length > 0 ? [words("", all.join(" AND "))] : []),
    ...(none.length > 0 ? [words("NOT ", none.join(" OR "))] : []),
    ...signs.map((sign) => ({
      sql: "instr(coalesce(p.prompt, ''), ?) > 0 OR instr(p.name, ?) > 0",
      values: [sign, sign],
    })),
  ];
}

/** `ImageReward:0.5..2`: the last colon parts the name from the numbers. */
function rangeCondition(range: string, judge: Judge): Condition {
  const [, reward = "", from = "", to = ""] = /^(.*):(.*)\.\.(.*)$/s.exec(range) ?? [];
  const bounds = [bound(range, from, ">="), bound(range, to, "<=")].filter((part) => part !== undefined);
  const values = bounds.flatMap((part) => part.values);
  const score = (row: string) =>
    [`${row}.score IS NOT NULL`, ...bounds.map(({ sql }) => `${row}.${sql}`)].join(" AND ");
  if (reward.toLowerCase() === judge.reward.toLowerCase()) return { sql: score("r"), values, rated: score("r") };
  const exists = (key: string) =>
    `EXISTS (SELECT 1 FROM ratings s WHERE s.picture = ${key} AND s.reward = ? AND ${score("s")})`;
  return { sql: exists("p.key"), values: [reward, ...values], rated: exists("r.picture") };
}

function bound(range: string, text: string, comparison: string): Condition | undefined {
  if (text === "") return undefined;
  const value = Number(text);
  if (Number.isFinite(value)) return { sql: `score ${comparison} ?`, values: [value] };
  throw new RequestError(`The range "${range}" has the bound "${text}", which is no number.`, {
    hint: "Write it as in ImageReward:0.5..2, ImageReward:0.5.. or ImageReward:..2.",
  });
}

const BUCKETS: Record<Bucket, (limits: Limits) => Condition> = {
  great: ({ great }) => ({ sql: "r.score >= ?", values: [great] }),
  ok: ({ weak, great }) => ({ sql: "r.score >= ? AND r.score < ?", values: [weak, great] }),
  weak: ({ weak, great }) => ({ sql: "r.score < ? AND r.score < ?", values: [weak, great] }),
  unscored: () => ({ sql: "r.score IS NULL", values: [] }),
};

function bucketCondition(buckets: readonly Bucket[], limits: Limits): Condition {
  const parts = buckets.map((bucket) => BUCKETS[bucket](limits));
  const sql = parts.map((part) => `(${part.sql})`).join(" OR ");
  const rated = buckets.includes("unscored") ? {} : { rated: sql };
  return { sql, values: parts.flatMap(({ values }) => values), ...rated };
}

/** An empty name stands for pictures that have none. */
function anyOf(column: string, names: readonly string[]): Condition {
  const none = names.includes("") ? ` OR ${column} IS NULL` : "";
  return { sql: `${column} IN (${names.map(() => "?").join(", ")})${none}`, values: names };
}

/** The folder and all in it; the separator's successor ends the range of texts that begin with it. */
function folderCondition(folders: readonly string[]): Condition {
  const after = String.fromCharCode(sep.charCodeAt(0) + 1);
  const bare = folders.map((folder) => (folder.length > 1 && folder.endsWith(sep) ? folder.slice(0, -1) : folder));
  return {
    sql: bare.map(() => "p.folder = ? OR (p.folder >= ? AND p.folder < ?)").join(" OR "),
    values: bare.flatMap((folder) => [folder, folder + sep, folder + after]),
  };
}

const DAY = 24 * 60 * 60 * 1000;

/** A day is meant to its end. */
function toCondition(to: string): Condition {
  const isDay = !to.includes("T");
  return { sql: `p.modified ${isDay ? "<" : "<="} ?`, values: [Date.parse(to) + (isDay ? DAY : 0)] };
}

// -- order ---------------------------------------------------------------------------------------------------------------

const COLUMNS: Record<string, { column: string; nullable: boolean }> = {
  score: { column: "r.score", nullable: true },
  date: { column: "p.modified", nullable: false },
  name: { column: "p.nameOrder", nullable: false },
  seed: { column: "p.seedOrder", nullable: true },
  size: { column: "p.bytes", nullable: false },
  prompt: { column: "p.promptOrder", nullable: true },
  host: { column: "p.host", nullable: true },
  model: { column: "p.model", nullable: true },
};

/** Where a page ended. `value` null: among the pictures without one, which come last. */
export interface Position {
  readonly value: string | number | null;
  readonly key: number;
}

/** A part of the list: first the pictures that have the value, then those without, in the order they were found. */
export interface Stretch extends Condition {
  readonly from: string;
  /** Whether ratings lead, and conditions that can be said of them should be. */
  readonly byRating: boolean;
  readonly order: string;
  readonly value: string;
}

export function stretches(sort: string, after: Position | undefined): Stretch[] {
  const isDown = sort.startsWith("-");
  const { column, nullable } = COLUMNS[sort.replace("-", "")]!;
  const [direction, beyond] = isDown ? ["DESC", "<"] : ["ASC", ">"];
  // By score the index on ratings leads, or every picture would be looked at.
  const byScore = column === "r.score";
  const key = byScore ? "r.picture" : "p.key";
  const from = byScore ? "ratings r CROSS JOIN pictures p ON p.key = r.picture AND r.reward = ?" : FROM;
  const first: Stretch = {
    ...(after && after.value !== null
      ? { sql: `(${column}, ${key}) ${beyond} (?, ?)`, values: [after.value, after.key] }
      : { sql: nullable ? `${column} IS NOT NULL` : "1", values: [] }),
    from,
    byRating: byScore,
    order: `${column} ${direction}, ${key} ${direction}`,
    value: column,
  };
  const last: Stretch = {
    sql: `${column} IS NULL${after && after.value === null ? ` AND p.key ${beyond} ?` : ""}`,
    values: after && after.value === null ? [after.key] : [],
    from: FROM,
    byRating: false,
    order: `p.key ${direction}`,
    value: "NULL",
  };
  if (!nullable) return [first];
  return after?.value === null ? [last] : [first, last];
}

// -- cursors -------------------------------------------------------------------------------------------------------------

const cursorForm = z.tuple([z.string(), z.string(), z.union([z.string(), z.number(), z.null()]), z.int().min(0)]);

export const formatCursor = (sort: string, reward: string, { value, key }: Position): string =>
  Buffer.from(JSON.stringify([sort, reward.toLowerCase(), value, key])).toString("base64url");

export function parseCursor(cursor: string, sort: string, reward: string): Position {
  const [hisSort, hisReward, value, key] = readCursor(cursor);
  const isByScore = sort.endsWith("score");
  if (hisSort === sort && (!isByScore || hisReward === reward.toLowerCase())) return { value, key };
  const [was, is] = isByScore ? [`${hisSort} by ${hisReward}`, `${sort} by ${reward}`] : [hisSort, sort];
  throw new RequestError(`The cursor is of a list sorted ${was}, but this one is sorted ${is}.`, {
    hint: "Begin the list anew, without a cursor.",
  });
}

function readCursor(cursor: string): z.infer<typeof cursorForm> {
  try {
    return cursorForm.parse(JSON.parse(Buffer.from(cursor, "base64url").toString()));
  } catch (cause) {
    throw new RequestError(`The cursor "${cursor.slice(0, 40)}" is none that a page ended with.`, {
      hint: "Give `next` of the page before as it is, or begin the list anew without a cursor.",
      cause,
    });
  }
}
