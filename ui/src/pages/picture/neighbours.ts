// The pictures before and after one, in the view of the library that it was opened from.

import { useEffect } from "react";
import { useLocation } from "wouter";
import type { LibraryItem } from "../../../../src/server/api/library.ts";
import { usePictures } from "../library/usePictures.ts";
import { type View, withSearch } from "../library/view.ts";

const SEARCHED = 10_000; // after a reload the list is fetched again; who stood deeper than this in it finds no neighbours
const AHEAD = 50;

export interface Neighbours {
  readonly before: LibraryItem | undefined;
  readonly after: LibraryItem | undefined;
  readonly index: number | undefined;
  readonly total: number | undefined;
  readonly goTo: (item: LibraryItem | undefined) => void;
  /** Where to go when this picture goes. */
  readonly leave: () => void;
}

export function useNeighbours(id: string, view: View): Neighbours {
  const [, navigate] = useLocation();
  const { list, items, total } = usePictures(view);
  const index = items.findIndex((item) => item.id === id);
  const found = index >= 0;
  const want = found ? index + AHEAD : Math.min(SEARCHED, items.length + 1);
  useEffect(() => void list.want(want), [list, want]);

  const [before, after] = found ? [items[index - 1], items[index + 1]] : [];
  useEffect(() => {
    for (const item of [after, before]) if (item) new Image().src = item.file; // shown without a wait
  }, [before, after]);

  const goTo = (item: LibraryItem | undefined) => {
    if (item) navigate(withSearch(`/picture/${item.id}`, view), { replace: true }); // "back" leads to the library
  };
  const leave = () => {
    const next = after ?? before;
    if (next) goTo(next);
    else navigate(withSearch("/", view), { replace: true });
  };
  return { before, after, index: found ? index : undefined, total, goTo, leave };
}
