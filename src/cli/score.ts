// renoir score: scores pictures, ranks them, and keeps, moves or deletes them by their scores.

import type { Command } from "commander";
import type { RenoirError } from "../errors.ts";
import { keepers, ranksOf, undecided, withinLimits } from "../scoring/filter.ts";
import type { RewardRegistry } from "../scoring/registry.ts";
import { rewardRegistry } from "../scoring/rewardRegistry.ts";
import { isScored, type Scored, type ScoringReward, scoreAll } from "../scoring/scorer.ts";
import { gatherPictures } from "./files.ts";
import { type Interrupt, watchInterrupts } from "./interrupt.ts";
import { addScoreFlags, inFloat32, type Plan, parseCount, planOf, type ScoreFlags } from "./options.ts";
import {
  errorBody,
  errorText,
  isScoreLine,
  jsonLine,
  type Line,
  plainLine,
  rankingValue,
  tableText,
  usesColor,
  writeCsv,
} from "./output.ts";
import { createProgress, type Progress } from "./progress.ts";
import { settle } from "./settle.ts";
import { certain, exactly, lineOf, marginOf, promptOf, rankingScore } from "./verdict.ts";

const examples = `
Each file's own prompt is used, as its metadata has it, unless --prompt is given. With several rewards the sum of
weight times score ranks and filters; it is called "total". Ranks need every score, so results come at the end, in the
order of the files (with --sort the best first); with --no-rank each comes as soon as it is there, and its rank is null.
Scores of --dtype int8 or float16 are marked as approximate. They are never written into files, and where they come near a limit
the picture is scored again in float32.

Exit status: 0 all done, 1 some picture failed (the others are done), 2 wrong usage.

Examples:
  $ renoir score outputs/ --recursive --sort
  $ renoir score outputs/ --write --min 0 --reject-to rejected/
  $ renoir score *.png --prompt "a red fox in the snow" --top 5 --json
  $ renoir score outputs/ --reward imagereward=1 --reward shapes=0.5 --csv scores.csv`;

export function registerScore(program: Command): void {
  addScoreFlags(program.command("score").description("score pictures by how well they fit their prompts"))
    .argument("<file-or-folder...>", "pictures, or folders of them")
    .option("--top <n>", "keep the best n of what is within the limits", parseCount)
    .option("--sort", "print the best first")
    .option("--no-rank", "print each result as soon as it is there")
    .option("--recursive", "look into folders in folders")
    .option("--csv <file>", "write the results as a table as well")
    .addHelpText("after", examples)
    .action(async (paths: string[], flags: ScoreFlags) => {
      const plan = await planOf(flags);
      const interrupt = watchInterrupts();
      const registry = rewardRegistry();
      try {
        const failed = await new ScoreRun(plan, flags, registry, interrupt).run(paths);
        if (failed) process.exitCode = 1;
      } finally {
        interrupt.release();
        await registry.unload();
      }
    });
}

class ScoreRun {
  readonly #plan: Plan;
  readonly #flags: ScoreFlags;
  readonly #registry: RewardRegistry<ScoringReward>;
  readonly #interrupt: Interrupt;
  readonly #lines: Line[] = [];
  /** By the index of their lines: pictures that only the ranks of all can decide about. */
  readonly #pending = new Map<number, Scored>();
  #progress: Progress | undefined;

  constructor(plan: Plan, flags: ScoreFlags, registry: RewardRegistry<ScoringReward>, interrupt: Interrupt) {
    this.#plan = plan;
    this.#flags = flags;
    this.#registry = registry;
    this.#interrupt = interrupt;
  }

  async run(paths: readonly string[]): Promise<boolean> {
    const { rejection } = this.#plan;
    const except = rejection.kind === "move" ? [rejection.folder] : [];
    const found = await gatherPictures(paths, { recursive: this.#flags.recursive, except });
    for (const { file, error } of found.failed) this.#fail(file, error);
    if (found.files.length === 0 && found.failed.length === 0) sayNothingFound(found.unvisited);
    this.#progress = createProgress(found.files.length, "Scored");
    try {
      await this.#scoreFiles(found.files);
      await this.#decideTop();
    } finally {
      this.#progress.stop();
    }
    await this.#print();
    return this.#interrupt.signal.aborted || this.#lines.some((line) => line.error !== undefined);
  }

  async #scoreFiles(files: readonly string[]): Promise<void> {
    const { prompt, write } = this.#plan;
    const pictures = files.map((file) => ({ file, prompt }));
    // A score that is written must be exact, so the quick one would be for nothing.
    const rewards = write ? inFloat32(this.#plan) : this.#plan.rewards;
    for await (const outcome of this.#score(pictures, rewards)) {
      if (isScored(outcome)) await this.#take(await certain(outcome, this.#plan, this.#score));
      else this.#fail(outcome.picture.file, outcome.error);
      this.#progress?.step();
    }
  }

  readonly #score = (pictures: readonly { file: string; prompt?: string | undefined }[], rewards: Plan["rewards"]) =>
    scoreAll(pictures, { rewards, registry: this.#registry, promptOf, signal: this.#interrupt.signal });

  async #take(scored: Scored): Promise<void> {
    const kept = withinLimits(rankingScore(scored, this.#plan), this.#plan.limits);
    if (this.#plan.limits.top !== undefined) {
      this.#pending.set(this.#lines.length, scored);
      this.#lines.push(lineOf(scored, kept, this.#plan));
    } else this.#add(await settle(lineOf(scored, kept, this.#plan), this.#plan));
  }

  /** --top: what is beyond the best n goes, but only when every score is known. */
  async #decideTop(): Promise<void> {
    if (this.#pending.size === 0) return;
    await this.#sharpenCut();
    const indices = [...this.#pending.keys()];
    const values = indices.map((index) => rankingScore(this.#pending.get(index)!, this.#plan));
    const kept = keepers(values, this.#plan.limits);
    // Interrupted: the best of a part say nothing about the whole, so everything stays where it is.
    const rejection = this.#interrupt.signal.aborted ? ({ kind: "keep" } as const) : this.#plan.rejection;
    for (const [place, index] of indices.entries()) {
      const line = lineOf(this.#pending.get(index)!, kept[place]!, this.#plan);
      this.#lines[index] = this.#report(await settle(line, { ...this.#plan, rejection }));
    }
  }

  async #sharpenCut(): Promise<void> {
    const pending = [...this.#pending];
    const values = pending.map(([, scored]) => rankingScore(scored, this.#plan));
    const unsure = undecided(values, this.#plan.limits, marginOf(this.#plan));
    for (const [place, [index, scored]] of pending.entries()) {
      if (unsure[place] && scored.approximate) {
        this.#pending.set(index, await exactly(scored, this.#plan, this.#score));
      }
    }
  }

  #fail(file: string, error: RenoirError): void {
    this.#add({ file, error: errorBody(error) });
  }

  #add(line: Line): void {
    this.#lines.push(this.#report(line));
    if (this.#flags.rank === false) process.stdout.write(this.#flags.json ? jsonLine(line) : plainLine(line));
  }

  #report<L extends Line>(line: L): L {
    if (line.error) this.#say(errorText(line.error));
    return line;
  }

  #say(text: string): void {
    if (this.#progress) this.#progress.say(text);
    else process.stderr.write(`${text}\n`);
  }

  async #print(): Promise<void> {
    const { json, sort, rank, csv } = this.#flags;
    const lines = rank === false ? this.#lines : withRanks(this.#lines);
    const ordered = sort ? [...lines].sort(byRank) : lines;
    if (rank !== false && json) for (const line of ordered) process.stdout.write(jsonLine(line));
    if (rank !== false && !json && ordered.length > 0)
      process.stdout.write(tableText(ordered, usesColor(process.stdout)));
    if (csv !== undefined) await writeCsv(csv, ordered);
    process.stderr.write(`${summary(lines)}\n`);
  }
}

function withRanks(lines: readonly Line[]): Line[] {
  const scored = lines.filter(isScoreLine);
  const ranks = ranksOf(scored.map(rankingValue));
  const rankOf = new Map<Line, number>(scored.map((line, index) => [line, ranks[index]!]));
  return lines.map((line) => (isScoreLine(line) ? { ...line, rank: rankOf.get(line)! } : line));
}

const byRank = (a: Line, b: Line): number => placeOf(a) - placeOf(b);
const placeOf = (line: Line) => (isScoreLine(line) ? (line.rank ?? 0) : Number.MAX_SAFE_INTEGER);

function sayNothingFound(unvisited: number): void {
  const hint = unvisited > 0 ? ` There are ${unvisited} folders in it: look into them with --recursive.` : "";
  process.stderr.write(`There is no picture in what was named.${hint}\n`);
}

function summary(lines: readonly Line[]): string {
  const scored = lines.filter(isScoreLine);
  const kept = scored.filter((line) => line.kept).length;
  const failed = lines.filter((line) => line.error !== undefined).length;
  return `${scored.length} scored, ${kept} kept, ${scored.length - kept} not kept, ${failed} failed.`;
}
