// Prompts as Forge and ComfyUI read them.

import { expect, test } from "vitest";
import * as a1111 from "../../../src/reno/prompt/a1111.ts";
import { largestDifference } from "../../support/compare.ts";
import { emphasis, readings, wanted } from "../../support/hostPrompts.ts";

test.each(wanted)("$reading: $prompt", ({ reading, prompt, want }) => {
  expect(readings[reading](prompt)).toEqual(want);
});

test.each(Object.entries(emphasis()))("%s: states with their words' weights", (_, compared) => {
  for (const { got, want } of compared) expect(largestDifference(got, want)).toBeLessThan(5e-6);
});

test("a mean that is nothing but rounding gives no factor", () => {
  const data = Float32Array.of(1, -1, 2, -2, 0.5, -0.5, 3, -3);
  const factorOf = (...weights: number[]) =>
    a1111.emphasized([{ data, tokens: 4, width: 2 }], [{ ids: [1, 5, 6, 2], weights }], "Original").factor;
  expect(factorOf(1, 1.3, 1, 1)).toBeNull();
  expect(factorOf(1, 1, 1, 1)).toBe(1);
});
