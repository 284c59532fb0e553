// CLIP's byte-pair encoding (Radford et al. 2021), as transformers 4.57.1 does it (models/clip/tokenization_clip.py): words cut by
// a pattern, each word's bytes joined pair by pair in the order of the merges.

import { WeightError } from "../errors.ts";
import { fixText } from "./fixText.ts";

/** What turns a typed prompt into the text that is cut into words. The hosts differ, and it shows on odd prompts only. */
export type Cleaning = "ftfy" | "basic" | "fast";

export interface ClipTokenizer {
  /** A text's ids, without begin and end. `padIsText`: a padding token typed in the prompt is a word as any other, as in open_clip. */
  encode(text: string, options?: { cleaning?: Cleaning; padIsText?: boolean }): number[];
  /** What a model is given: begin, the text cut off where it is too long, end, and padding; `length` ids. */
  padded(text: string): number[];
  readonly begin: number;
  readonly end: number;
  readonly pad: number;
  /** Places in a chunk, begin and end among them: 77. */
  readonly length: number;
  /** One more than the largest id. */
  readonly size: number;
}

export interface ClipVocabulary {
  /** Each token's id. */
  readonly ids: ReadonlyMap<string, number>;
  /** Pairs as "a b", the most frequent first. */
  readonly merges: readonly string[];
}

export interface ClipTokenizerOptions {
  /** Where the vocabulary came from, for messages. */
  readonly name?: string | undefined;
  readonly begin?: string | undefined;
  readonly end?: string | undefined;
  /** Stands for what the vocabulary has not; none of CLIP's bytes is such. */
  readonly unknown?: string | undefined;
  /** The end again in SD1's files, "!" in SD2's: there every "!" of a prompt becomes padding too, since special tokens are found first. */
  readonly pad?: string | undefined;
  /** Further tokens that are found in a prompt as they are typed. */
  readonly added?: readonly string[] | undefined;
  readonly length?: number | undefined;
  readonly cleaning?: Cleaning | undefined;
}

const BEGIN = "<|startoftext|>";
const END = "<|endoftext|>";
const PLACES = 77;

/** The words of a cleaned text: contractions, runs of letters, single digits, runs of anything else. Case is ignored: "ſ" is an s too. */
const WORDS = /<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\p{White_Space}\p{L}\p{N}]+/giu;
/** CLIPTokenizerFast minds the case. */
const WORDS_FAST = new RegExp(WORDS.source, "gu");

export function clipTokenizer(vocabulary: ClipVocabulary, options: ClipTokenizerOptions = {}): ClipTokenizer {
  const { name = "the tokenizer", begin = BEGIN, end = END, length = PLACES, cleaning: usual = "ftfy" } = options;
  const { pad = end, unknown = end, added = [] } = options;
  const idOf = (token: string) => {
    const id = vocabulary.ids.get(token);
    if (id !== undefined) return id;
    throw new WeightError(
      `${name}: the vocabulary of ${vocabulary.ids.size} tokens has no "${token}", which marks a place.`,
      { hint: "Take vocab.json, merges.txt and tokenizer_config.json from the same model." },
    );
  };
  const ids = { begin: idOf(begin), end: idOf(end), pad: idOf(pad), unknown: idOf(unknown) };
  const specials = specialPattern([begin, end, pad, unknown, ...added]);
  const specialsButPad = specialPattern(
    [begin, end, unknown, ...added].filter((token) => token !== pad || token === end),
  );
  const join = bytePairs(vocabulary);

  function encode(text: string, { cleaning = usual, padIsText = false } = {}): number[] {
    const pattern = padIsText ? specialsButPad : specials;
    return text.split(pattern).flatMap((part, i) => {
      if (i % 2 === 1) return [idOf(part)];
      const words = cleanings[cleaning](part).match(cleaning === "fast" ? WORDS_FAST : WORDS) ?? [];
      return words.flatMap((word) => join(word)).map((token) => vocabulary.ids.get(token) ?? ids.unknown);
    });
  }
  function padded(text: string): number[] {
    const real = [ids.begin, ...encode(text).slice(0, length - 2), ids.end];
    return [...real, ...Array<number>(length - real.length).fill(ids.pad)];
  }
  const size = 1 + Math.max(...vocabulary.ids.values());
  return { encode, padded, begin: ids.begin, end: ids.end, pad: ids.pad, length, size };
}

/** Special tokens are found in the prompt as it is typed, before anything else; the longest first. */
function specialPattern(tokens: readonly string[]): RegExp {
  const unique = [...new Set(tokens)].sort((a, b) => b.length - a.length);
  return new RegExp(`(${unique.map((token) => token.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|")})`);
}

const cleanings: Readonly<Record<Cleaning, (text: string) => string>> = {
  /** CLIPTokenizer where the ftfy package is installed: with A1111, Forge and ReNO. */
  ftfy: (text) => fixText(text).replace(SPACES, " ").trim().toLowerCase(),
  /** CLIPTokenizer where it is not, as with ComfyUI on transformers before 5: BERT's cleaning, with accents and punctuation left alone. */
  basic: (text) => text.replace(DROPPED, "").replace(CHINESE, " $& ").normalize("NFC").toLowerCase(),
  /** CLIPTokenizerFast, as transformers' CLIPProcessor has it; from transformers 5 on every CLIPTokenizer. */
  fast: (text) => lowerEach(text.normalize("NFC").replace(SPACES, " ")),
};

const SPACES = /\p{White_Space}+/gu;

/** What Python calls category C, but tabs and line ends, which are spaces; and the replacement character. */
const DROPPED = /(?![\t\n\r])[\p{C}\ufffd]/gu;

/** tokenization_clip.py, _is_chinese_char: each is a word of its own. */
const CHINESE =
  /[\u{4e00}-\u{9fff}\u{3400}-\u{4dbf}\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b820}-\u{2ceaf}\u{f900}-\u{faff}\u{2f800}-\u{2fa1f}]/gu;

/** Character by character, as Rust does it there: a final Σ becomes σ and not ς. */
const lowerEach = (text: string) =>
  text.replace(/\p{Changes_When_Lowercased}/gu, (character) => character.toLowerCase());

/** Splits a word into tokens: its bytes as letters, the last one marked, and again and again the pair joined that merges list first. */
function bytePairs({ merges, ids }: ClipVocabulary): (word: string) => readonly string[] {
  const ranks = new Map(merges.map((pair, rank) => [pair, rank]));
  const known = new Map<string, readonly string[]>();
  return (word) => {
    const found = known.get(word);
    if (found) return found;
    const tokens = isWhole(word) ? [word] : merge(lettersOf(word), ranks);
    if (known.size < REMEMBERED) known.set(word, tokens);
    return tokens;
  };

  function isWhole(word: string): boolean {
    return (word === BEGIN || word === END) && ids.has(word);
  }
}

/** Words kept with their tokens: prompts repeat themselves, but a server must not grow with them. */
const REMEMBERED = 10_000;

function merge(parts: string[], ranks: ReadonlyMap<string, number>): string[] {
  while (parts.length > 1) {
    const best = lowestPair(parts, ranks);
    if (best === undefined) break;
    const [first, second] = best;
    const joined: string[] = [];
    for (let i = 0; i < parts.length; i++) {
      const meets = parts[i] === first && parts[i + 1] === second;
      joined.push(meets ? first + second : parts[i]!);
      if (meets) i++;
    }
    parts = joined;
  }
  return parts;
}

function lowestPair(
  parts: readonly string[],
  ranks: ReadonlyMap<string, number>,
): readonly [string, string] | undefined {
  let lowest = Number.POSITIVE_INFINITY;
  let best: readonly [string, string] | undefined;
  for (let i = 0; i + 1 < parts.length; i++) {
    const rank = ranks.get(`${parts[i]} ${parts[i + 1]}`) ?? Number.POSITIVE_INFINITY;
    if (rank < lowest) [lowest, best] = [rank, [parts[i]!, parts[i + 1]!]];
  }
  return best;
}

function lettersOf(word: string): string[] {
  const letters = Array.from(new TextEncoder().encode(word), (byte) => byteLetters[byte]!);
  letters.push(`${letters.pop()}${WORD_END}`);
  return letters;
}

export const WORD_END = "</w>";

/** GPT-2's letters for bytes: printable ones stand for themselves, the others for letters from U+0100 on (openai/gpt-2, encoder.py). */
export const byteLetters: readonly string[] = (() => {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(isPrintable(byte) ? byte : next++));
})();

function isPrintable(byte: number): boolean {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

/** The order of the single letters in CLIP's vocabulary: the printable bytes, then the others. */
export const byteOrder: readonly string[] = [
  ...byteLetters.filter((_, byte) => isPrintable(byte)),
  ...byteLetters.filter((_, byte) => !isPrintable(byte)),
];

/** CLIP's vocabulary follows from its merges: letters, letters at a word's end, what each merge makes, and the two marks. */
export function vocabularyOf(merges: readonly string[]): ClipVocabulary {
  const tokens = [
    ...byteOrder,
    ...byteOrder.map((letter) => letter + WORD_END),
    ...merges.map((pair) => pair.replace(" ", "")),
    BEGIN,
    END,
  ];
  return { merges, ids: new Map(tokens.map((token, id) => [token, id])) };
}
