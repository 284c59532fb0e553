// What a refine's steps say, as curves and in words.

import type { Scores } from "../../../../src/server/api/common.ts";
import type { JobStep } from "../../../../src/server/api/jobs.ts";

export interface Curve {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

type Kind = "rewards" | "observed";

/** A curve for each reward, in the order in which they first appear. */
export function curves(steps: readonly JobStep[], kind: Kind): Curve[] {
  const names = new Set(steps.flatMap((step) => Object.keys(step[kind] ?? {})));
  return [...names].map((name) => ({ name, values: steps.map((step) => step[kind]?.[name] ?? null) }));
}

/** What may be chosen of a run: one of its steps, or what there is to see otherwise: the newest while it runs, then the best. */
export type Chosen = number | undefined;

/** Position of the best so far: each step that was best when it came says so, and the last of them still is. */
export const bestOf = (steps: readonly JobStep[]): number | undefined => {
  const index = steps.findLastIndex(({ best }) => best);
  return index < 0 ? undefined : index;
};

/** All four digits: here it is small changes that matter. */
export const scoreText = (value: number): string => value.toFixed(Math.abs(value) < 10 ? 4 : 2).replace("-", "−");

/** "ImageReward 0.5812, CLIP 31.20" */
export const scoresText = (scores: Scores | undefined): string =>
  Object.entries(scores ?? {})
    .map(([name, value]) => `${name} ${scoreText(value)}`)
    .join(", ");

export const describeStep = (step: JobStep, best: boolean): string =>
  [`Step ${step.step}${best ? " best" : ""}`, scoresText(step.rewards)].filter(Boolean).join(", ");

/** Of a curve, for those who do not see it. */
export function describeCurve({ name, values }: Curve): string {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return `${name}: no values yet`;
  const [first, last] = [known[0]!, known.at(-1)!];
  return `${name} over ${known.length} steps, from ${scoreText(first)} to ${scoreText(last)}, highest ${scoreText(Math.max(...known))}`;
}
