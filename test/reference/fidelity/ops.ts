// PyTorch's ops, and torch.optim's updates.

import { cases, differencesOf } from "../../support/torchOps.ts";
import { type Row, row } from "./table.ts";

export async function opRows(): Promise<Row[]> {
  const differences: number[] = [];
  for (const name of Object.keys(cases)) differences.push(...Object.values(await differencesOf(name)));
  return [row("ops and gradients", differences, 2e-6)];
}
