// Prompts as A1111 and Forge weigh and cut them (Forge dfdcbab6, backend/text_processing/{parsing,classic_engine,emphasis}.py).

import type { ClipTokenizer } from "../clipTokenizer.ts";
import type { Embedding } from "../pipeline.ts";
import type { Chunk } from "./chunk.ts";

/** The option "Emphasis mode"; infotext names it where it is not the first. */
export const emphases = ["Original", "No norm", "Ignore", "None"] as const;
export type Emphasis = (typeof emphases)[number];

export interface WeightedText {
  text: string;
  weight: number;
}

/** "BREAK" in capitals is a piece of its own with this weight. In brackets it gets another one, and is a word. */
const breakWeight = -1;
const bracket = { round: 1.1, square: 1 / 1.1 } as const;

const PIECE = /\\\(|\\\)|\\\[|\\]|\\\\|\\|\(|\[|:\s*([+-]?[.\d]+)\s*\)|\)|]|[^\\()[\]:]+|:/g;
const BREAK = /\s*(?<![\p{L}\p{N}_])BREAK(?![\p{L}\p{N}_])\s*/gu;

/** (a) times 1.1, [a] divided by 1.1, (a:1.3) times 1.3, backslashes before brackets; what is not closed ends with the prompt. */
export function weighted(prompt: string, emphasis: Emphasis = "Original"): WeightedText[] {
  if (emphasis === "None") return [{ text: prompt, weight: 1 }];
  const pieces: WeightedText[] = [];
  const open: Record<keyof typeof bracket, number[]> = { round: [], square: [] };
  const close = (from: number, factor: number) => {
    for (const piece of pieces.slice(from)) piece.weight *= factor;
  };
  for (const [piece, weight] of prompt.matchAll(PIECE)) {
    if (piece.startsWith("\\")) pieces.push({ text: piece.slice(1), weight: 1 });
    else if (piece === "(") open.round.push(pieces.length);
    else if (piece === "[") open.square.push(pieces.length);
    else if (weight !== undefined && open.round.length > 0) close(open.round.pop()!, Number(weight));
    else if (piece === ")" && open.round.length > 0) close(open.round.pop()!, bracket.round);
    else if (piece === "]" && open.square.length > 0) close(open.square.pop()!, bracket.square);
    else pieces.push(...atBreaks(piece));
  }
  for (const kind of ["round", "square"] as const) for (const from of open[kind]) close(from, bracket[kind]);
  return merged(pieces);
}

function atBreaks(text: string): WeightedText[] {
  const parts = text.split(BREAK).map((part) => ({ text: part, weight: 1 }));
  return parts.flatMap((part, i) => (i === 0 ? [part] : [{ text: "BREAK", weight: breakWeight }, part]));
}

/** Neighbours of one weight are tokenized together. */
function merged(pieces: readonly WeightedText[]): WeightedText[] {
  const result: WeightedText[] = [];
  for (const { text, weight } of pieces) {
    const last = result.at(-1);
    if (last?.weight === weight) last.text += text;
    else result.push({ text, weight });
  }
  return result.length > 0 ? result : [{ text: "", weight: 1 }];
}

/** The option "Prompt word wrap length limit": a chunk that is full is cut at a comma so near to its end. */
const commaReach = 20;

/** Chunks of 75 tokens between begin and end; a chunk ends at BREAK, when it is full, or at a comma shortly before. */
export function chunks(prompt: string, tokenizer: ClipTokenizer, emphasis: Emphasis = "Original"): Chunk[] {
  const room = tokenizer.length - 2;
  const comma = tokenizer.encode(",")[0];
  const finished: Chunk[] = [];
  let tokens: (readonly [id: number, weight: number])[] = [];
  let lastComma = -1;
  const finish = (kept = tokens.length) => {
    finished.push(framed(tokens.slice(0, kept), tokenizer));
    tokens = tokens.slice(kept);
    lastComma = -1;
  };
  for (const { text, weight } of weighted(prompt, emphasis)) {
    if (text === "BREAK" && weight === breakWeight) {
      finish();
      continue;
    }
    for (const id of tokenizer.encode(text, { cleaning: "ftfy" })) {
      const full = tokens.length === room;
      if (id === comma) lastComma = tokens.length;
      else if (full && lastComma >= 0 && room - lastComma <= commaReach) finish(lastComma + 1);
      if (tokens.length === room) finish();
      tokens.push([id, weight]);
    }
  }
  if (tokens.length > 0 || finished.length === 0) finish();
  return finished;
}

/** A chunk without words: what a shorter text of several is filled up with. */
export const emptyChunk = (tokenizer: ClipTokenizer): Chunk => framed([], tokenizer);

/** Filled up with ends; where the model's padding is another token, it stands from the first end on. */
function framed(tokens: readonly (readonly [number, number])[], { begin, end, pad, length }: ClipTokenizer): Chunk {
  const filler = Array.from({ length: length - tokens.length - 1 }, () => [end, 1] as const);
  const all = [[begin, 1] as const, ...tokens, ...filler];
  const ids = all.map(([id]) => id);
  const padded = pad === end ? ids : ids.map((id, i) => (i > ids.indexOf(end) ? pad : id));
  return { ids: padded, weights: all.map(([, weight]) => weight) };
}

/** Each token's states times its weight, and the factor that "Original" then brings the mean back by, over all that is encoded at once. */
export interface Emphasized {
  readonly states: readonly Embedding[];
  /** null: both means are nothing but float32's rounding, and so is their quotient, which the host multiplied by all the same. */
  readonly factor: number | null;
  /** Whether the host may have divided by a mean of exactly 0, which it does without weights too. */
  readonly mayDivideBy0: boolean;
}

export function emphasized(states: readonly Embedding[], chunks: readonly Chunk[], emphasis: Emphasis): Emphasized {
  const isPlain = chunks.every(({ weights }) => weights.every((weight) => weight === 1));
  const weighs = !isPlain && (emphasis === "Original" || emphasis === "No norm");
  const raised = weighs ? states.map((state, i) => scaled(state, (place) => chunks[i]!.weights[place]!)) : states;
  if (emphasis !== "Original") return { states: raised, factor: 1, mayDivideBy0: false };
  const before = mean(states, (value) => value);
  const size = Math.sqrt(mean(states, (value) => value * value));
  const isRounding = Math.abs(before) < leastMean * size;
  const quotient = isRounding ? null : before / mean(raised, (value) => value);
  return { states: raised, factor: isPlain ? 1 : quotient, mayDivideBy0: isRounding };
}

export const scaled = (state: Embedding, factor: (place: number) => number): Embedding => ({
  ...state,
  data: state.data.map((value, i) => value * factor(Math.floor(i / state.width))),
});

/** Of the states' size: trained encoders have means of a tenth, those with random weights and no biases of a billionth. */
const leastMean = 1e-5;

function mean(states: readonly Embedding[], of: (value: number) => number): number {
  let sum = 0;
  for (const { data } of states) for (const value of data) sum += of(value);
  return sum / states.reduce((count, { data }) => count + data.length, 0);
}
