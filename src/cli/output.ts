// What commands print: JSON Lines, CSV, or a table with bars. Text for stdout is made here; nothing here decides anything.

import { randomUUID } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import type { RenoirError } from "../errors.ts";
import { SystemError } from "../errors.ts";
import type { Rejected } from "../tasks/reject.ts";

/** A file's result as it is printed: CONTRACT's line, and what only some runs have. */
export interface ScoreLine extends Rejected {
  readonly file: string;
  readonly prompt: string;
  readonly scores: Record<string, number>;
  /** With several rewards: their weighted sum, which ranks and filters. */
  readonly total?: number;
  readonly rank: number | null;
  readonly kept: boolean;
  /** From int8 sums, good for sorting; such scores are never written to files. */
  readonly approximate?: true;
  /** The picture was scored, but what should happen to it then failed. */
  readonly error?: ErrorBody;
}

export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

export interface ErrorLine {
  readonly file: string;
  readonly error: ErrorBody;
}

export type Line = ScoreLine | ErrorLine;

export const isScoreLine = (line: Line): line is ScoreLine => "scores" in line;

export const errorBody = ({ code, message, hint }: RenoirError): ErrorBody => ({
  code,
  message,
  ...(hint === undefined ? {} : { hint }),
});

/** A seed may be a bigint, which JSON does not know: it is written as the number it is, in all its digits. */
export const jsonLine = (value: unknown): string => `${JSON.stringify(value, bigintAsNumber)}\n`;

/** JSON.rawJSON came with Node 21; before it, a text keeps the digits that a number would lose. */
function bigintAsNumber(_key: string, value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  const { rawJSON } = JSON as unknown as { rawJSON?: (text: string) => unknown };
  return rawJSON ? rawJSON(String(value)) : String(value);
}

// ---- CSV (RFC 4180)

const csvField = (value: unknown): string => {
  const text = value === null || value === undefined ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

export function csvText(lines: readonly Line[]): string {
  const scored = lines.filter(isScoreLine);
  const rewards = [...new Set(scored.flatMap(({ scores }) => Object.keys(scores)))];
  const total = scored.some((line) => line.total !== undefined) ? ["total"] : [];
  const columns = ["file", "prompt", ...rewards, ...total, "rank", "kept", "movedTo", "error"];
  const rows = lines.map((line) => {
    const fields: Record<string, unknown> = isScoreLine(line) ? { ...line, ...line.scores } : { ...line };
    return columns.map((column) => csvField(column === "error" ? line.error?.message : fields[column]));
  });
  return [columns.map(csvField), ...rows].map((row) => `${row.join(",")}\r\n`).join("");
}

/** Whole or not at all: a full disk leaves an earlier file as it was. */
export async function writeCsv(file: string, lines: readonly Line[]): Promise<void> {
  const fresh = `${file}.${randomUUID()}.tmp`;
  try {
    await writeFile(fresh, csvText(lines), { flag: "wx" });
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true });
    throw new SystemError(`The table ${file} can not be written: ${(error as Error).message}.`, {
      hint: "Check that its folder exists, can be written to and has room; the results are also on the screen.",
      cause: error,
    });
  }
}

// ---- tables

/** NO_COLOR (https://no-color.org) wins over FORCE_COLOR, and both over what the terminal can. */
export function usesColor(stream: { isTTY?: boolean }, environment: NodeJS.ProcessEnv = process.env): boolean {
  if (environment.NO_COLOR) return false;
  if (environment.FORCE_COLOR && environment.FORCE_COLOR !== "0") return true;
  return stream.isTTY === true && environment.TERM !== "dumb";
}

const colors = { green: 32, red: 31, dim: 2, bold: 1 } as const;
const paint = (text: string, color: keyof typeof colors, on: boolean) =>
  on ? `\u001b[${colors[color]}m${text}\u001b[0m` : text;

/** File names are strangers' text: what could move the cursor or colour the terminal is shown, not sent. */
export const printable = (text: string): string =>
  text.replace(
    /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

const barWidth = 20;
const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A bar of up to 20 cells, drawn to an eighth of one. */
export function bar(share: number, width = barWidth): string {
  const filled = Math.round(Math.min(Math.max(share, 0), 1) * width * 8);
  return ("█".repeat(filled >> 3) + eighths[filled % 8]).padEnd(width);
}

export const scoreText = (score: number, approximate = false): string =>
  `${approximate ? "~" : ""}${score.toFixed(approximate ? 2 : 4)}`;

/** What ranks a line: the total where there is one, else the only score. */
export const rankingValue = ({ total, scores }: ScoreLine): number => total ?? Object.values(scores)[0]!;

export function tableText(lines: readonly Line[], color: boolean): string {
  const scored = lines.filter(isScoreLine);
  const values = scored.map(rankingValue);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const several = scored.some(({ total }) => total !== undefined);
  const header = [
    "rank",
    several ? "total" : (Object.keys(scored[0]?.scores ?? {})[0] ?? "score"),
    "".padEnd(barWidth),
  ];
  const rewards = several ? [...new Set(scored.flatMap(({ scores }) => Object.keys(scores)))] : [];
  const rows = lines.map((line) => {
    if (!isScoreLine(line)) return ["-", "failed", "".padEnd(barWidth), ...rewards.map(() => ""), fileCell(line)];
    const share = high === low ? 1 : 0.02 + (0.98 * (rankingValue(line) - low)) / (high - low);
    const scores = rewards.map((name) => scoreText(line.scores[name] ?? Number.NaN, line.approximate));
    return [line.rank ?? "", scoreText(rankingValue(line), line.approximate), bar(share), ...scores, fileCell(line)];
  });
  const table = alignColumns([[...header, ...rewards, "file"], ...rows].map((row) => row.map(String)));
  const [head, ...body] = table as [string, ...string[]];
  return [paint(head, "bold", color), ...body.map((row, index) => paintRow(row, lines[index]!, color))]
    .map((row) => `${row.trimEnd()}\n`)
    .join("");
}

function paintRow(row: string, line: Line, color: boolean): string {
  if (!isScoreLine(line)) return paint(row, "red", color);
  return line.kept ? row.replace(/[█▏▎▍▌▋▊▉]+/, (drawn) => paint(drawn, "green", color)) : paint(row, "dim", color);
}

/** The file, and in brackets what became of it. Why it failed was said on stderr. */
function fileCell(line: Line): string {
  const notes = isScoreLine(line) ? fates(line) : [];
  return printable(line.file) + notes.map((note) => `  (${printable(note)})`).join("");
}

function fates(line: ScoreLine): string[] {
  const fate = [
    line.movedTo !== undefined && `moved to ${line.movedTo}`,
    line.trashed && "in the trash",
    line.deleted && "deleted",
  ].filter((note): note is string => typeof note === "string");
  if (!line.kept && fate.length === 0) fate.push("not kept");
  return line.error ? [...fate, line.error.message] : fate;
}

/** All columns but the last padded to their widest; numbers stand right, as their decimals then do under each other. */
function alignColumns(rows: string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const isNumber = (column: number) => rows.slice(1).some((row) => /^~?-?\d/.test(row[column]!));
  return rows.map((row) =>
    row
      .map((cell, column) => {
        if (column === row.length - 1) return cell;
        return isNumber(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!);
      })
      .join("  "),
  );
}

// ---- single lines

/** What went wrong and what to try, as one line. */
export const errorText = ({ message, hint }: { message: string; hint?: string }): string =>
  printable(hint === undefined ? message : `${message} ${hint}`);

/** A result on its own, for runs that print each at once. */
export function plainLine(line: Line): string {
  if (!isScoreLine(line)) return `failed  ${printable(line.file)}\n`;
  const fate = line.kept ? "" : "  (not kept)";
  return `${scoreText(rankingValue(line), line.approximate).padStart(8)}  ${printable(line.file)}${fate}\n`;
}
