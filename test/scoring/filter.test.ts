import { expect, test } from "vitest";
import { RequestError } from "../../src/errors.ts";
import { checkLimits, keepers, ranksOf, undecided, weightedTotal } from "../../src/scoring/filter.ts";

test("the highest value has rank 1, and equal values keep their order", () => {
  expect(ranksOf([0.1, 0.9, -2, 0.9])).toEqual([3, 1, 4, 2]);
  expect(ranksOf([])).toEqual([]);
});

test("a value equal to a limit stays", () => {
  expect(keepers([-0.5, 0, 0.5, 1], { min: 0 })).toEqual([false, true, true, true]);
  expect(keepers([-0.5, 0, 0.5, 1], { min: 0, max: 0.5 })).toEqual([false, true, true, false]);
});

test("top counts only what is within the limits", () => {
  expect(keepers([5, 3, 1, 2], { max: 4, top: 2 })).toEqual([false, true, false, true]);
  expect(keepers([1, 1, 1], { top: 2 })).toEqual([true, true, false]);
  expect(keepers([1], { top: 5 })).toEqual([true]);
});

test("the total is the sum of weight times score, with 1 for a weight not given", () => {
  expect(weightedTotal({ ImageReward: 0.5, Aesthetic: 6 }, { Aesthetic: 0.25 })).toBe(2);
});

test("values near a limit or near the last place are undecided", () => {
  expect(undecided([0.05, 0.2, -0.1], { min: 0 }, 0.1)).toEqual([true, false, true]);
  // The cut lies at 2.5: 2 and 3 are within twice 0.3 of it, 1 and 4 are not.
  expect(undecided([1, 2, 3, 4], { top: 2 }, 0.3)).toEqual([false, true, true, false]);
  expect(undecided([1, 2, 3, 4], { top: 4 }, 0.3)).toEqual([false, false, false, false]);
});

test("limits that can not be met are refused with both numbers", () => {
  expect(() => checkLimits({ min: 2, max: 1 })).toThrow(/lowest score to keep is 2 and the highest 1/);
  expect(() => checkLimits({ min: Number.NaN })).toThrow(RequestError);
  expect(() => checkLimits({ top: 0 })).toThrow(/is 0; wanted is a whole number from 1/);
  expect(() => checkLimits({ top: 1.5 })).toThrow(RequestError);
  expect(() => checkLimits({ min: 1, max: 1, top: 1 })).not.toThrow();
});
