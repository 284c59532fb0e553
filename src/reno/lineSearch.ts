// A step length that satisfies the strong Wolfe conditions (Nocedal and Wright 2006, algorithms 3.5 and 3.6), with the
// bounds and safeguards of torch.optim.lbfgs, _strong_wolfe.

import type { Point } from "./optimizers.ts";
import { dot, largestSize } from "./vectors.ts";

const decrease = 1e-4; // c₁
const flattening = 0.9; // c₂
const changeTolerance = 1e-9;

/** A point on the line: how far along, and how steep the function is there. */
interface Place extends Point {
  readonly t: number;
  readonly slope: number;
}

export interface Found extends Place {
  readonly evaluations: number;
}

/**
 * From `start`, where the slope along `direction` is `slope`: first a bracket that grows from `length`, then one that
 * shrinks, until a place is low and flat enough or `limit` tries are used up. The lowest end of the bracket counts.
 */
export async function strongWolfe(
  start: Point,
  slope: number,
  direction: Float32Array,
  length: number,
  limit: number,
  evaluate: (t: number) => Promise<Point>,
): Promise<Found> {
  let evaluations = 0;
  const look = async (t: number): Promise<Place> => {
    evaluations++;
    const point = await evaluate(t);
    return { ...point, t, slope: dot(point.gradient, direction) };
  };
  const origin: Place = { ...start, t: 0, slope };
  const tooHigh = (at: Place) => at.value > start.value + decrease * at.t * slope;
  const flat = (at: Place) => Math.abs(at.slope) <= -flattening * slope;

  let [before, at, tries] = [origin, await look(length), 0];
  let bracket: [Place, Place] | undefined;
  for (; tries < limit; tries++) {
    if (tooHigh(at) || (tries > 1 && at.value >= before.value)) bracket = [before, at];
    else if (flat(at)) return { ...at, evaluations };
    else if (at.slope >= 0) bracket = [before, at];
    if (bracket) break;
    const further = cubicMinimum(before, at, at.t + 0.01 * (at.t - before.t), 10 * at.t);
    [before, at] = [at, await look(further)];
  }
  let ends = byHeight(bracket ?? [origin, at]);

  const width = largestSize(direction);
  let stuck = false;
  for (; tries < limit; tries++) {
    const { low, high } = ends;
    if (Math.abs(high.t - low.t) * width < changeTolerance) break;
    const guess = awayFromEnds(cubicMinimum(...inOrder(ends)), low.t, high.t, stuck);
    stuck = guess.stuck;
    const next = await look(guess.t);
    if (tooHigh(next) || next.value >= low.value) ends = byHeight(ends.lowFirst ? [low, next] : [next, low]);
    else if (flat(next)) return { ...next, evaluations };
    else if (next.slope * (high.t - low.t) >= 0) ends = { low: next, high: low, lowFirst: ends.lowFirst };
    else ends = { ...ends, low: next };
  }
  return { ...ends.low, evaluations };
}

/** A bracket's ends by their values; `lowFirst` remembers which place of the two was the low one's. */
interface Ends {
  readonly low: Place;
  readonly high: Place;
  readonly lowFirst: boolean;
}

function byHeight([a, b]: readonly [Place, Place]): Ends {
  return a.value <= b.value ? { low: a, high: b, lowFirst: true } : { low: b, high: a, lowFirst: false };
}

const inOrder = ({ low, high, lowFirst }: Ends): [Place, Place] => (lowFirst ? [low, high] : [high, low]);

/** A guess within a tenth of the bracket from an end is let pass once, and the next time moved that far inwards. */
function awayFromEnds(t: number, one: number, other: number, stuck: boolean): { t: number; stuck: boolean } {
  const [left, right] = [Math.min(one, other), Math.max(one, other)];
  const margin = 0.1 * (right - left);
  if (Math.min(right - t, t - left) >= margin) return { t, stuck: false };
  if (!stuck && t < right && t > left) return { t, stuck: true };
  return { t: Math.abs(t - right) < Math.abs(t - left) ? right - margin : left + margin, stuck: false };
}

/** Where the cubic through two places with their slopes is least, within bounds (equation 3.59). */
function cubicMinimum(a: Place, b: Place, from: number = Math.min(a.t, b.t), to: number = Math.max(a.t, b.t)): number {
  const d1 = a.slope + b.slope - (3 * (a.value - b.value)) / (a.t - b.t);
  const square = d1 ** 2 - a.slope * b.slope;
  if (!(square >= 0)) return (from + to) / 2;
  const d2 = Math.sqrt(square);
  const [near, far] = a.t <= b.t ? [a, b] : [b, a];
  const t = far.t - (far.t - near.t) * ((far.slope + d2 - d1) / (far.slope - near.slope + 2 * d2));
  return Math.min(Math.max(t, from), to);
}
