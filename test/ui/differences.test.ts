import { expect, test } from "vitest";
import type { InfoReply } from "../../src/server/api/pictures.ts";
import { settingsRows, type Word, wordsApart } from "../../ui/src/pages/compare/differences.ts";

const marked = (words: Word[]) => words.filter(({ own }) => own).map(({ text }) => text);
const text = (words: Word[]) => words.map((word) => word.text).join("");

test("only the words that the other prompt lacks are marked, and nothing is lost", () => {
  const [a, b] = ["a red circle, (left:1.2) of a square", "a blue circle, (left:1.3) of a big square"];
  const [left, right] = wordsApart(a, b);
  expect(marked(left)).toEqual(["red", "2"]);
  expect(marked(right)).toEqual(["blue", "3", "big"]);
  expect([text(left), text(right)]).toEqual([a, b]);
});

test("equal and empty prompts have no marks", () => {
  expect(wordsApart("a cat", "a cat").map(marked)).toEqual([[], []]);
  expect(wordsApart("", "a cat").map(marked)).toEqual([[], ["a", "cat"]]);
});

test("settings of both stand in one table, the negative prompt with them", () => {
  const info = (settings: Record<string, string>, negativePrompt: string | null) =>
    ({ settings, negativePrompt }) as InfoReply;
  expect(settingsRows(info({ Seed: "1", Steps: "4" }, "blur"), info({ Seed: "2", Steps: "4" }, null))).toEqual([
    { name: "Negative prompt", a: "blur", b: undefined, same: false },
    { name: "Seed", a: "1", b: "2", same: false },
    { name: "Steps", a: "4", b: "4", same: true },
  ]);
});
