// Our tokenizer against transformers', and the folders that it reads.

import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { vocabularyOf } from "../../src/reno/clipTokenizer.ts";
import { readClipTokenizer } from "../../src/reno/clipVocabulary.ts";
import { cleanedIds, cleanings, paddedIds, padsWithMark, tokenizer, vocabulary } from "../support/clipTokens.ts";

test("the vocabulary is OpenAI's", () => {
  expect(tokenizer.size).toBe(49408);
  expect([tokenizer.begin, tokenizer.end, tokenizer.pad, padsWithMark.pad]).toEqual([49406, 49407, 49407, 0]);
  const merges = `#version: 0.2\n${vocabulary.merges.join("\n")}\n`;
  expect(createHash("sha256").update(merges).digest("hex")).toBe(
    "9fd691f7c8039210e0fced15865466c65820d09b63988b0174bfe25de299051a",
  );
});

test.each(cleanings)("the ids of prompts are transformers', cleaned by %s", (cleaning) => {
  const compared = cleanedIds(cleaning);
  expect(compared.length).toBeGreaterThan(220);
  for (const { prompt, got, want } of compared) expect([prompt, ...got]).toEqual([prompt, ...want]);
});

test("padded as diffusers does, where every ! is padding too", () => {
  for (const { prompt, got, want } of paddedIds()) {
    expect(got).toHaveLength(77);
    expect([prompt, ...got]).toEqual([prompt, ...want]);
  }
});

test("a prompt that is too long keeps its end", () => {
  const ids = tokenizer.padded("very ".repeat(200));
  expect(ids).toHaveLength(77);
  expect(ids.at(-1)).toBe(49407);
  expect(ids[75]).toBe(tokenizer.encode("very")[0]);
});

test("padding that is text is read as text, as open_clip does", () => {
  expect(padsWithMark.encode("wow!")).toEqual([2781, 0]);
  expect(padsWithMark.encode("wow!", { padIsText: true })).toEqual([2781, 256]);
});

test("a prompt of 20,000 words takes no time to speak of", () => {
  const start = performance.now();
  expect(tokenizer.padded("photograph of an astronaut, ".repeat(5000))).toHaveLength(77);
  expect(performance.now() - start).toBeLessThan(1000);
});

async function folderOf(files: Record<string, unknown>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "renoir-tokenizer-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
  }
  return folder;
}

const small = vocabularyOf(["r e", "re d</w>"]);
const vocab = Object.fromEntries(small.ids);

test("a small vocabulary, from vocab.json and merges.txt", async () => {
  const tiny = await readClipTokenizer(
    await folderOf({ "vocab.json": vocab, "merges.txt": "#version: 0.2\nr e\nre d</w>" }),
    16,
  );
  expect(tiny.length).toBe(16);
  expect(tiny.padded("Red").slice(0, 4)).toEqual([514, 513, 515, 515]);
});

test("the same from tokenizer.json, with merges as pairs, and tokens added", async () => {
  const model = {
    vocab,
    merges: [
      ["r", "e"],
      ["re", "d</w>"],
    ],
    end_of_word_suffix: "</w>",
  };
  const config = {
    pad_token: "!",
    model_max_length: 8,
    added_tokens_decoder: { 0: { content: "!" }, 516: { content: "<cat>" } },
  };
  const folder = await folderOf({
    "tokenizer.json": { model },
    "tokenizer_config.json": config,
    "special_tokens_map.json": { pad_token: "<|endoftext|>" }, // no longer read where tokens added are listed
  });
  const tiny = await readClipTokenizer(folder, 77);
  expect(tiny.padded("red! <cat>red")).toEqual([514, 513, 0, 516, 513, 515, 0, 0]);
});

test.each<[Record<string, unknown>, string]>([
  [{}, "has no vocabulary: neither vocab.json with merges.txt nor tokenizer.json"],
  [{ "vocab.json": { a: -1 }, "merges.txt": "" }, "vocab.json is no vocabulary"],
  [{ "vocab.json": { a: 0 }, "merges.txt": "" }, 'the vocabulary of 1 tokens has no "<|startoftext|>"'],
  [{ "vocab.json": "{", "merges.txt": "" }, "vocab.json is not JSON"],
  [{ "vocab.json": "[]", "merges.txt": "" }, "vocab.json holds [], but a JSON object was wanted"],
  [{ "tokenizer.json": { model: { type: "WordPiece" } } }, "tokenizer.json is no tokenizer of CLIP's kind: model."],
])("%j is refused in words", async (files, message) => {
  await expect(readClipTokenizer(await folderOf(files), 77)).rejects.toThrow(message);
});
