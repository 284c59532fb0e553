// Our optimisers against torch.optim's on the same function: fixtures/optimizers.json, by test/reference/optimizers.py.

import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import {
  type OptimizerName,
  type OptimizerSettings,
  type OptimizerState,
  optimizers,
} from "../../src/reno/optimizers.ts";
import { largestDifference } from "../support/compare.ts";

interface Run {
  readonly settings: OptimizerSettings & { readonly optimizer: OptimizerName };
  readonly steps: readonly { readonly x: readonly number[]; readonly evaluations: number }[];
}

const { start, runs }: { start: number[]; runs: Record<string, Run> } = JSON.parse(
  await readFile(new URL("fixtures/optimizers.json", import.meta.url), "utf8"),
);

/** Rosenbrock's valley with a ripple, as the script has it. */
async function look(x: Float32Array) {
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

test.each(Object.entries(runs))("%s goes where torch goes, and looks as often", async (_, { settings, steps }) => {
  let latents: Float32Array = Float64Array.from(start) as never; // float64 throughout, as the script has it
  let state: OptimizerState = {};
  let evaluations = 0;
  const counted = (x: Float32Array) => {
    evaluations++;
    return look(x);
  };
  for (const [i, want] of steps.entries()) {
    const at = await counted(latents);
    const updated = await optimizers[settings.optimizer](latents, at, state, settings, counted);
    ({ latents, state } = updated);
    expect(largestDifference(latents, want.x), `update ${i}`).toBeLessThan(1e-9);
    expect(evaluations, `looks until update ${i}`).toBe(want.evaluations);
  }
});

test("an update changes neither the latents nor the state that it is given", async () => {
  const latents = Float32Array.from(start);
  for (const [name, { settings }] of Object.entries(runs)) {
    const first = await optimizers[settings.optimizer](latents, await look(latents), {}, settings, look);
    const before = structuredClone(first);
    await optimizers[settings.optimizer](first.latents, await look(first.latents), first.state, settings, look);
    expect(first, name).toEqual(before);
    expect(Array.from(latents)).toEqual(Array.from(Float32Array.from(start)));
  }
});
