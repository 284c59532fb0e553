// The library as a table: CSV for spreadsheets (RFC 4180), or JSON. Written page by page, so that a large one needs no more memory.

import { setImmediate as breathe } from "node:timers/promises";
import type { LibraryFilter, LibraryItem } from "../api/library.ts";
import type { Lists } from "./lists.ts";
import type { Position } from "./query.ts";

export type ExportFormat = "csv" | "json";

const PAGE = 200;

type Query = LibraryFilter & { readonly format: ExportFormat; readonly sort: string };

export async function* exportRows(lists: Lists, { format, sort, ...filter }: Query): AsyncGenerator<string> {
  if (format === "json") yield* jsonText(pagesOf(lists, filter, sort));
  else
    yield* csvText(
      pagesOf(lists, filter, sort),
      lists
        .facets()
        .rewards.map(({ name }) => name)
        .sort(),
    );
}

async function* pagesOf(lists: Lists, filter: LibraryFilter, sort: string): AsyncGenerator<LibraryItem[]> {
  for (let after: Position | undefined; ; ) {
    const found = lists.positions(filter, sort, PAGE, after);
    if (found.length > 0) yield lists.items(found.map(({ key }) => key));
    if (found.length < PAGE) return;
    after = found.at(-1)!;
    await breathe();
  }
}

async function* jsonText(pages: AsyncIterable<LibraryItem[]>): AsyncGenerator<string> {
  let before = "[\n";
  for await (const page of pages) {
    yield before + page.map(({ thumbnail: _t, file: _f, ...item }) => JSON.stringify(item)).join(",\n");
    before = ",\n";
  }
  yield before === "[\n" ? "[]\n" : "\n]\n";
}

const COLUMNS = [
  ...(["id", "path", "name", "folder", "width", "height", "bytes", "modified", "format", "host", "model"] as const),
  ...(["prompt", "seed", "written"] as const),
];

async function* csvText(pages: AsyncIterable<LibraryItem[]>, rewards: readonly string[]): AsyncGenerator<string> {
  yield row([...COLUMNS, ...rewards]);
  for await (const page of pages) {
    yield page
      .map((item) => row([...COLUMNS.map((name) => item[name]), ...rewards.map((name) => item.scores[name])]))
      .join("");
  }
}

const row = (values: readonly (string | number | boolean | null | undefined)[]): string =>
  `${values.map(cell).join(",")}\r\n`;

/** A text that a spreadsheet would take for a formula: a prompt must not compute, call programs or send data. */
const FORMULA = /^[=+\-@\t\r]/;

function cell(value: string | number | boolean | null | undefined): string {
  if (typeof value !== "string") return value === null || value === undefined ? "" : String(value);
  const text = FORMULA.test(value) && !/^-?\d+(\.\d+)?$/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
