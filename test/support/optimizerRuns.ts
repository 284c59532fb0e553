// torch.optim's runs of fixtures/optimizers.json, by test/reference/optimizers.py, and ours of the same function.

import { readFile } from "node:fs/promises";
import {
  type OptimizerName,
  type OptimizerSettings,
  type OptimizerState,
  optimizers,
} from "../../src/reno/optimizers.ts";
import { largestDifference } from "./compare.ts";

interface Run {
  readonly settings: OptimizerSettings & { readonly optimizer: OptimizerName };
  readonly steps: readonly { readonly x: readonly number[]; readonly evaluations: number }[];
}

export const { start, runs }: { start: readonly number[]; runs: Readonly<Record<string, Run>> } = JSON.parse(
  await readFile(new URL("../reno/fixtures/optimizers.json", import.meta.url), "utf8"),
);

/** Rosenbrock's valley with a ripple, as the script has it. */
export async function look(x: Float32Array) {
  const gradient = x.map((each) => 3 * Math.cos(3 * each));
  let value = x.reduce((sum, each) => sum + Math.sin(3 * each), 0);
  for (let i = 0; i + 1 < x.length; i++) {
    const bend = x[i + 1]! - x[i]! ** 2;
    value += 5 * bend ** 2 + (1 - x[i]!) ** 2;
    gradient[i]! -= 20 * bend * x[i]! + 2 * (1 - x[i]!);
    gradient[i + 1]! += 10 * bend;
  }
  return { value, gradient };
}

/** After each update: how far x lies from torch's, and by how many looks more or fewer it came there. */
export async function updateDifferences({ settings, steps }: Run): Promise<{ x: number; evaluations: number }[]> {
  let latents: Float32Array = Float64Array.from(start) as never; // float64 throughout, as the script has it
  let state: OptimizerState = {};
  let evaluations = 0;
  const counted = (x: Float32Array) => {
    evaluations++;
    return look(x);
  };
  const differences = [];
  for (const want of steps) {
    const at = await counted(latents);
    ({ latents, state } = await optimizers[settings.optimizer](latents, at, state, settings, counted));
    differences.push({ x: largestDifference(latents, want.x), evaluations: evaluations - want.evaluations });
  }
  return differences;
}
