// What Forge's and ComfyUI's own code makes of prompts: fixtures/hostPrompts.json, by test/reference/host_prompts.py; and
// what ours makes of them.

import type { ClipTokenizer } from "../../src/reno/clipTokenizer.ts";
import type { Embedding } from "../../src/reno/pipeline.ts";
import * as a1111 from "../../src/reno/prompt/a1111.ts";
import { type Chunk, joined } from "../../src/reno/prompt/chunk.ts";
import * as comfyui from "../../src/reno/prompt/comfyui.ts";
import { textsInTime } from "../../src/reno/prompt/schedule.ts";
import expected from "../reno/fixtures/hostPrompts.json" with { type: "json" };

/** As the script numbers words: only weights and places are looked at. */
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

/** Of each prompt: the words' weights, the chunks with their ids, and its texts in one step and in two. */
export const readings = {
  weighted: (prompt: string): unknown => ({
    forge: pairs(a1111.weighted(prompt)),
    comfyui: pairs(comfyui.weighted(prompt)),
  }),
  chunks: (prompt: string): unknown => ({
    forge: plain(a1111.chunks(prompt, tokenizer)),
    comfyui: plain(comfyui.chunks(prompt, tokenizer)),
  }),
  timed: (prompt: string): unknown => ({ texts: [1, 2].map((steps) => textsInTime(prompt, steps)) }),
};

type Reading = keyof typeof readings;

/** What the hosts make of each prompt. */
export const wanted = Object.entries(readings).flatMap(([reading]) =>
  expected[reading as Reading].map(({ prompt, ...want }) => ({ reading: reading as Reading, prompt, want })),
);

const states = (row: number): Embedding => ({
  data: Float32Array.from({ length: 8 }, (_, i) => Math.sin(1 + row + 3 * Math.floor(i / 2) + 7 * (i % 2)) + 0.3),
  tokens: 4,
  width: 2,
});
const chunk = (...weights: number[]): Chunk => ({ ids: [1, 5, 6, 2], weights });

/** States of tokens with their words' weights applied: Forge's of two chunks, and ComfyUI's of one. */
export function emphasis() {
  const chunks = [chunk(1, 1.3, 0.8, 1), chunk(1, 1, 1.5, 1)];
  const { states: raised, factor } = a1111.emphasized([states(0), states(1)], chunks, "Original");
  const forge = raised.map((state) => a1111.scaled(state, () => factor!));
  const comfy = joined(comfyui.emphasized([states(0)], states(1), chunks.slice(0, 1)));
  return {
    forge: forge.map(({ data }, i) => ({ got: data, want: expected.emphasized.original[i]!.flat() })),
    comfyui: [{ got: comfy.data, want: expected.emphasized.comfyui[0]!.flat() }],
  };
}
