// Runs of ReNO's own trainer: every number of every step, which step was best, and image selection.

import {
  bestOf,
  comparable,
  type Models,
  openModels,
  runOf,
  runs,
  stepDifference,
} from "../../support/trajectories.ts";
import { type Row, row } from "./table.ts";

export async function trajectoryRows(): Promise<Row[]> {
  const models = await openModels();
  const rows: Row[] = [];
  const bests: number[] = [];
  for (const [name, run] of Object.entries(runs)) {
    if (run.settings.mode === "select") continue;
    const steps = await runOf(run, models);
    const { steps: count, allowed } = comparable(run);
    const differences = run.steps.slice(0, count).map((want, i) => stepDifference(steps[i]!, want));
    rows.push(row(`trajectory, ${name}`, differences, allowed));
    bests.push(Math.abs(bestOf(steps) - run.best));
  }
  rows.push(row("best step", bests, 0), ...(await selectionRows(models)));
  await models.release();
  return rows;
}

/**
 * Image selection. Our step 0 is the untouched noise, which upstream never looks at: its step i is our step i + 1. It notes
 * the norm of the noise that it does not use.
 */
async function selectionRows(models: Models): Promise<Row[]> {
  const run = runs.select!;
  const [, ...steps] = await runOf(run, models, { iterations: run.steps.length + 1 });
  const differences = run.steps.map((want, i) => {
    const { latentsNorm } = steps[i]!;
    return stepDifference(steps[i]!, { ...want, latentsNorm, regularizer: null, gradientNorm: null });
  });
  const losses = steps.map(({ loss }) => loss);
  const best = losses.indexOf(Math.min(...losses));
  return [row("image selection", differences, 1e-3), row("image selection, best", [Math.abs(best - run.best)], 0)];
}
