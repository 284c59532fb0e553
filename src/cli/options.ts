// The flags of score, rank and watch, and the plan that they make together, checked before anything is read or loaded.

import { access } from "node:fs/promises";
import { type Command, InvalidArgumentError, Option } from "commander";
import { RequestError } from "../errors.ts";
import { checkLimits, type Limits } from "../scoring/filter.ts";
import { rewards as knownRewards } from "../scoring/loadReward.ts";
import type { RewardSpec } from "../scoring/registry.ts";
import { parseRewardNames, type RewardName } from "../scoring/rewardName.ts";
import type { Rejection } from "../tasks/reject.ts";

export interface RunFlags {
  readonly reward?: string[];
  readonly provider?: string;
  readonly dtype?: string;
  readonly threads?: number;
}

export interface ScoreFlags extends RunFlags {
  readonly prompt?: string;
  readonly min?: number;
  readonly max?: number;
  readonly top?: number;
  readonly sort?: boolean;
  readonly rank?: boolean;
  readonly write?: boolean;
  readonly rejectTo?: string;
  readonly delete?: boolean;
  readonly permanently?: boolean;
  readonly recursive?: boolean;
  readonly json?: boolean;
  readonly csv?: string;
}

/** What a run does with each picture. */
export interface Plan {
  readonly rewards: readonly { readonly spec: RewardSpec; readonly weight: number }[];
  /** There is a total beside the scores. */
  readonly several: boolean;
  readonly prompt: string | undefined;
  readonly limits: Limits;
  readonly write: boolean;
  readonly rejection: Rejection;
}

// ---- the flags

/** As infotext and every host write numbers: with a point, whatever the locale. */
export function parseNumber(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isFinite(value)) return value;
  const hint = /^-?\d+,\d+$/.test(text)
    ? ` Write ${text.replace(",", ".")}, with a point.`
    : " Write it as in 0 or -0.5.";
  throw new InvalidArgumentError(`It is no number.${hint}`);
}

export function parseCount(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It is no whole number from 1. Write it as in 10.");
}

export const collect = (text: string, earlier: string[] = []): string[] => [...earlier, text];

export const addRunFlags = (command: Command): Command =>
  command
    .option(
      "--reward <name[=weight][@path]>",
      "the reward model; several are added up by weight (default: imagereward)",
      collect,
    )
    .addOption(
      new Option("--provider <name>", "what computes").choices(["auto", "cpu", "webgpu", "cuda", "dml", "coreml"]),
    )
    .addOption(
      new Option(
        "--dtype <name>",
        "what the model computes in; auto is float32; float16 (for GPUs) and int8 (about three times as fast on the CPU) are approximate",
      ).choices(["auto", "float32", "float16", "int8"]),
    )
    .option("--threads <n>", "processor threads for the model", parseCount)
    .option("--json", "JSON Lines on stdout, and nothing else there");

export const addScoreFlags = (command: Command): Command =>
  addRunFlags(command)
    .option("--prompt <text>", "the prompt of all pictures; otherwise each file's own")
    .option("--min <score>", "keep what scores this or more", parseNumber)
    .option("--max <score>", "keep what scores this or less", parseNumber)
    .option("--write", "write the scores into the files; the pixels stay as they are")
    .option("--reject-to <folder>", "move what is not kept there, with its caption; nothing is overwritten")
    .option("--delete", "move what is not kept to the trash, or where there is none to a folder rejected/ beside it")
    .option("--permanently", "with --delete: no trash, gone for good");

// ---- the plan

export async function planOf(flags: ScoreFlags): Promise<Plan> {
  checkContradictions(flags);
  const { prompt, min, max, top, write = false } = flags;
  const limits: Limits = { ...given("min", min), ...given("max", max), ...given("top", top) };
  checkLimits(limits);
  const rewards = await rewardsOf(flags);
  const several = rewards.length > 1 || rewards[0]!.weight !== 1;
  return { rewards, several, prompt, limits, write, rejection: rejectionOf(flags) };
}

const given = (name: keyof Limits, value: number | undefined): Limits => (value === undefined ? {} : { [name]: value });

/** Each slip with its sentence, in the order in which they are looked for. */
const contradictions: { when: (flags: ScoreFlags) => unknown; says: string; hint: string }[] = [
  {
    when: (flags) => flags.delete && flags.rejectTo !== undefined,
    says: "--delete and --reject-to were both given; wanted is one of them.",
    hint: "Say what shall happen to pictures that are not kept: the trash, or a folder.",
  },
  {
    when: (flags) => flags.permanently && !flags.delete,
    says: "--permanently was given without --delete; wanted are both, or neither.",
    hint: 'To delete for good write "--delete --permanently".',
  },
  {
    when: (flags) => (flags.delete || flags.rejectTo !== undefined) && !hasLimits(flags),
    says: "--delete and --reject-to need to know which pictures are not kept; no limit was given.",
    hint: 'Give a limit, as in "--min 0" or "--top 10".',
  },
  {
    when: (flags) => flags.rank === false && (flags.sort || flags.top !== undefined),
    says: "--no-rank prints each result at once, but --sort and --top need to know all of them first.",
    hint: "Leave out --no-rank, or --sort and --top.",
  },
];

const hasLimits = ({ min, max, top }: ScoreFlags) => min !== undefined || max !== undefined || top !== undefined;

function checkContradictions(flags: ScoreFlags): void {
  const found = contradictions.find(({ when }) => when(flags));
  if (found) throw new RequestError(found.says, { hint: found.hint });
}

function rejectionOf({ rejectTo, delete: away, permanently }: ScoreFlags): Rejection {
  if (rejectTo !== undefined) return { kind: "move", folder: rejectTo };
  if (!away) return { kind: "keep" };
  return { kind: permanently ? "delete" : "trash" };
}

export async function rewardsOf(
  flags: RunFlags,
  isSame?: (a: RewardName, b: RewardName) => boolean,
): Promise<{ spec: RewardSpec; weight: number }[]> {
  const names = parseRewardNames(flags.reward ?? ["imagereward"], isSame);
  for (const name of names) await checkReward(name);
  const { provider, dtype, threads } = flags;
  const run = { ...(provider && { provider }), ...(dtype && { dtype }), ...(threads && { threads }) };
  return names.map(({ name, weight, path }) => ({ spec: { name, ...(path && { path }), ...run }, weight }));
}

async function checkReward({ name, path }: RewardName): Promise<void> {
  if (!Object.hasOwn(knownRewards, name)) {
    throw new RequestError(`There is no reward "${name}"; there are ${Object.keys(knownRewards).join(", ")}.`, {
      hint: 'Choose one of these, with a checkpoint of your own as in "imagereward@path/to/ImageReward.pt".',
    });
  }
  const missing = path !== undefined && (await access(path).catch(() => true));
  if (missing) {
    throw new RequestError(`The checkpoint ${path} of the reward "${name}" is not there, or may not be read.`, {
      hint: "Check the path; a relative one begins at the folder that the command runs in.",
    });
  }
}

/** The same rewards in float32: for scores that are written, or decide near a limit. */
export const inFloat32 = (plan: Plan): Plan["rewards"] =>
  plan.rewards.map(({ spec, weight }) => ({ spec: { ...spec, dtype: "float32" }, weight }));
