import { expect, test } from "vitest";
import { ShapeError } from "../../src/errors.ts";
import { AdamW, clipGradients, rateAt } from "../../src/tuning/adamw.ts";

const gradients = [
  [0.1, -0.2, 0.3, -0.4],
  [0.5, 0.1, -0.3, 0],
  [-0.2, 0.2, 0.1, 1],
];

// torch 2.13.0: AdamW([1, -2, 0.5, 3], lr=0.01, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.05)
const wanted = [
  [0.989499986, -1.988999963, 0.489749998, 3.008499861],
  [0.98043263, -1.985334277, 0.490031421, 3.01372838],
  [0.976083696, -1.987068534, 0.488711417, 3.008239031],
];

test("three steps agree with PyTorch's AdamW", () => {
  const w = Float32Array.of(1, -2, 0.5, 3);
  const optimiser = new AdamW({ w });
  for (const [i, g] of gradients.entries()) {
    optimiser.step({ w: Float32Array.from(g) }, 0.01);
    for (const [k, value] of wanted[i]!.entries()) expect(w[k]).toBeCloseTo(value, 5);
  }
});

test("a tensor that does not decay stays where its gradient is nothing", () => {
  const parameters = { bias: Float32Array.of(2), weight: Float32Array.of(2) };
  const optimiser = new AdamW(parameters, { weightDecay: 0.5, decays: (name) => name === "weight" });
  optimiser.step({ bias: new Float32Array(1), weight: new Float32Array(1) }, 0.1);
  expect([parameters.bias[0], parameters.weight[0]]).toEqual([2, Math.fround(2 * 0.95)]);
});

test("a gradient of another length is refused by name", () => {
  const optimiser = new AdamW({ w: new Float32Array(3) });
  expect(() => optimiser.step({ w: new Float32Array(2) }, 0.1)).toThrow(ShapeError);
  expect(() => optimiser.step({}, 0.1)).toThrow("w has 3 numbers");
});

test("clipping scales all gradients by their joint norm, as clip_grad_norm_ does, and leaves small ones alone", () => {
  const large = { a: Float32Array.of(3, 4), b: Float32Array.of(0, 12) };
  expect(clipGradients(large, 1)).toBeCloseTo(13, 6);
  expect([...large.a, ...large.b].map((x) => x.toFixed(4))).toEqual(["0.2308", "0.3077", "0.0000", "0.9231"]);
  const small = { a: Float32Array.of(0.3, 0.4) };
  expect(clipGradients(small, 1)).toBeCloseTo(0.5, 6);
  expect([...small.a]).toEqual([Math.fround(0.3), Math.fround(0.4)]);
});

test("the rate rises in a line, peaks, halves midway and ends at nothing", () => {
  const schedule = { peak: 0.8, warmUp: 10, total: 110 };
  const rates = [0, 9, 10, 60, 110, 200].map((step) => rateAt(step, schedule));
  for (const [i, rate] of [0.08, 0.8, 0.8, 0.4, 0, 0].entries()) expect(rates[i]).toBeCloseTo(rate, 9);
});
