import { expect, test } from "vitest";
import { libraryFilter } from "../../src/server/api/library.ts";
import {
  isFiltered,
  readRanges,
  readView,
  toggleBucket,
  withRange,
  withSearch,
  writeView,
} from "../../ui/src/pages/library/view.ts";

const address =
  "text=red+circle&sort=-score&scores=ImageReward%3A0.5..&scores=shapes%3A-1..2&bucket=great&bucket=ok&folder=%2Fa";

test("a view survives the page's address", () => {
  const view = readView(address);
  expect(view).toEqual({
    text: "red circle",
    sort: "-score",
    scores: ["ImageReward:0.5..", "shapes:-1..2"],
    bucket: ["great", "ok"],
    folder: ["/a"],
  });
  expect(readView(writeView(view))).toEqual(view);
});

test("the same view has one text, in whatever order the address had it", () => {
  const turned = address.split("&").reverse().join("&");
  expect(readView(turned).sort).toBe("-score");
  expect(writeView(readView("sort=name&text=a"))).toBe(writeView(readView("text=a&sort=name")));
});

test("what the address says is what the server's filter takes", () => {
  const { sort: _sort, ...filter } = readView(`${address}&rejected=true&from=2026-01-31&host=ComfyUI&seed=12`);
  expect(libraryFilter.parse(filter)).toMatchObject({ rejected: true, bucket: ["great", "ok"], seed: "12" });
});

test("an order or a reward alone narrows nothing", () => {
  expect(isFiltered(readView("sort=-score&reward=shapes"))).toBe(false);
  expect(isFiltered(readView("bucket=weak"))).toBe(true);
});

test("a bucket goes in and out, and with the last one the filter", () => {
  const weak = toggleBucket({}, "weak");
  expect(weak).toEqual({ bucket: ["weak"] });
  expect(toggleBucket(weak, "great").bucket).toEqual(["weak", "great"]);
  expect(toggleBucket(weak, "weak").bucket).toBeUndefined();
});

test("a range is set, changed and taken away beside those of other rewards", () => {
  const view = withRange({ scores: ["shapes:-1..2"] }, "ImageReward", { from: 0.5 });
  expect(view.scores).toEqual(["shapes:-1..2", "ImageReward:0.5.."]);
  expect(readRanges(view)).toEqual({ shapes: { from: -1, to: 2 }, ImageReward: { from: 0.5 } });
  expect(withRange(view, "shapes", {}).scores).toEqual(["ImageReward:0.5.."]);
  expect(withRange({ scores: ["shapes:-1..2"] }, "shapes", {}).scores).toBeUndefined();
});

test("no filter leaves no question mark behind", () => {
  expect(withSearch("/", {})).toBe("/");
  expect(withSearch("/picture/a", { text: "x" })).toBe("/picture/a?text=x");
});
