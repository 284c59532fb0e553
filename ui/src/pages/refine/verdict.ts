// What the rewards that only looked on say of a refine: did the picture get better, or was the reward gamed?

import type { Scores } from "../../../../src/server/api/common.ts";
import type { NoteTone } from "../../components/tone.ts";

export interface Change {
  readonly name: string;
  readonly before: number;
  readonly after: number;
}

export interface Verdict {
  readonly tone: NoteTone;
  readonly title: string;
  readonly text: string;
}

export const changesOf = (before: Scores = {}, after: Scores = {}): Change[] =>
  Object.keys(after)
    .filter((name) => before[name] !== undefined)
    .map((name) => ({ name, before: before[name]!, after: after[name]! }));

/** 1, 0 or -1, by the four digits that are shown: what a reader can not see has not changed. */
export const direction = ({ before, after }: Change): number => Math.sign(Math.round((after - before) * 1e4));

export function verdict(optimised: readonly Change[], observed: readonly Change[]): Verdict {
  const rose = optimised.filter((change) => direction(change) > 0);
  const fell = observed.filter((change) => direction(change) < 0);
  const also = observed.filter((change) => direction(change) > 0);
  if (rose.length === 0) return noBetter(optimised);
  if (observed.length === 0) return nobodyLooked(rose);
  if (fell.length === observed.length) return likelyGamed(rose, fell);
  if (fell.length > 0) return mixed(rose, also, fell);
  return also.length > 0 ? agree(rose, also) : unmoved(rose, observed);
}

const noBetter = (optimised: readonly Change[]): Verdict => ({
  tone: "neutral",
  title: "Nothing better was found",
  text: `No step pleased ${names(optimised) || "the reward"} more than the picture it began with.`,
});

const nobodyLooked = (rose: readonly Change[]): Verdict => ({
  tone: "unsure",
  title: "Only your eyes can tell",
  text: `${names(rose)} rose, but no other reward looked on: nothing here says whether the picture fits its prompt better or only pleases the reward. Compare the two pictures yourself.`,
});

const likelyGamed = (rose: readonly Change[], fell: readonly Change[]): Verdict => ({
  tone: "warning",
  title: "Likely gamed",
  text: `${names(rose)} rose, but ${names(fell)}, which ${were(fell)} not optimised, fell. The picture probably learned to please the reward rather than to fit its prompt better. An earlier step may be the better picture.`,
});

const mixed = (rose: readonly Change[], also: readonly Change[], fell: readonly Change[]): Verdict => ({
  tone: "unsure",
  title: "The rewards disagree",
  text: `${names(rose)} rose. Of those that were not optimised, ${also.length ? `${names(also)} rose too, but ` : ""}${names(fell)} fell. Trust your eyes.`,
});

const agree = (rose: readonly Change[], also: readonly Change[]): Verdict => ({
  tone: "good",
  title: "The others agree",
  text: `${names(rose)} rose, and so did ${names(also)}, which ${were(also)} not optimised: a good sign, though no proof.`,
});

const unmoved = (rose: readonly Change[], observed: readonly Change[]): Verdict => ({
  tone: "unsure",
  title: "The others see no difference",
  text: `${names(rose)} rose, but ${names(observed)}, which ${were(observed)} not optimised, did not move. Trust your eyes.`,
});

const were = (changes: readonly Change[]) => (changes.length > 1 ? "were" : "was");

/** "a", "a and b", "a, b and c" */
function names(changes: readonly Change[]): string {
  const all = changes.map(({ name }) => name);
  return all.length < 2 ? all.join("") : `${all.slice(0, -1).join(", ")} and ${all.at(-1)}`;
}
