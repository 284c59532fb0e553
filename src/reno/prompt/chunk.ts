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

/** Filled up to so many tokens with the last one's states: how A1111 and Forge make prompts of several lengths one batch. */
export function filledUp({ data, tokens, width }: Embedding, wanted: number): Embedding {
  if (tokens >= wanted) return { data, tokens, width };
  const filled = new Float32Array(wanted * width);
  filled.set(data);
  for (let at = tokens; at < wanted; at++) filled.set(data.subarray((tokens - 1) * width, tokens * width), at * width);
  return { data: filled, tokens: wanted, width };
}
