import { expect, test } from "vitest";
import { Random } from "../../src/shapes/random.ts";

const draw = (random: Random, count: number) => Array.from({ length: count }, () => random.next());

test("the same keys give the same numbers, other keys others", () => {
  expect(draw(new Random(1, 2), 5)).toEqual(draw(new Random(1, 2), 5));
  expect(draw(new Random(1, 2), 5)).not.toEqual(draw(new Random(2, 1), 5));
  expect(draw(new Random(1), 5)).not.toEqual(draw(new Random(1 + 2 ** 32), 5));
});

test("uniform numbers have mean 1/2 and variance 1/12, normal ones 0 and 1", () => {
  const moments = (numbers: number[]) => {
    const mean = numbers.reduce((a, b) => a + b) / numbers.length;
    return [mean, numbers.reduce((a, b) => a + (b - mean) ** 2, 0) / numbers.length];
  };
  const random = new Random(5);
  const [mean, variance] = moments(draw(random, 50_000));
  expect(mean).toBeCloseTo(1 / 2, 2);
  expect(variance).toBeCloseTo(1 / 12, 2);
  const [normalMean, normalVariance] = moments(Array.from({ length: 50_000 }, () => random.normal()));
  expect(Math.abs(normalMean!)).toBeLessThan(0.02);
  expect(Math.abs(normalVariance! - 1)).toBeLessThan(0.03);
});
