// PyTorch's ops, and torch.optim's updates.

import { runs, updateDifferences } from "../../support/optimizerRuns.ts";
import { cases, differencesOf } from "../../support/torchOps.ts";
import { type Row, row } from "./table.ts";

export async function opRows(): Promise<Row[]> {
  const differences: number[] = [];
  for (const name of Object.keys(cases)) differences.push(...Object.values(await differencesOf(name)));
  return [row("ops and gradients", differences, 2e-6)];
}

/** In float64, as torch is run. */
export async function optimizerRows(): Promise<Row[]> {
  const updates = [];
  for (const run of Object.values(runs)) updates.push(...(await updateDifferences(run)));
  return [
    row(
      "updates of optimisers",
      updates.map(({ x }) => x),
      1e-9,
    ),
    row(
      "looks of optimisers",
      updates.map(({ evaluations }) => Math.abs(evaluations)),
      0,
    ),
  ];
}
