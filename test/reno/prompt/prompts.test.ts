// Prompts as Forge and ComfyUI read them.

import { expect, test } from "vitest";
import { type Cleaning, clipTokenizer } from "../../../src/reno/clipTokenizer.ts";
import { clipVocabulary } from "../../../src/reno/clipVocabulary.ts";
import * as a1111 from "../../../src/reno/prompt/a1111.ts";
import type { Chunk } from "../../../src/reno/prompt/chunk.ts";
import * as comfyui from "../../../src/reno/prompt/comfyui.ts";
import { largestDifference } from "../../support/compare.ts";
import { emphasis, readings, wanted } from "../../support/hostPrompts.ts";

test.each(wanted)("$reading: $prompt", ({ reading, prompt, want }) => {
  expect(readings[reading](prompt)).toEqual(want);
});

test.each(Object.entries(emphasis()))("%s: states with their words' weights", (_, compared) => {
  for (const { got, want } of compared) expect(largestDifference(got, want)).toBeLessThan(5e-6);
});

test("a mean that is nothing but rounding gives no factor", () => {
  const data = Float32Array.of(1, -1, 2, -2, 0.5, -0.5, 3, -3);
  const read = (emphasis: a1111.Emphasis, ...weights: number[]) =>
    a1111.emphasized([{ data, tokens: 4, width: 2 }], [{ ids: [1, 5, 6, 2], weights }], emphasis);
  expect(read("Original", 1, 1.3, 1, 1)).toMatchObject({ factor: null, mayDivideBy0: true });
  expect(read("Original", 1, 1, 1, 1)).toMatchObject({ factor: 1, mayDivideBy0: true });
  expect(read("No norm", 1, 1.3, 1, 1)).toMatchObject({ factor: 1, mayDivideBy0: false });
});

test("ComfyUI on transformers 5 leaves Chinese characters in their words; before, each was one", () => {
  const tokenizer = clipTokenizer(clipVocabulary());
  const prompt = "ein Café, 猫と犬 it's";
  const read = (cleaning: Cleaning) => {
    const [{ ids }] = comfyui.chunks(prompt, tokenizer, cleaning) as [Chunk];
    return ids.slice(1, ids.indexOf(tokenizer.end));
  };
  // CLIPTokenizer of transformers 5.23.0 on ComfyUI's sd1_tokenizer
  expect(read("fast")).toEqual([24524, 15304, 267, 163, 234, 104, 34671, 163, 232, 361, 585, 568]);
  expect(read("basic")).not.toEqual(read("fast"));
  expect(comfyui.cleaningsOf(prompt)).toEqual(["fast", "basic"]);
  expect(comfyui.cleaningsOf("a (red:1.3) house")).toEqual(["fast"]);
});

test("of an embedding that is not there ComfyUI keeps what follows its name, and commas at the name", () => {
  const tokenizer = clipTokenizer(clipVocabulary());
  const ids = (prompt: string) => comfyui.chunks(prompt, tokenizer)[0]!.ids;
  expect(ids("a embedding:gone, red hat")).toEqual(ids("a , red hat"));
  expect(ids("a embedding:gone red embedding:gone")).toEqual(ids("a red"));
  expect(ids("embedding:,gone red")).toEqual(ids("e red")); // its own slip: the name's length is cut off from the front
});
