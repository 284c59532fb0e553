// Our loop against ReNO's own trainer on the same weights, prompt and seeds: fixtures/trajectories.json, by test/reference/reno.py.

import { afterAll, beforeAll, expect, test } from "vitest";
import { bestOf, type Models, openModels, runOf, runs, stepDifference } from "../support/trajectories.ts";

let models: Models;
beforeAll(async () => {
  models = await openModels();
});
afterAll(() => models.release());

const refined = Object.entries(runs).filter(([, { settings }]) => settings.mode !== "select");

test.each(refined)(
  "%s: every reward, norm and pixel of every step is upstream's, and the best step",
  async (_, run) => {
    const steps = await runOf(run, models);
    expect(steps.map(({ step }) => step)).toEqual(run.steps.map((_, i) => i));
    const differences = steps.map((step, i) => stepDifference(step, run.steps[i]!));
    expect(Math.max(...differences), differences.map((each) => each.toExponential(1)).join(" ")).toBeLessThan(1e-3);
    expect(bestOf(steps)).toBe(run.best);
  },
);

test("select: from step 1 on, what upstream sees of fresh noise; step 0 is the untouched noise, which it never looks at", async () => {
  const run = runs.select!;
  const steps = await runOf(run, models, { iterations: run.settings.iterations + 1 });
  for (const [i, { rewards, loss, pixels }] of run.steps.entries()) {
    // Upstream notes the norm of the noise that it does not use.
    const { latentsNorm, ...got } = steps[i + 1]!;
    const want = { rewards, loss, pixels, latentsNorm, regularizer: null, gradientNorm: null };
    expect(stepDifference({ ...got, latentsNorm }, want), `step ${i}`).toBeLessThan(1e-3);
  }
  const later = steps.slice(1).map(({ loss }) => loss);
  expect(later.indexOf(Math.min(...later))).toBe(run.best);
});
