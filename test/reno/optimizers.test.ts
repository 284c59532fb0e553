// Our optimisers against torch.optim's on the same function.

import { expect, test } from "vitest";
import { optimizers } from "../../src/reno/optimizers.ts";
import { look, runs, start, updateDifferences } from "../support/optimizerRuns.ts";

test.each(Object.entries(runs))("%s goes where torch goes, and looks as often", async (_, run) => {
  const differences = await updateDifferences(run);
  expect(differences).toHaveLength(run.steps.length);
  differences.forEach(({ x, evaluations }, i) => {
    expect(x, `update ${i}`).toBeLessThan(1e-9);
    expect(evaluations, `looks until update ${i}`).toBe(0);
  });
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
