// Which pictures are chosen: some by id, or all that the view lets through (of which not all need to have been fetched).

import type { LibraryItem } from "../../../../src/server/api/library.ts";
import type { View } from "./view.ts";

export interface Selection {
  readonly all: boolean;
  readonly ids: ReadonlySet<string>;
  /** Where a range begins: the picture that was clicked last without Shift. */
  readonly anchor: number;
}

export const nothing: Selection = { all: false, ids: new Set(), anchor: 0 };
export const everything: Selection = { all: true, ids: new Set(), anchor: 0 };

export const isSelected = ({ all, ids }: Selection, id: string) => all || ids.has(id);

export const countOf = ({ all, ids }: Selection, total: number) => (all ? total : ids.size);

/** This one and no other. */
export const only = (items: readonly LibraryItem[], index: number): Selection => ({
  all: false,
  ids: idsBetween(items, index, index),
  anchor: index,
});

/** This one in or out, the others as they are. After "all", taking one out keeps those fetched so far. */
export function toggled(now: Selection, items: readonly LibraryItem[], index: number): Selection {
  const ids = new Set(now.all ? items.map(({ id }) => id) : now.ids);
  for (const id of idsBetween(items, index, index)) if (!ids.delete(id)) ids.add(id);
  return { all: false, ids, anchor: index };
}

/** From the anchor to here. */
export const upTo = ({ anchor }: Selection, items: readonly LibraryItem[], index: number): Selection => ({
  all: false,
  ids: idsBetween(items, anchor, index),
  anchor,
});

/** As the server's bulk actions take it. */
export const asRequest = ({ all, ids }: Selection, { sort: _sort, ...filter }: View) =>
  all ? { filter } : { ids: [...ids] };

function idsBetween(items: readonly LibraryItem[], one: number, other: number): Set<string> {
  return new Set(items.slice(Math.min(one, other), Math.max(one, other) + 1).map(({ id }) => id));
}
