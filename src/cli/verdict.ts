// From a score to a line of output: which number ranks, whether it is exact enough to decide by, whether the picture stays.

import { readMetadata } from "../metadata/index.ts";
import { undecided } from "../scoring/filter.ts";
import { isScored, type Outcome, type Scored } from "../scoring/scorer.ts";
import { inFloat32, type Plan } from "./options.ts";
import type { ScoreLine } from "./output.ts";

/** What int8 may be off by: three times the root mean square of 0.10 measured on ImageReward. float16 is off by far less. */
const largestError = 0.3;

/** How far an approximate total may be from the exact one. */
export const marginOf = ({ rewards }: Plan): number =>
  largestError * rewards.reduce((sum, { weight }) => sum + Math.abs(weight), 0);

/** With several rewards the total, else the score as it is. */
export const rankingScore = (scored: Scored, { several }: Pick<Plan, "several">): number =>
  several ? scored.total : Object.values(scored.scores)[0]!;

/** What the file itself says that it shows. */
export const promptOf = async ({ file }: { file: string }): Promise<string | undefined> =>
  (await readMetadata(file)).prompt ?? undefined;

export type Rescore = (
  pictures: { file: string; prompt: string }[],
  rewards: Plan["rewards"],
) => AsyncIterable<Outcome>;

/** An approximate score too near to min or max is replaced by the exact one. */
export async function certain(scored: Scored, plan: Plan, rescore: Rescore): Promise<Scored> {
  const { top: _, ...limits } = plan.limits;
  const unsure = scored.approximate && undecided([rankingScore(scored, plan)], limits, marginOf(plan))[0];
  return unsure ? await exactly(scored, plan, rescore) : scored;
}

/** The same picture in float32; as it was where the file has gone meanwhile. */
export async function exactly(scored: Scored, plan: Plan, rescore: Rescore): Promise<Scored> {
  const { picture, prompt } = scored;
  for await (const outcome of rescore([{ file: picture.file, prompt }], inFloat32(plan))) {
    if (isScored(outcome)) return outcome;
  }
  return scored;
}

export function lineOf(scored: Scored, kept: boolean, { several }: Pick<Plan, "several">): ScoreLine {
  const { picture, prompt, scores, total, approximate } = scored;
  return {
    file: picture.file,
    prompt,
    scores,
    ...(several && { total }),
    rank: null,
    kept,
    ...(approximate && { approximate }),
  };
}
