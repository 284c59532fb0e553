// The words of the shapes world as a BERT vocabulary: one token a line, its id the number of the line.

import { colourNames, groundNames, plural, shapeNames, sizeNames } from "./scene.ts";

const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const grammar = [",", "a", "two", "three", "and", "on", "of", "left", "right", "above", "below"];

/** Every word and the comma. */
export const words: readonly string[] = [
  ...grammar,
  ...sizeNames,
  ...colourNames,
  ...groundNames,
  ...shapeNames,
  ...shapeNames.map(plural),
];

export const vocabulary: readonly string[] = [...special, ...words];

/** BLIP adds [DEC] and [ENC] behind the vocabulary; no sentence uses them, but the embedding has rows for them. */
export const embeddingRows = vocabulary.length + 2;

/** "a small red circle left of a large blue square and a small green cross on white": no sentence is longer. */
export const longestSentence = 19; // tokens, with [CLS] and [SEP]

const ids = new Map(vocabulary.map((token, id) => [token, id]));

/** The file vocab.txt, as BERT tokenizers read it. */
export const vocabularyFile = (): string => `${vocabulary.join("\n")}\n`;

/** Token ids of a sentence of this world, with [CLS] and [SEP]: what a BERT tokenizer makes of it with the same vocabulary. */
export function tokenIds(sentence: string): number[] {
  const words = sentence.toLowerCase().match(/\w+|[^\w\s]/g) ?? [];
  return ["[CLS]", ...words, "[SEP]"].map((word) => ids.get(word) ?? ids.get("[UNK]")!);
}
