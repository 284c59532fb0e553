// One process of the efficacy bench: takes its settings as JSON, refines and selects sentence by sentence, prints a line for each.

import { compile, type Session } from "../../graph/index.ts";
import { loadPipeline } from "../../reno/loadPipeline.ts";
import { layouts, runnerOf } from "../../reno/memoryPlan.ts";
import { type RefineOptions, type RefineStep, refine } from "../../reno/refine.ts";
import { toBytes } from "../../reno/resultFile.ts";
import type { StepPlan } from "../../reno/stepGraph.ts";
import { loadReward } from "../../scoring/loadReward.ts";
import { check } from "../../shapes/check.ts";
import { Random } from "../../shapes/random.ts";
import { sentence } from "../../shapes/scene.ts";
import { describeFrom } from "../../tuning/generatorTraining.ts";
import { type Course, type EfficacyCase, type EfficacyTask, milestones } from "./efficacyCase.ts";
import { type NoiseStatistics, noiseStatistics } from "./statistics.ts";

/** Sentences of both kinds that training never saw, by turns; the tests' random numbers begin elsewhere than any training's. */
const testKey = 0xeff1;

function sentenceOf(index: number): string {
  const split = index % 2 ? "unseen pairing" : "unseen combination";
  return sentence(describeFrom([split], new Random(testKey, index)));
}

/** Everything in one session, made once for all prompts of a length. */
function shared(): StepPlan {
  const made = new Map<string, Promise<Session>>();
  return async (parts) => {
    const layout = layouts.whole(parts);
    const sizes = Object.entries(layout.feeds).map(([name, values]) => `${name} ${values.length}`);
    const key = [parts.gradient, ...sizes].join(", ");
    if (!made.has(key)) made.set(key, compile(layout.segments[0]!.outputs, parts.compile));
    const session = await made.get(key)!;
    return { ...runnerOf(layout, (_, values) => session.run(values), parts), release: async () => {} };
  };
}

async function course(options: RefineOptions): Promise<Course> {
  const right: boolean[] = [];
  const reward: number[] = [];
  const noise: Record<number, NoiseStatistics> = {};
  let best: RefineStep | undefined;
  for await (const step of refine(options)) {
    if (step.best) best = step;
    right.push(step.best ? check(toBytes(step.pixels), options.prompt).right : right.at(-1)!);
    reward.push(Object.values(best!.rewards)[0]!);
    const looks = step.step + 1;
    if (looks === 1 || milestones.includes(looks as 10)) noise[looks] = noiseStatistics(best!.latents);
  }
  return { right, reward, noise };
}

async function main(task: EfficacyTask): Promise<void> {
  const run = { provider: "cpu", threads: task.threads } as const;
  const pipeline = await loadPipeline(task.pipeline, run);
  const reward = await loadReward("shapes", run);
  const plan = shared();
  for (const index of task.cases) {
    const [words, seed] = [sentenceOf(Math.floor(index / task.seeds)), index]; // no noise twice
    const options = { ...run, plan, pipeline, rewards: [{ reward }], prompt: words, seed, iterations: task.iterations };
    const conditioning = await pipeline.condition(words);
    const given = { optimizer: task.optimizer as "sgd", learningRate: task.lr, regularization: task.reg };
    const refined = await course({ ...options, ...given, conditioning });
    const selected = await course({ ...options, conditioning, mode: "select" });
    const result: EfficacyCase = { index, sentence: words, seed, refine: refined, select: selected };
    process.stdout.write(`${JSON.stringify(result)}\n`);
  }
}

await main(JSON.parse(process.argv[2]!) as EfficacyTask);
