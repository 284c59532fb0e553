// Our loop against ReNO's own trainer on the same weights, prompt and seeds: fixtures/trajectories.json, by test/reference/reno.py.

import { afterAll, beforeAll, expect, test } from "vitest";
import { refine } from "../../src/reno/refine.ts";
import {
  bestOf,
  comparable,
  type Models,
  openModels,
  optionsOf,
  runOf,
  runs,
  stepDifference,
} from "../support/trajectories.ts";

let models: Models;
beforeAll(async () => {
  models = await openModels();
});
afterAll(() => models.release());

/** How many steps of each run are repeated here; `npm run fidelity` repeats all of every run. */
const repeated = { "sgd, two rewards": 5, "sgd without Nesterov": 4, "sgd without regulariser": 4, adam: 4, lbfgs: 2 };

test.each(Object.entries(repeated))(
  "%s: every reward, norm and pixel of the first %i steps is upstream's",
  async (name, count) => {
    const run = runs[name]!;
    const differences: number[] = [];
    for await (const step of refine(await optionsOf(run, models))) {
      differences.push(stepDifference(step, run.steps[step.step]!));
      if (differences.length === count) break;
    }
    expect(differences).toHaveLength(count);
    expect(differences[0]).toBeLessThan(1e-4);
    const { allowed } = comparable(run);
    expect(Math.max(...differences), differences.map((each) => each.toExponential(1)).join(" ")).toBeLessThan(allowed);
  },
);

test("select: from step 1 on, what upstream sees of fresh noise; step 0 is the untouched noise, which it never looks at", async () => {
  const run = runs.select!;
  const seen = run.steps.slice(0, 4);
  const steps = await runOf(run, models, { iterations: seen.length + 1 });
  for (const [i, { rewards, loss, pixels }] of seen.entries()) {
    // Upstream notes the norm of the noise that it does not use.
    const { latentsNorm, ...got } = steps[i + 1]!;
    const want = { rewards, loss, pixels, latentsNorm, regularizer: null, gradientNorm: null };
    expect(stepDifference({ ...got, latentsNorm }, want), `step ${i}`).toBeLessThan(1e-3);
  }
  const losses = steps.map(({ loss }) => loss);
  expect(bestOf(steps)).toBe(losses.indexOf(Math.min(...losses)));
  expect(losses.slice(1).indexOf(Math.min(...losses.slice(1)))).toBe(run.best);
});
