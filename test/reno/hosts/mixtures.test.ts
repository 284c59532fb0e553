// Prompts that hosts put together from several: how much of each is in the picture.

import { expect, test } from "vitest";
import { largestDifference } from "../../support/compare.ts";
import { mixtures } from "../../support/hostMixtures.ts";

test.each(mixtures)("$name", async ({ got, want }) => {
  expect(largestDifference(await got(), want)).toBeLessThan(2e-6);
});
