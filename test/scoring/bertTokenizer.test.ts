import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadBertTokenizer } from "../../src/scoring/bertTokenizer.ts";

interface Case {
  prompt: string;
  times: number;
  length: number;
  ids: number[];
  mask: number[];
}

const record = JSON.parse(readFileSync(new URL("fixtures/tokens.json", import.meta.url), "utf8"));
const tokenizer = loadBertTokenizer();

test("the vocabulary is bert-base-uncased's, and two tokens more", () => {
  const { vocabulary } = tokenizer;
  expect(vocabulary.slice(30522)).toEqual(["[DEC]", "[ENC]"]);
  const text = `${vocabulary.slice(0, record.vocabulary.lines).join("\n")}\n`;
  expect(createHash("sha256").update(text).digest("hex")).toBe(record.vocabulary.sha256);
  expect(tokenizer.size).toBe(record.size);
});

for (const { prompt, times, length, ids, mask } of record.cases as Case[]) {
  test(`${JSON.stringify(prompt).slice(0, 60)} x ${times} in ${length} places: transformers' ids`, () => {
    const encoded = tokenizer.encode(prompt.repeat(times), length);
    expect(encoded.ids).toEqual(ids);
    expect(encoded.mask).toEqual(mask);
    expect(encoded.length).toBe(mask.filter(Boolean).length);
  });
}

test("a prompt of 10,000 words takes no time to speak of", () => {
  const prompt = "a photograph of an astronaut, ".repeat(2000);
  const start = performance.now();
  expect(tokenizer.encode(prompt, 35).ids.at(-1)).toBe(102);
  expect(performance.now() - start).toBeLessThan(200);
});

test("a vocabulary of one's own, with [DEC] and [ENC] after it", () => {
  const small = loadBertTokenizer({ vocabulary: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "red", "circ", "##le"] });
  expect(small.size).toBe(10);
  expect(small.encode("A red circle sings [ENC]", 10)).toEqual({
    ids: [2, 4, 5, 6, 7, 1, 9, 3, 0, 0],
    mask: [1, 1, 1, 1, 1, 1, 1, 1, 0, 0],
    length: 8,
  });
});

test("a vocabulary without BERT's own tokens is refused", () => {
  expect(() => loadBertTokenizer({ vocabulary: ["[PAD]", "[UNK]", "red"] })).toThrow("of 3 tokens lacks [CLS], [SEP]");
});
