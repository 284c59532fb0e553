import { expect, test } from "vitest";
import type { LibraryItem } from "../../src/server/api/library.ts";
import {
  asRequest,
  countOf,
  everything,
  isSelected,
  nothing,
  only,
  toggled,
  upTo,
} from "../../ui/src/pages/library/selection.ts";

const items = ["a", "b", "c", "d"].map((id) => ({ id }) as LibraryItem);
const chosen = (selection: typeof nothing) => items.filter(({ id }) => isSelected(selection, id)).map(({ id }) => id);

test("a click chooses one and no other", () => {
  expect(chosen(only(items, 2))).toEqual(["c"]);
});

test("a toggle leaves the others as they are", () => {
  const two = toggled(only(items, 0), items, 2);
  expect(chosen(two)).toEqual(["a", "c"]);
  expect(chosen(toggled(two, items, 0))).toEqual(["c"]);
});

test("a range goes from the last click, both ways, and again from there", () => {
  const from = only(items, 2);
  expect(chosen(upTo(from, items, 3))).toEqual(["c", "d"]);
  expect(chosen(upTo(upTo(from, items, 3), items, 0))).toEqual(["a", "b", "c"]);
});

test("all counts what was not fetched yet, and is asked for by the filter", () => {
  expect(countOf(everything, 50_000)).toBe(50_000);
  expect(asRequest(everything, { bucket: ["weak"], sort: "-score" })).toEqual({ filter: { bucket: ["weak"] } });
  expect(asRequest(only(items, 1), { bucket: ["weak"] })).toEqual({ ids: ["b"] });
});

test("taking one out of all leaves the others", () => {
  expect(chosen(toggled(everything, items, 1))).toEqual(["a", "c", "d"]);
});

test("a picture that is not there can not be chosen", () => {
  expect(countOf(only(items, 9), 4)).toBe(0);
  expect(countOf(nothing, 4)).toBe(0);
});
