import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { MetadataError } from "../../src/errors.ts";
import {
  appendScores,
  formatInfotext,
  hasParameterLine,
  readInfotext,
  scanPairs,
} from "../../src/metadata/infotext.ts";

const LINE = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x768";
const SCORE = { ImageReward: 0.5812 };

interface Case {
  text: string;
  prompt: string;
  negativePrompt: string;
  pairs: number;
  parameters: Record<string, string>;
}
const forge: { source: string; cases: Case[] } = JSON.parse(
  readFileSync(new URL("./dialects/fixtures/forge.json", import.meta.url), "utf8"),
);

/** The last line's own scores, which are read as scores and not as parameters. */
const isScore = (key: string) => /(^| )Score$|^aesthetic_score$/.test(key);
const endsWithScoreLine = ({ text }: Case) => /\n ImageReward Score/.test(text);

test("there are at least 40 texts that Forge's own reader has read", () => {
  expect(forge.cases.length).toBeGreaterThanOrEqual(40);
});

for (const [i, example] of forge.cases.entries()) {
  if (endsWithScoreLine(example)) continue; // the form that breaks Forge's reader: case 6
  test(`Forge's reader and ours agree on text ${i + 1}`, () => {
    const ours = readInfotext(example.text);
    expect(ours.prompt).toBe(example.prompt);
    expect(ours.negativePrompt ?? "").toBe(example.negativePrompt);
    expect(hasParameterLine(example.text)).toBe(example.pairs >= 3);
    for (const [key, value] of Object.entries(example.parameters)) {
      if (!isScore(key)) expect([key, ours.parameters.get(key)]).toEqual([key, value]);
    }
  });
  test(`appending twice to text ${i + 1} is appending once, and all before it stays`, () => {
    const once = appendScores(example.text, SCORE);
    expect(appendScores(once, SCORE)).toBe(once);
    if (example.pairs < 3) expect(once).toBe(example.text);
    else expect(once.startsWith(example.text.trimEnd())).toBe(true);
  });
}

test("case 1: a prompt's own line 'Steps: 3 of them' stays in the prompt", () => {
  const text = `a staircase\nSteps: 3 of them\nNegative prompt: ugly\n${LINE}`;
  expect(readInfotext(text)).toMatchObject({ prompt: "a staircase\nSteps: 3 of them", negativePrompt: "ugly" });
  expect(appendScores(text, SCORE)).toBe(`${text}, ImageReward Score: 0.5812`);
});

test("case 2: a line break in the negative prompt is kept", () => {
  expect(readInfotext(`a\nNegative prompt: b\nc\n${LINE}`).negativePrompt).toBe("b\nc");
});

test("case 3: 'Negative prompt:' within a line is prompt; a second such line loses the words", () => {
  const text = `a Negative prompt: b\nNegative prompt: c\nNegative prompt: d\n${LINE}`;
  expect(readInfotext(text)).toMatchObject({ prompt: "a Negative prompt: b", negativePrompt: "c\nd" });
});

test("cases 4 and 5: no score is appended to a prompt with two colons, nor to a line of two pairs", () => {
  for (const text of ["a cat, style: anime, mood: dark", "a cat\nSteps: 20, Seed: 1", "a cat", ""]) {
    expect(hasParameterLine(text)).toBe(false);
    expect(appendScores(text, SCORE)).toBe(text);
  }
});

test("case 6: the original script's trailing lines are read as scores and move into the line", () => {
  const one = `a\nNegative prompt: b\n${LINE}\n ImageReward Score: 0.1234`;
  expect(readInfotext(one)).toMatchObject({
    prompt: "a",
    negativePrompt: "b",
    scores: new Map([["ImageReward", 0.1234]]),
  });
  expect(appendScores(one, SCORE)).toBe(`a\nNegative prompt: b\n${LINE}, ImageReward Score: 0.5812`);
  expect(appendScores(one, { PickScore: 21 })).toBe(
    `a\nNegative prompt: b\n${LINE}, ImageReward Score: 0.1234, PickScore Score: 21.0000`,
  );
  const three = `a\n${LINE}\n ImageReward Score: 0.1000, PickScore Score: 20.0000, CLIP Score: -0.3000`;
  expect([...readInfotext(three).scores]).toEqual([
    ["ImageReward", 0.1],
    ["PickScore", 20],
    ["CLIP", -0.3],
  ]);
  expect(readInfotext(three).parameters.get("Seed")).toBe("1");
});

test("case 7: the last of several scores wins; only our own key is replaced, and its doubles go", () => {
  const text = `a\n${LINE}, Score: 5.12, ImageReward Score: 1.0000, aesthetic_score: 5.9, ImageReward Score: 2.0000, User: x`;
  expect([...readInfotext(text).scores]).toEqual([
    ["Score", 5.12],
    ["ImageReward", 2],
    ["aesthetic_score", 5.9],
  ]);
  expect(appendScores(text, SCORE)).toBe(
    `a\n${LINE}, Score: 5.12, aesthetic_score: 5.9, ImageReward Score: 0.5812, User: x`,
  );
  expect(appendScores(`a\n${LINE}, aesthetic_score: 5.9\n`, SCORE)).toBe(
    `a\n${LINE}, aesthetic_score: 5.9, ImageReward Score: 0.5812`,
  );
});

test("case 11: only \\n ends a line; CRLF, U+2028, NBSP and U+FEFF are text", () => {
  const read = readInfotext(`\ufeffa\u2028b\u00a0c\r\nNegative prompt: d\r\n${LINE}\r\n`);
  expect(read).toMatchObject({ prompt: "\ufeffa\u2028b\u00a0c", negativePrompt: "d" });
  expect(read.parameters.get("Size")).toBe("512x768");
});

test("case 12: quoted values are unquoted, JSON without quotes is read to its brace, and both are kept when written", () => {
  const line = `${LINE}, Hires prompt: "a, \\"b\\" \\\\ c\\nd", Hashes: {"model": "abc", "lora:foo": "12"}, Version: v1`;
  const { parameters } = readInfotext(`x\n${line}`);
  expect(parameters.get("Hires prompt")).toBe('a, "b" \\ c\nd');
  expect(parameters.get("Hashes")).toBe('{"model": "abc", "lora:foo": "12"}');
  expect(parameters.get("Version")).toBe("v1");
  expect(appendScores(`x\n${line}`, SCORE)).toBe(`x\n${line}, ImageReward Score: 0.5812`);
});

test("case 13: empty values, bare tokens, a dangling comma and an open quote are tolerated", () => {
  const read = (tail: string) => Object.fromEntries(readInfotext(`x\n${LINE}${tail}`).parameters);
  expect(read(", VAE: , Tiling, RNG: CPU")).toMatchObject({ RNG: "CPU" });
  expect("VAE" in read(", VAE: , RNG: CPU")).toBe(false);
  expect(read(', Foo: "bar')).toMatchObject({ Foo: '"bar' });
  expect(appendScores(`x\n${LINE},`, SCORE)).toBe(`x\n${LINE}, ImageReward Score: 0.5812`);
});

test("case 14: a line of 1 MB without a colon is scanned in well under a second", () => {
  const line = "a ".repeat(500_000);
  const start = performance.now();
  expect(scanPairs(line)).toEqual([]);
  expect(readInfotext(line).prompt.length).toBe(999_999);
  expect(performance.now() - start).toBeLessThan(1000); // 18 ms on one core; the regular expression takes minutes
});

test("keys are words of any script, as Python's \\w has them", () => {
  expect(scanPairs("クリップ: 1, ключ: 3, Größe: 2, x: 4").map(({ key }) => key)).toEqual([
    "クリップ",
    "ключ",
    "Größe",
  ]);
});

test("also: scores have four decimals and a point; NaN, Infinity and keys that hosts cut are refused", () => {
  const text = `x\n${LINE}`;
  expect(appendScores(text, { ImageReward: -1.23456 })).toBe(`${text}, ImageReward Score: -1.2346`);
  expect(appendScores(text, { ImageReward: -0.00001 })).toBe(`${text}, ImageReward Score: 0.0000`);
  for (const score of [Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => appendScores(text, { ImageReward: score })).toThrow(MetadataError);
  }
  for (const name of ["HPSv2.1", "CLIP-L", "a/b", "a(b)", "наш", ""]) {
    expect(() => appendScores(text, { [name]: 1 })).toThrow(/can not name a score/);
  }
});

test("what is formatted is read back, quotes and all", () => {
  const parameters: [string, string][] = [
    ["Steps", "1"],
    ["Size", "64x64"],
    ["Note", 'a: b, "c"\nd'],
    ["Tiling", "Tiling"],
  ];
  const text = formatInfotext("a cat\nwith hat", "dog", parameters);
  expect(text.split("\n").at(-1)).toBe('Steps: 1, Size: 64x64, Note: "a: b, \\"c\\"\\nd", Tiling');
  expect(readInfotext(text)).toMatchObject({ prompt: "a cat\nwith hat", negativePrompt: "dog" });
  expect(readInfotext(text).parameters.get("Note")).toBe('a: b, "c"\nd');
});

test("Fooocus's JSON on one line is not taken for parameters", () => {
  const text = '{"prompt": "x", "lora": "a b: 1, cd: 2, ef: 3, gh: 4"}';
  expect(appendScores(text, SCORE)).toBe(text);
});
