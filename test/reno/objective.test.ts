import { expect, test } from "vitest";
import { clipped, regularizer } from "../../src/reno/objective.ts";
import { norm } from "../../src/reno/vectors.ts";
import { seededNormal } from "../support/seededWeights.ts";

const latents = seededNormal("objective", [1, 4, 8, 8]);

test("the regulariser is ReNO's formula, and its slope the derivative of it", () => {
  const { value, norm: length, slope } = regularizer(latents, 0.01);
  expect(value).toBeCloseTo(0.01 * (0.5 * length ** 2 - 255 * Math.log(length)), 9);
  const moved = Float32Array.from(latents);
  const [at, h] = [17, 1e-2];
  moved[at]! += h;
  const up = regularizer(moved, 0.01).value;
  moved[at]! -= 2 * h;
  expect((up - regularizer(moved, 0.01).value) / (2 * h)).toBeCloseTo(slope * latents[at]!, 4);
});

test("noise as long as a Gaussian's likes to be is not pulled, and a weight of 0 pulls nothing", () => {
  const length = norm(latents);
  const typical = latents.map((value) => (value * Math.sqrt(255)) / length);
  expect(regularizer(typical, 0.01).slope).toBeCloseTo(0, 6);
  expect(regularizer(latents, 0)).toEqual({ value: 0, norm: length, slope: 0 });
});

test("a gradient is shortened to the limit, one within it left alone", () => {
  const length = norm(latents);
  expect(norm(clipped(latents, length, 0.1))).toBeCloseTo(0.1, 6);
  expect(clipped(latents, length, 100)).toEqual(latents);
});
