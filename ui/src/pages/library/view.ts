// What of the library is shown, as it stands in the page's address: back, forward and reload keep it, and it can be sent to a friend.
// The names are the server's own (libraryFilter in src/server/api/library.ts).

import type { Bucket } from "../../../../src/server/api/library.ts";
import type { Filter } from "../../api.ts";

export type View = Filter & { sort?: string };

const texts = ["text", "reward", "seed", "from", "to", "rejected", "sort"] as const;
const lists = ["scores", "bucket", "host", "model", "folder"] as const;

export function readView(search: string): View {
  const params = new URLSearchParams(search);
  const one = texts.map((name) => [name, params.get(name) || undefined]);
  const many = lists.map((name) => [name, params.has(name) ? params.getAll(name) : undefined]);
  return Object.fromEntries([...one, ...many].filter(([, value]) => value !== undefined)) as View;
}

/** The same view gives the same text, whatever order it was put together in: it is the key of lists too. */
export function writeView(view: View): string {
  const params = new URLSearchParams();
  for (const name of texts) if (view[name]) params.set(name, view[name]);
  for (const name of lists) for (const item of view[name] ?? []) params.append(name, item);
  return params.toString();
}

export const withSearch = (path: string, view: View) => {
  const search = writeView(view);
  return search ? `${path}?${search}` : path;
};

/** What narrows the view; the order and the reward to look at do not. */
export const isFiltered = ({ sort: _sort, reward: _reward, ...filter }: View) => writeView(filter) !== "";

/** With or without one bucket. */
export function toggleBucket(view: View, bucket: Bucket): View {
  const now = view.bucket ?? [];
  const bucketsLeft = now.includes(bucket) ? now.filter((other) => other !== bucket) : [...now, bucket];
  return { ...view, bucket: bucketsLeft.length > 0 ? bucketsLeft : undefined };
}

export interface Range {
  readonly from?: number;
  readonly to?: number;
}

/** `ImageReward:0.5..` and the like, by reward. */
export function readRanges(view: View): Record<string, Range> {
  const entries = (view.scores ?? []).map((text) => {
    const [reward = "", range = ""] = splitAtLast(text, ":");
    const [from = "", to = ""] = range.split("..");
    return [reward, { ...(from && { from: Number(from) }), ...(to && { to: Number(to) }) }] as const;
  });
  return Object.fromEntries(entries);
}

export function withRange(view: View, reward: string, { from, to }: Range): View {
  const others = (view.scores ?? []).filter((text) => splitAtLast(text, ":")[0] !== reward);
  const own = from === undefined && to === undefined ? [] : [`${reward}:${from ?? ""}..${to ?? ""}`];
  const scores = [...others, ...own];
  return { ...view, scores: scores.length > 0 ? scores : undefined };
}

function splitAtLast(text: string, mark: string): [string, string] {
  const at = text.lastIndexOf(mark);
  return [text.slice(0, at), text.slice(at + 1)];
}
