// Which pictures stay: ranks, limits, and the total of several rewards. Numbers in, numbers out; it knows no files.

import { RequestError } from "../errors.ts";

export interface Limits {
  /** The lowest score that stays (the original script's "Lower score limit": equal stays). */
  readonly min?: number;
  readonly max?: number;
  /** How many of the best stay. */
  readonly top?: number;
}

export function checkLimits({ min, max, top }: Limits): void {
  for (const [name, value] of Object.entries({ min, max })) {
    if (value !== undefined && !Number.isFinite(value)) {
      throw new RequestError(`The limit "${name}" is ${value}; wanted is a number.`, {
        hint: `Give a number such as 0 or -0.5, or leave "${name}" out.`,
      });
    }
  }
  if (min !== undefined && max !== undefined && min > max) {
    throw new RequestError(
      `The lowest score to keep is ${min} and the highest ${max}; wanted is a lowest not above the highest.`,
      { hint: "Exchange min and max, or no picture can stay." },
    );
  }
  if (top !== undefined && !(Number.isInteger(top) && top >= 1)) {
    throw new RequestError(`The number of best pictures to keep is ${top}; wanted is a whole number from 1.`, {
      hint: 'Give a number such as 10, or leave "top" out.',
    });
  }
}

/** Σ weight · score, by the rewards' display names. */
export function weightedTotal(scores: Record<string, number>, weights: Record<string, number>): number {
  return Object.entries(scores).reduce((sum, [name, score]) => sum + (weights[name] ?? 1) * score, 0);
}

export const withinLimits = (value: number, { min = -Infinity, max = Infinity }: Limits): boolean =>
  value >= min && value <= max;

/** The place of each value, 1 for the highest; equal values keep the order they came in, so no place is given twice. */
export function ranksOf(values: readonly number[]): number[] {
  const ranks = new Array<number>(values.length);
  bestFirst(values).forEach((index, place) => {
    ranks[index] = place + 1;
  });
  return ranks;
}

/** Indices from the highest value to the lowest. */
export const bestFirst = (values: readonly number[]): number[] =>
  values.map((_, index) => index).sort((a, b) => values[b]! - values[a]! || a - b);

/** Which stay: those within min and max, and of these the best `top`. */
export function keepers(values: readonly number[], limits: Limits): boolean[] {
  const kept = values.map((value) => withinLimits(value, limits));
  if (limits.top === undefined) return kept;
  const best = new Set(
    bestFirst(values)
      .filter((index) => kept[index])
      .slice(0, limits.top),
  );
  return values.map((_, index) => best.has(index));
}

/**
 * Which values an error of up to `margin` each could carry across a limit: those near min or max, and those near
 * the last place that stays, where two errors can add up.
 */
export function undecided(values: readonly number[], limits: Limits, margin: number): boolean[] {
  const near = (limit: number | undefined, reach: number) => (value: number) =>
    limit !== undefined && Math.abs(value - limit) <= reach;
  const tests = [near(limits.min, margin), near(limits.max, margin), near(cut(values, limits), 2 * margin)];
  return values.map((value) => tests.some((test) => test(value)));
}

/** The value halfway between the last that stays for `top` and the first that does not. */
function cut(values: readonly number[], limits: Limits): number | undefined {
  const inside = values.filter((value) => withinLimits(value, limits)).sort((a, b) => b - a);
  if (limits.top === undefined || inside.length <= limits.top) return undefined;
  return (inside[limits.top - 1]! + inside[limits.top]!) / 2;
}
