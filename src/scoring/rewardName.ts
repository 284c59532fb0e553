// How a reward is written on a command line or in a request: name[=weight][@path], as "imagereward=0.5@models/ImageReward.pt".

import { RequestError } from "../errors.ts";

export interface RewardName {
  readonly name: string;
  /** Its share in the total; 1 unless given. */
  readonly weight: number;
  /** Its checkpoint; without one, the place that the registry of models knows. */
  readonly path?: string;
}

/** What the grammar allows; a path may hold "=" and "@" itself, so it is everything after the first "@". */
const grammar = /^(?<name>[^=@]*)(?:=(?<weight>[^@]*))?(?:@(?<path>.*))?$/s;

export function parseRewardName(text: string): RewardName {
  const { name = "", weight, path } = grammar.exec(text)?.groups ?? {};
  if (!/^[\w.-]+$/.test(name)) {
    throw new RequestError(
      `The reward "${text}" has ${name === "" ? "no name" : `the name "${name}"`}; wanted is name[=weight][@path] with a name of letters, digits, ".", "_" or "-".`,
      { hint: 'Write it as in "imagereward", "imagereward=0.5" or "imagereward=1@models/ImageReward.pt".' },
    );
  }
  if (path === "") {
    throw new RequestError(`The reward "${text}" ends with "@"; wanted is the path of a checkpoint after it.`, {
      hint: `Write "${name}@path/to/checkpoint", or leave the "@" out.`,
    });
  }
  return { name: name.toLowerCase(), weight: parseWeight(text, weight), ...(path === undefined ? {} : { path }) };
}

function parseWeight(text: string, weight: string | undefined): number {
  if (weight === undefined) return 1;
  const value = weight.trim() === "" ? Number.NaN : Number(weight);
  if (Number.isFinite(value) && value !== 0) return value;
  throw new RequestError(`The reward "${text}" has the weight "${weight}"; wanted is a number other than 0.`, {
    hint: 'Write the weight with a point, as in "imagereward=0.5", or leave it out for 1.',
  });
}

const sameName = (a: RewardName, b: RewardName): boolean => a.name === b.name;

/** Where a second checkpoint of the same kind is another reward. */
export const sameCheckpoint = (a: RewardName, b: RewardName): boolean => sameName(a, b) && a.path === b.path;

/** Several rewards; naming one twice is a slip of the pen, and its two scores could not be told apart. */
export function parseRewardNames(texts: readonly string[], isSame = sameName): RewardName[] {
  const names = texts.map(parseRewardName);
  const twice = names.find((name, index) => names.slice(0, index).some((other) => isSame(name, other)));
  if (twice) {
    throw new RequestError(`The reward "${twice.name}" is given twice; wanted is each reward once.`, {
      hint: `Give it once, with a weight if it shall count more: "${twice.name}=2".`,
    });
  }
  return names;
}
