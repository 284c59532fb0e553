import { expect, test } from "vitest";
import { bootstrap, noiseStatistics, wilson } from "../../../src/cli/bench/statistics.ts";
import { noise } from "../../../src/reno/noise/index.ts";

test("Wilson's interval of 8 in 10", () => {
  const { value, low, high } = wilson(8, 10);
  expect([value, low, high].map((x) => x.toFixed(3))).toEqual(["0.800", "0.490", "0.943"]);
});

test("the bootstrap's interval holds the mean, and shrinks with the number of groups", () => {
  const width = (count: number) => {
    const { value, low, high } = bootstrap(Array.from({ length: count }, (_, i) => [i % 2, i % 2]));
    expect(value).toBe(0.5);
    expect(low).toBeLessThan(value);
    expect(high).toBeGreaterThan(value);
    return high - low;
  };
  expect(width(100) / width(400)).toBeCloseTo(2, 0);
});

test("a normal noise is told from one that is not", () => {
  const z = noise({ seed: 1, shape: [1, 4, 64, 64], rng: "cpu" });
  const normal = noiseStatistics(z);
  expect(normal.norm).toBeCloseTo(1, 1);
  expect(Math.abs(normal.excessKurtosis)).toBeLessThan(0.15);
  expect(normal.distance).toBeLessThan(0.015); // 1.36 / √16384 at 5 %
  const flat = noiseStatistics(Array.from({ length: 1000 }, (_, i) => (i - 499.5) / 250));
  expect(flat.excessKurtosis).toBeCloseTo(-1.2, 1);
  expect(flat.distance).toBeGreaterThan(0.05);
});
