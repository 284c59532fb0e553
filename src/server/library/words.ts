// Full-text search: what is put into the index, and a person's words as a query of it (SQLite's FTS5, unicode61: words by letters
// and digits, without accents; a word finds all that begin with it). Scripts that have no spaces are indexed sign by sign.

const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/gu;

/** Signs of Chinese, Japanese and Thai as words of their own: a phrase of them finds them within a sentence. */
export const spaced = (text: string): string => text.replace(UNSPACED, " $& ");

export interface Search {
  /** FTS5's queries; every one must match. */
  readonly all: readonly string[];
  /** None of these may. */
  readonly none: readonly string[];
  /** Without any letter or digit, such as emoji, which the index does not hold: these must stand in prompt or name as they are. */
  readonly signs: readonly string[];
}

/** `red fox` both words, `"red fox"` side by side, `-blurry` without it. */
export function parseSearch(text: string): Search {
  const search = { all: [] as string[], none: [] as string[], signs: [] as string[] };
  for (const [, minus, phrase, word] of text.matchAll(/(-?)(?:"([^"]*)"?|([^\s"]+))/gu)) {
    const term = (phrase ?? word ?? "").trim();
    if (term === "") continue;
    if (!/[\p{L}\p{N}]/u.test(term)) search.signs.push(term);
    else (minus && (phrase ?? word) ? search.none : search.all).push(queryOf(term, phrase === undefined));
  }
  return search;
}

/** A string of FTS5's own grammar, so that nothing in it is an operator. */
const queryOf = (term: string, isWord: boolean) =>
  `"${spaced(term).replaceAll('"', '""').trim()}"${isWord ? " *" : ""}`;
