// How far one list of scores is from another.

import { spread as momentsOf } from "../../tuning/evaluation.ts";

const mean = (x: readonly number[]) => x.reduce((a, b) => a + b, 0) / x.length;

/** Standard deviation. */
export const spread = (x: readonly number[]): number => momentsOf(x).deviation;

export const rootMeanSquareError = (x: readonly number[], y: readonly number[]): number =>
  Math.sqrt(mean(x.map((each, i) => (each - y[i]!) ** 2)));

/** Spearman's: the correlation of the ranks. */
export function rankCorrelation(x: readonly number[], y: readonly number[]): number {
  const [a, b] = [ranks(x), ranks(y)];
  const [ma, mb] = [mean(a), mean(b)];
  return mean(a.map((each, i) => (each - ma) * (b[i]! - mb))) / (spread(a) * spread(b));
}

function ranks(x: readonly number[]): number[] {
  const order = x.map((_, i) => i).sort((i, j) => x[i]! - x[j]!);
  const result = new Array<number>(x.length);
  for (const [rank, i] of order.entries()) result[i] = rank;
  return result;
}

/** How a noise stands to a standard normal one. */
export interface NoiseStatistics {
  /** |z| / √d: about 1. */
  readonly norm: number;
  readonly mean: number;
  readonly variance: number;
  /** E[((z − μ) / σ)⁴] − 3: about 0. */
  readonly excessKurtosis: number;
  /** Kolmogorov and Smirnov's: the largest distance of the distribution function from the normal one. */
  readonly distance: number;
}

export function noiseStatistics(z: ArrayLike<number>): NoiseStatistics {
  const values = Array.from(z);
  const { mean: center, deviation } = momentsOf(values);
  return {
    norm: Math.sqrt(mean(values.map((x) => x * x))),
    mean: center,
    variance: deviation ** 2,
    excessKurtosis: mean(values.map((x) => ((x - center) / deviation) ** 4)) - 3,
    distance: fromNormal(values),
  };
}

function fromNormal(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const steps = sorted.map((x, i) =>
    Math.max((i + 1) / sorted.length - normalShare(x), normalShare(x) - i / sorted.length),
  );
  return Math.max(...steps);
}

/** Φ(x) (Abramowitz & Stegun 7.1.26, to 1.5e-7). */
function normalShare(x: number): number {
  const t = 1 / (1 + 0.3275911 * (Math.abs(x) / Math.SQRT2));
  const series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  const erf = 1 - series * Math.exp((-x * x) / 2);
  return x < 0 ? (1 - erf) / 2 : (1 + erf) / 2;
}

export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** A share with its 95 % interval (Wilson 1927). */
export function wilson(right: number, of: number, z = 1.96): Interval {
  const p = right / of;
  const center = (p + z ** 2 / (2 * of)) / (1 + z ** 2 / of);
  const half = (z / (1 + z ** 2 / of)) * Math.sqrt((p * (1 - p)) / of + z ** 2 / (4 * of ** 2));
  return { value: p, low: center - half, high: center + half };
}

/** The mean of differences with its 95 % interval: whole groups drawn anew with replacement (Efron 1979). */
export function bootstrap(groups: readonly (readonly number[])[], draws = 4000): Interval {
  let state = 1;
  const below = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const means = Array.from({ length: draws }, () => mean(groups.flatMap(() => groups[below(groups.length)]!)));
  means.sort((a, b) => a - b);
  return {
    value: mean(groups.flat()),
    low: means[Math.floor(0.025 * draws)]!,
    high: means[Math.floor(0.975 * draws)]!,
  };
}
