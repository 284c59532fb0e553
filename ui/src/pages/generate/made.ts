// The pictures of a generation: from its steps while it runs, from its result after.

import type { Scores } from "../../../../src/server/api/common.ts";
import type { Job } from "../../../../src/server/api/jobs.ts";

export interface Made {
  /** Of the run's pictures, from 0. */
  readonly index: number;
  readonly src: string;
  readonly scores: Scores;
  readonly seed?: string;
  /** Whether it can be kept yet. */
  readonly whole: boolean;
  /** In the library, once kept. */
  readonly id?: string;
}

export function madeBy({ steps, result }: Job): Made[] {
  const pictures = result?.pictures?.map(({ picture, scores = {}, ...rest }, index) => ({
    ...rest,
    index,
    src: picture,
    scores,
    whole: true,
  }));
  return (
    pictures ??
    steps.flatMap(({ step, preview, rewards = {}, observed = {} }) =>
      preview === undefined ? [] : [{ index: step, src: preview, scores: { ...rewards, ...observed }, whole: false }],
    )
  );
}

/** By the first reward, the best first. */
export function ranked(made: readonly Made[]): Made[] {
  const first = made.flatMap(({ scores }) => Object.keys(scores))[0];
  const score = ({ scores }: Made) => (first === undefined ? 0 : (scores[first] ?? Number.NEGATIVE_INFINITY));
  return [...made].sort((a, b) => score(b) - score(a));
}
