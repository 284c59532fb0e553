// renoir rank: several pictures of one prompt put in order, as upstream's inference_rank does.

import type { Command } from "commander";
import { ranksOf } from "../scoring/filter.ts";
import { rewardRegistry } from "../scoring/rewardRegistry.ts";
import { isScored, type Outcome, scoreAll } from "../scoring/scorer.ts";
import { watchInterrupts } from "./interrupt.ts";
import { addRunFlags, planOf, type RunFlags } from "./options.ts";
import { errorBody, errorText, jsonLine, type Line, tableText, usesColor } from "./output.ts";
import { lineOf, rankingScore } from "./verdict.ts";

const help = `
"ranking" has each picture's place, 1 for the best, in the order of the files, and "rewards" its score, as upstream's
inference_rank gives them. A picture that can not be read has null in both, and the exit status is 1.

Example:
  $ renoir rank --prompt "a red fox in the snow" fox1.png fox2.png fox3.png --json
  {"ranking":[2,1,3],"rewards":[0.31,0.58,-1.2]}`;

interface RankFlags extends RunFlags {
  readonly prompt: string;
  readonly json?: boolean;
}

export function registerRank(program: Command): void {
  addRunFlags(program.command("rank").description("put pictures of one prompt in order"))
    .argument("<file...>", "the pictures")
    .requiredOption("--prompt <text>", "the prompt that they shall fit")
    .addHelpText("after", help)
    .action(rank);
}

async function rank(paths: string[], flags: RankFlags): Promise<void> {
  const plan = await planOf(flags);
  const interrupt = watchInterrupts();
  const registry = rewardRegistry();
  try {
    const pictures = paths.map((file) => ({ file, prompt: flags.prompt }));
    const outcomes: Outcome[] = [];
    for await (const outcome of scoreAll(pictures, { rewards: plan.rewards, registry, signal: interrupt.signal })) {
      outcomes.push(outcome);
      if (!isScored(outcome)) process.stderr.write(`${errorText(errorBody(outcome.error))}\n`);
    }
    if (outcomes.length < pictures.length || !outcomes.every(isScored)) process.exitCode = 1;
    if (interrupt.signal.aborted) return;
    const { ranking, rewards } = rankingOf(outcomes, plan.several);
    if (flags.json) process.stdout.write(jsonLine({ ranking, rewards }));
    else
      process.stdout.write(
        tableText(
          outcomes.map((outcome, index) => toLine(outcome, ranking[index]!, plan)),
          usesColor(process.stdout),
        ),
      );
  } finally {
    interrupt.release();
    await registry.unload();
  }
}

/** Places and scores in the order of the pictures; null for those that failed. */
function rankingOf(outcomes: readonly Outcome[], several: boolean) {
  const scored = outcomes.filter(isScored);
  const values = scored.map((one) => rankingScore(one, { several }));
  const ranks = ranksOf(values);
  const places = new Map<Outcome, number>(scored.map((outcome, index) => [outcome, index]));
  const inOrder = (column: readonly number[]) => outcomes.map((outcome) => column[places.get(outcome) ?? -1] ?? null);
  return { ranking: inOrder(ranks), rewards: inOrder(values) };
}

function toLine(outcome: Outcome, place: number | null, plan: Parameters<typeof lineOf>[2]): Line {
  if (!isScored(outcome)) return { file: outcome.picture.file, error: errorBody(outcome.error) };
  return { ...lineOf(outcome, true, plan), rank: place };
}
