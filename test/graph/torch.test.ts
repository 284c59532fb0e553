// Each op's value and gradients against PyTorch's.

import { expect, test } from "vitest";
import { cases, differencesOf } from "../support/torchOps.ts";

test.each(Object.keys(cases))("%s and its gradients are PyTorch's", async (name) => {
  const differences = await differencesOf(name);
  expect(differences).toHaveProperty("y");
  expect(Math.max(...Object.values(differences)), JSON.stringify(differences)).toBeLessThan(2e-6);
});
