// Ids by transformers' tokenizers, of prompts such as people write and such as break things: fixtures/tokens.json, by
// test/reference/pipeline.py.

import { readFile } from "node:fs/promises";
import { type Cleaning, clipTokenizer } from "../../src/reno/clipTokenizer.ts";
import { clipVocabulary } from "../../src/reno/clipVocabulary.ts";

/** A cleaning that is not stored gives what ftfy gives. */
type Case = { readonly prompt: string; readonly padded: number[] } & Readonly<Record<Cleaning, number[]>>;

const { prompts }: { prompts: Case[] } = JSON.parse(
  await readFile(new URL("../reno/fixtures/tokens.json", import.meta.url), "utf8"),
);

export const vocabulary = clipVocabulary();
export const tokenizer = clipTokenizer(vocabulary);
export const padsWithMark = clipTokenizer(vocabulary, { pad: "!" });
export const cleanings = ["ftfy", "basic", "fast"] as const;

// What is not done: text that was decoded wrongly is left so, and the fast tokenizer finds special tokens in capitals.
const unlike: Readonly<Partial<Record<Cleaning, readonly string[]>>> = {
  ftfy: ["â€œmojibakeâ€\u009d Ã© schÃ¶n"],
  fast: ["!<|EndOfText|>"],
};

export interface Ids {
  readonly prompt: string;
  readonly got: readonly number[];
  readonly want: readonly number[];
}

const comparable = (cleaning: Cleaning) => prompts.filter(({ prompt }) => !unlike[cleaning]?.includes(prompt));

export const cleanedIds = (cleaning: Cleaning): Ids[] =>
  comparable(cleaning).map((stored) => ({
    prompt: stored.prompt,
    got: tokenizer.encode(stored.prompt, { cleaning }),
    want: stored[cleaning] ?? stored.ftfy,
  }));

/** As diffusers pads. */
export const paddedIds = (): Ids[] =>
  comparable("ftfy").map(({ prompt, padded }) => ({
    prompt,
    got: padsWithMark.padded(prompt),
    want: [...padded, ...Array<number>(77 - padded.length).fill(0)],
  }));
