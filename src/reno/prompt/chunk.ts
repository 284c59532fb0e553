// Prompts longer than a text encoder's 77 places go to it in chunks, and their tokens have weights.

import type { Embedding } from "../pipeline.ts";

/** As many ids as the encoder has places, each with its weight. */
export interface Chunk {
  readonly ids: readonly number[];
  readonly weights: readonly number[];
}

/** The states of several chunks, one after the other. */
export function joined(parts: readonly Embedding[]): Embedding {
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.data.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { data, tokens: parts.reduce((sum, { tokens }) => sum + tokens, 0), width: parts[0]!.width };
}
