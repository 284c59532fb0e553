// What tells two pictures' prompts and settings apart.

import type { InfoReply } from "../../../../src/server/api/pictures.ts";

/** A word or what lies between words; `own`: the other text has it not in this place. */
export interface Word {
  readonly text: string;
  readonly own: boolean;
  readonly at: number;
}

const MOST_WORDS = 1500; // the table below has their product

/** Both texts in words, those marked that are not part of the longest sequence that both share. */
export function wordsApart(a: string, b: string): [Word[], Word[]] {
  const [left, right] = [a, b].map((text) => (text.match(/\s+|[^\s,.;:()]+|[,.;:()]/g) ?? []).slice(0, MOST_WORDS));
  const common = longestCommon(left!, right!);
  return [marked(left!, new Set(common.map(([i]) => i))), marked(right!, new Set(common.map(([, j]) => j)))];
}

const marked = (words: readonly string[], shared: ReadonlySet<number>): Word[] =>
  words.map((text, at) => ({ text, own: !shared.has(at) && text.trim() !== "", at }));

/** Pairs of places. length[i][j]: how much the two have in common from i and j on. */
function longestCommon(a: readonly string[], b: readonly string[]): [number, number][] {
  const length = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      length[i]![j] = a[i] === b[j] ? length[i + 1]![j + 1]! + 1 : Math.max(length[i + 1]![j]!, length[i]![j + 1]!);
    }
  }
  const pairs: [number, number][] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) pairs.push([i++, j++]);
    else if (length[i + 1]![j]! >= length[i]![j + 1]!) i++;
    else j++;
  }
  return pairs;
}

export interface SettingsRow {
  readonly name: string;
  readonly a: string | undefined;
  readonly b: string | undefined;
  readonly same: boolean;
}

export function settingsRows(left: InfoReply, right: InfoReply): SettingsRow[] {
  const [a, b] = [left, right].map(({ negativePrompt, settings }) => ({
    ...(negativePrompt && { "Negative prompt": negativePrompt }),
    ...settings,
  })) as [Record<string, string>, Record<string, string>];
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return names.map((name) => ({ name, a: a[name], b: b[name], same: a[name] === b[name] }));
}
