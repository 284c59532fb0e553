import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bar, csvText, jsonLine, type Line, printable, tableText, usesColor, writeCsv } from "../../src/cli/output.ts";
import { duration, Rate } from "../../src/cli/progress.ts";
import { freshFolder } from "./command.ts";

const lines: Line[] = [
  { file: "a.png", prompt: "x", scores: { ImageReward: 0.5 }, rank: 1, kept: true },
  { file: "b\u001b[2J.png", prompt: "x", scores: { ImageReward: -1.25 }, rank: 2, kept: false, movedTo: "r/b.png" },
  { file: "c.png", error: { code: "image", message: "c.png is damaged." } },
];

test("the table has a row for each line, and bars from the lowest to the highest", () => {
  expect(tableText(lines, false).split("\n")).toEqual([
    "rank  ImageReward                        file",
    `   1       0.5000  ${"█".repeat(20)}  a.png`,
    "   2      -1.2500  ▍                     b\\u001b[2J.png  (moved to r/b.png)",
    "   -       failed                        c.png",
    "",
  ]);
});

test("approximate scores say so, and a total stands before the scores it is made of", () => {
  const line: Line = {
    file: "a.png",
    prompt: "x",
    scores: { ImageReward: 0.5, Shapes: 2 },
    total: 1.5,
    rank: 1,
    kept: true,
    approximate: true,
  };
  const [head, row] = tableText([line], false).split("\n");
  expect(head).toMatch(/^rank +total +ImageReward +Shapes +file$/);
  expect(row).toMatch(/^ +1 +~1\.50 +█{20} +~0\.50 +~2\.00 +a\.png$/);
});

test("a bar is drawn to an eighth of a cell, and stays within its width", () => {
  expect([bar(0, 2), bar(0.5, 2), bar(0.0625, 2), bar(7, 2), bar(-1, 2)]).toEqual(["  ", "█ ", "▏ ", "██", "  "]);
});

test("what could move the cursor is shown, not sent", () => {
  expect(printable("a\u001b[31m\u202eb\n")).toBe("a\\u001b[31m\\u202eb\\u000a");
  expect(printable("東京 ünï")).toBe("東京 ünï");
});

test("NO_COLOR wins over FORCE_COLOR, and both over the terminal", () => {
  expect(usesColor({ isTTY: true }, {})).toBe(true);
  expect(usesColor({ isTTY: true }, { TERM: "dumb" })).toBe(false);
  expect(usesColor({}, {})).toBe(false);
  expect(usesColor({}, { FORCE_COLOR: "1" })).toBe(true);
  expect(usesColor({ isTTY: true }, { NO_COLOR: "1", FORCE_COLOR: "1" })).toBe(false);
  expect(usesColor({ isTTY: true }, { NO_COLOR: "" })).toBe(true);
});

test("a seed keeps all its digits in JSON", () => {
  expect(jsonLine({ seed: 18446744073709551615n })).toMatch(/"seed":"?18446744073709551615"?/);
});

test("a CSV field with a comma, a quote or a line break is quoted", () => {
  const [head, row] = csvText([{ ...lines[0]!, file: 'a,"b"\n.png' } as Line]).split("\r\n");
  expect(head).toBe("file,prompt,ImageReward,rank,kept,movedTo,error");
  expect(row).toBe('"a,""b""\n.png",x,0.5,1,true,,');
});

test("a table that can not be written leaves the earlier one and no rubbish", async () => {
  const folder = await freshFolder();
  await writeFile(join(folder, "s.csv"), "old");
  await expect(writeCsv(join(folder, "none", "s.csv"), lines)).rejects.toThrow(/can not be written/);
  await writeCsv(join(folder, "s.csv"), lines);
  expect(await readFile(join(folder, "s.csv"), "utf8")).toContain("c.png,,,,,,c.png is damaged.");
  expect(await readdir(folder)).toEqual(["s.csv"]);
  await rm(folder, { recursive: true });
});

test("rate and time left count from the first item, whose time holds loading", () => {
  const rate = new Rate(11);
  rate.step(60_000);
  expect(rate.text()).toBe("");
  rate.step(60_500);
  expect(rate.text()).toBe("2.0 a second, 5 s left");
  rate.step(70_000);
  expect(rate.text()).toBe("5.0 s each, 40 s left");
});

test("durations have at most two units", () => {
  expect([0, 59.6, 200, 7500].map(duration)).toEqual(["0 s", "1 min 0 s", "3 min 20 s", "2 h 5 min"]);
});
