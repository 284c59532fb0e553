// Prompts as ComfyUI weighs and cuts them (a125cd84, comfy/sd1_clip.py): only round brackets weigh, a weight in them is the weight
// and not a factor, and a token's states move away from those of the empty prompt.

import type { Cleaning, ClipTokenizer } from "../clipTokenizer.ts";
import type { Embedding } from "../pipeline.ts";
import type { WeightedText } from "./a1111.ts";
import type { Chunk } from "./chunk.ts";

const escapes = { close: "\0\u0001", open: "\0\u0002" } as const;
const bracketWeight = 1.1;

export function weighted(prompt: string): WeightedText[] {
  const escaped = prompt.replaceAll("\\)", escapes.close).replaceAll("\\(", escapes.open);
  const pieces = withWeights(escaped, 1, 0);
  return pieces.map(({ text, weight }) => ({
    text: text.replaceAll(escapes.close, ")").replaceAll(escapes.open, "("),
    weight,
  }));
}

/** Deeper brackets are text: Python itself ends near 1000 calls. */
const maxDepth = 300;

function withWeights(text: string, weight: number, depth: number): WeightedText[] {
  return atBrackets(text).flatMap((part) => {
    const inBrackets = part.length >= 2 && part.startsWith("(") && part.endsWith(")") && depth < maxDepth;
    if (!inBrackets) return [{ text: part, weight }];
    const inner = part.slice(1, -1);
    const colon = inner.lastIndexOf(":");
    const given = colon > 0 ? pythonFloat(inner.slice(colon + 1)) : undefined;
    return given === undefined
      ? withWeights(inner, weight * bracketWeight, depth + 1)
      : withWeights(inner.slice(0, colon), given, depth + 1);
  });
}

/** The outermost brackets, each a part with what is in it; a bracket that closes none lowers the level below 0, and what follows stays one part. */
function atBrackets(text: string): string[] {
  const parts: string[] = [];
  let part = "";
  let level = 0;
  for (const char of text) {
    if (char === "(" && level === 0 && part !== "") {
      parts.push(part);
      part = "";
    }
    part += char;
    if (char === "(") level++;
    if (char === ")" && --level === 0) {
      parts.push(part);
      part = "";
    }
  }
  return part === "" ? parts : [...parts, part];
}

function pythonFloat(text: string): number | undefined {
  const number = text.trim();
  if (/^[+-]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+)?$/i.test(number)) {
    return Number(number.replaceAll("_", ""));
  }
  const special = /^([+-]?)(inf|infinity|nan)$/i.exec(number);
  if (!special) return undefined;
  return /nan/i.test(special[2]!) ? Number.NaN : special[1] === "-" ? -Infinity : Infinity;
}

const EMBEDDING = /(?: |\n)embedding:/;

/** Whether the prompt names files of textual inversion, which are not read here: they are left out, as ComfyUI does with those it lacks. */
export const namesEmbeddings = (prompt: string): boolean => /(?:^|[ \n])embedding:/.test(prompt);

/** What is left to tokenize of a piece; commas after an embedding's name are text again (_try_get_embedding). */
function wordsOf(text: string): string[] {
  const [first, ...named] = text.split(EMBEDDING);
  const parts = [first!, ...named.map((rest) => `embedding:${rest}`)].filter((part) => part !== "");
  return parts.flatMap((part) => {
    if (!part.startsWith("embedding:")) return [part];
    const [name = "", ...rest] = part.slice("embedding:".length).trim().split(/\s+/);
    const bare = name.replace(/^,+|,+$/g, "");
    const left = [...(bare === name ? [] : [name.slice(bare.length)]), rest.join(" ")].join(" ");
    return left === "" ? [] : [left];
  });
}

/** Pieces with fewer tokens are not cut in two, but begin the next chunk. */
const largePiece = 8;

/** How ComfyUI's tokenizer cleans a prompt, by its transformers: from version 5 on, and before. Plain English comes out the same. */
export const cleaningsOf = (prompt: string): Cleaning[] =>
  /^[\x20-\x7e]*$/.test(prompt) ? ["fast"] : ["fast", "basic"];

/** Chunks of at most 75 tokens between begin and end, padded; a piece is what has one weight. */
export function chunks(prompt: string, tokenizer: ClipTokenizer, cleaning: Cleaning = "fast"): Chunk[] {
  const { begin, length } = tokenizer;
  const pieces = weighted(prompt).flatMap(({ text, weight }) =>
    wordsOf(text).map((word) => ({ ids: tokenizer.encode(word, { cleaning, padIsText: true }), weight })),
  );
  const open: { ids: number[]; weights: number[] }[] = [{ ids: [begin], weights: [1] }];
  for (const { ids, weight } of pieces) {
    const isLarge = ids.length >= largePiece;
    for (let rest = ids; rest.length > 0; ) {
      const chunk = open.at(-1)!;
      const room = length - 1 - chunk.ids.length;
      const fits = rest.length <= room;
      const now = fits ? rest : isLarge ? rest.slice(0, room) : [];
      chunk.ids.push(...now);
      chunk.weights.push(...now.map(() => weight));
      rest = rest.slice(now.length);
      if (!fits) open.push({ ids: [begin], weights: [1] });
    }
  }
  return open.map((chunk) => closed(chunk, tokenizer));
}

export const emptyChunk = (tokenizer: ClipTokenizer): Chunk =>
  closed({ ids: [tokenizer.begin], weights: [1] }, tokenizer);

function closed({ ids, weights }: Chunk, { end, pad, length }: ClipTokenizer): Chunk {
  const padding = Array<number>(length - ids.length - 1).fill(pad);
  return { ids: [...ids, end, ...padding], weights: [...weights, 1, ...padding.map(() => 1)] };
}

export const hasWeights = (chunks: readonly Chunk[]): boolean =>
  chunks.some(({ weights }) => weights.some((weight) => weight !== 1));

/** (states − states of the empty prompt) · weight + states of the empty prompt, token by token. */
export function emphasized(states: readonly Embedding[], empty: Embedding, chunks: readonly Chunk[]): Embedding[] {
  return states.map(({ data, tokens, width }, k) => {
    const { weights } = chunks[k]!;
    const moved = data.map((value, i) => {
      const weight = weights[Math.floor(i / width)]!;
      return weight === 1 ? value : (value - empty.data[i]!) * weight + empty.data[i]!;
    });
    return { data: moved, tokens, width };
  });
}
