// L-BFGS (Nocedal 1980; Nocedal and Wright 2006, algorithms 7.4 and 7.5) with torch.optim.LBFGS's rules for when to stop and
// how far to go. ReNO's trainer calls step() without the closure that torch wants, and fails; with one, this is what it computes.

import { strongWolfe } from "./lineSearch.ts";
import type { Point, Update } from "./optimizers.ts";
import { dot, largestSize, plus, scaled, sumOfSizes } from "./vectors.ts";

/** As training/optim.py of ReNO sets it; the tolerances are torch's own. */
const maxIterations = 10;
const maxEvaluations = 12; // torch: 5/4 of the iterations
const historySize = 3;
const gradientTolerance = 1e-7;
const changeTolerance = 1e-9;
const leastCurvature = 1e-10;

/** Where the last step started, which way and how far it went; the newest pairs of steps and changes of the gradient. */
export type LbfgsState = {
  readonly gradient: Float32Array;
  readonly direction: Float32Array;
  readonly length: number;
  readonly steps: readonly Float32Array[];
  readonly changes: readonly Float32Array[];
  /** The first guess of the inverse Hessian is scale · 1. */
  readonly scale: number;
};

/** Up to ten steps along quasi-Newton directions, each with a line search, or as many as twelve evaluations allow. */
export const lbfgs: Update<LbfgsState> = async (latents, start, before, { learningRate }, evaluate) => {
  let [x, at, evaluations] = [latents, start, 1];
  let state = before.direction ? (before as LbfgsState) : undefined;
  if (largestSize(at.gradient) <= gradientTolerance) return { latents, state: before as LbfgsState };

  for (let iteration = 1; ; iteration++) {
    const length = state ? learningRate : Math.min(1, 1 / sumOfSizes(at.gradient)) * learningRate;
    const from: LbfgsState = state ? turned(state, at) : first(at);
    state = { ...from, length };
    const slope = dot(at.gradient, from.direction);
    if (slope > -changeTolerance) break;

    const line = (t: number) => plus(x, t, from.direction);
    const found = await strongWolfe(at, slope, from.direction, length, maxEvaluations - evaluations, (t) =>
      evaluate(line(t)),
    );
    const gain = Math.abs(found.value - at.value);
    const moved = largestSize(from.direction) * Math.abs(found.t);
    [x, at, evaluations] = [line(found.t), found, evaluations + found.evaluations];
    state = { ...from, length: found.t };
    const done = largestSize(at.gradient) <= gradientTolerance || moved <= changeTolerance || gain < changeTolerance;
    if (done || iteration === maxIterations || evaluations >= maxEvaluations) break;
  }
  return { latents: x, state };
};

const first = ({ gradient }: Point): LbfgsState => ({
  gradient,
  direction: scaled(gradient, -1),
  length: 0,
  steps: [],
  changes: [],
  scale: 1,
});

/** What was learnt from the last step, and the direction that follows from it. */
function turned(last: LbfgsState, { gradient }: Point): LbfgsState {
  const change = plus(gradient, -1, last.gradient);
  const step = scaled(last.direction, last.length);
  const curvature = dot(change, step);
  const pairs =
    curvature > leastCurvature
      ? {
          steps: [...last.steps, step].slice(-historySize),
          changes: [...last.changes, change].slice(-historySize),
          scale: curvature / dot(change, change),
        }
      : last;
  return { ...last, ...pairs, gradient, direction: newtonDirection(gradient, pairs) };
}

/** −H g by the two loops of algorithm 7.4. */
function newtonDirection(
  gradient: Float32Array,
  { steps, changes, scale }: Pick<LbfgsState, "steps" | "changes" | "scale">,
) {
  const inverses = steps.map((step, i) => 1 / dot(step, changes[i]!));
  const alphas: number[] = [];
  let q = scaled(gradient, -1);
  for (let i = steps.length - 1; i >= 0; i--) {
    alphas[i] = inverses[i]! * dot(steps[i]!, q);
    q = plus(q, -alphas[i]!, changes[i]!);
  }
  let r = scaled(q, scale);
  for (let i = 0; i < steps.length; i++) r = plus(r, alphas[i]! - inverses[i]! * dot(changes[i]!, r), steps[i]!);
  return r;
}
