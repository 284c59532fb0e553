import { expect, test } from "vitest";
import type { ClipTokenizer } from "../../../src/reno/clipTokenizer.ts";
import type { Embedding } from "../../../src/reno/pipeline.ts";
import * as a1111 from "../../../src/reno/prompt/a1111.ts";
import { type Chunk, joined } from "../../../src/reno/prompt/chunk.ts";
import * as comfyui from "../../../src/reno/prompt/comfyui.ts";
import { textsInTime } from "../../../src/reno/prompt/schedule.ts";
import expected from "../fixtures/hostPrompts.json" with { type: "json" };

/** As test/reference/host_prompts.py numbers words: only weights and places are looked at. */
const tokenizer: ClipTokenizer = {
  encode: (text) =>
    (text.match(/[^\s,]+|,/g) ?? []).map((word) => [...word].reduce((sum, c) => sum + c.codePointAt(0)!, 0)),
  padded: () => [],
  begin: 1,
  end: 2,
  pad: 2,
  length: 77,
  size: 50_000,
};

const pairs = (pieces: readonly a1111.WeightedText[]) => pieces.map(({ text, weight }) => [text, weight]);
const plain = (chunks: readonly Chunk[]) => chunks.map(({ ids, weights }) => [ids, weights]);

test.each(expected.weighted)("weights of $prompt", ({ prompt, forge, comfyui: comfy }) => {
  expect(pairs(a1111.weighted(prompt))).toEqual(forge);
  expect(pairs(comfyui.weighted(prompt))).toEqual(comfy);
});

test.each(expected.chunks)("chunks of $prompt", ({ prompt, forge, comfyui: comfy }) => {
  expect(plain(a1111.chunks(prompt, tokenizer))).toEqual(forge);
  expect(plain(comfyui.chunks(prompt, tokenizer))).toEqual(comfy);
});

test.each(expected.timed)("$prompt in time", ({ prompt, texts }) => {
  expect([1, 2].map((steps) => textsInTime(prompt, steps))).toEqual(texts);
});

const states = (row: number): Embedding => ({
  data: Float32Array.from({ length: 8 }, (_, i) => Math.sin(1 + row + 3 * Math.floor(i / 2) + 7 * (i % 2)) + 0.3),
  tokens: 4,
  width: 2,
});
const chunk = (...weights: number[]): Chunk => ({ ids: [1, 5, 6, 2], weights });
const near = (found: Embedding, wanted: readonly (readonly number[])[]) =>
  wanted.flat().forEach((value, i) => {
    expect(found.data[i]).toBeCloseTo(value, 5);
  });

test("Original brings the mean over all texts back", () => {
  const both = [states(0), states(1)];
  const chunks = [chunk(1, 1.3, 0.8, 1), chunk(1, 1, 1.5, 1)];
  const { states: raised, factor } = a1111.emphasized(both, chunks, "Original");
  raised.forEach((state, i) => {
    near(
      a1111.scaled(state, () => factor!),
      expected.emphasized.original[i]!,
    );
  });
});

test("a mean that is nothing but rounding gives no factor", () => {
  const data = Float32Array.of(1, -1, 2, -2, 0.5, -0.5, 3, -3);
  const found = a1111.emphasized([{ data, tokens: 4, width: 2 }], [chunk(1, 1.3, 1, 1)], "Original");
  expect(found.factor).toBeNull();
  expect(a1111.emphasized([{ data, tokens: 4, width: 2 }], [chunk(1, 1, 1, 1)], "Original").factor).toBe(1);
});

test("ComfyUI moves states away from the empty prompt's", () => {
  near(joined(comfyui.emphasized([states(0)], states(1), [chunk(1, 1.3, 0.8, 1)])), expected.emphasized.comfyui[0]!);
});
