// `npm run train:reward`: trains the reward model of the shapes world, examines it on sentences it never saw, and writes it where
// Renoir looks for it. Stopped at any time, it goes on from its last checkpoint when it is started again.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { side } from "../shapes/scene.ts";
import { embeddingRows, vocabularyFile } from "../shapes/vocabulary.ts";
import { writeSafetensors } from "../weights/safetensors.ts";
import { describeEvaluation, type Evaluation, Examiner, percent } from "./evaluation.ts";
import { Meter, pointsOf, round, say } from "./meter.ts";
import { plotPng } from "./plot.ts";
import { readTraining, standardiseHead, type Trace, writeTraining } from "./rewardFiles.ts";
import { allSteps, startState, type TrainingSettings, type TrainingState, train } from "./rewardTraining.ts";
import { rewardShapes } from "./rewardWeights.ts";

const project = fileURLToPath(new URL("../..", import.meta.url));
const traceEvery = 50; // steps
const measured = ["ranking", "naming", "finding", "judging", "norm", "accuracy", "painted"] as const;

interface Options {
  guidance: number;
  steps: number;
  simpleSteps: number;
  refiningSteps: number;
  refiningRate: number;
  batch: number;
  rate: number;
  seed: number;
  threads?: number;
  checkpointEvery: number;
  examineEvery: number;
  tests: number;
  fresh?: boolean;
  asItStands?: boolean;
  work: string;
  out: string;
  plot: string;
}

const command = () =>
  new Command("train:reward")
    .description("Trains the reward model of the built-in shapes world.")
    .option("--steps <n>", "steps with drawn pictures", Number, 4500)
    .option("--simple-steps <n>", "steps at the start with simple scenes and easy pairs", Number, 500)
    .option("--refining-steps <n>", "steps after them against pictures that refining paints", Number, 2000)
    .option("--refining-rate <x>", "highest learning rate of these", Number, 3e-4)
    .option("--batch <n>", "groups of preferences in a step", Number, 8)
    .option("--rate <x>", "highest learning rate", Number, 8e-4)
    .option("--guidance <x>", "weight of what is learned from where things are, beside the ranking", Number, 1)
    .option("--seed <n>", "seed of weights and data", Number, 1)
    .option("--threads <n>", "threads (default: all cores)", Number)
    .option("--checkpoint-every <n>", "steps between checkpoints", Number, 250)
    .option("--examine-every <n>", "steps between examinations on held-out pairs", Number, 500)
    .option("--tests <n>", "held-out groups in the last examination", Number, 800)
    .option("--fresh", "begin anew even if there is a checkpoint")
    .option("--as-it-stands", "train no further: examine and write the model of the last checkpoint")
    .option("--work <folder>", "where checkpoints lie", join(project, ".cache/train-reward"))
    .option("--out <folder>", "where the trained model goes", join(project, "assets/shapes"))
    .option("--plot <file>", "where the plot goes", join(project, "docs/reward-training.png"))
    .addHelpText("after", "\nExample: npm run train:reward -- --steps 4500 --threads 2");

const settingsFrom = ({ seed, steps, simpleSteps, batch, rate, guidance, ...given }: Options): TrainingSettings => ({
  seed,
  sizes: {
    side,
    patch: 8,
    visionWidth: 128,
    visionDepth: 3,
    textWidth: 128,
    textDepth: 4,
    vocabulary: embeddingRows,
    positions: 64,
  },
  steps,
  batch,
  peak: rate,
  warmUp: 100,
  simpleSteps,
  guidance,
  refining: { steps: given.refiningSteps, peak: given.refiningRate, painted: batch / 2 },
});

export async function main(args: readonly string[]): Promise<number> {
  const options = command().parse(args, { from: "user" }).opts<Options>();
  const settings = settingsFrom(options);
  const kept = options.fresh ? undefined : await readTraining(options.work, settings);
  const state = kept?.state ?? startState(settings);
  const trace = kept?.trace ?? [];
  if (kept) say(`Going on from step ${state.step} in ${options.work}.`);
  if (!options.asItStands) await learn(settings, state, trace, options);
  await finish(settings, state, trace, options);
  return 0;
}

async function learn(
  settings: TrainingSettings,
  state: TrainingState,
  trace: Trace[],
  options: Options,
): Promise<void> {
  const shapes = rewardShapes(settings.sizes);
  const quick = await Examiner.build(shapes, 160, settings.seed, options.threads);
  const meter = new Meter(allSteps(settings), measured);
  for await (const progress of train(settings, state, options.threads)) {
    meter.note(progress);
    if (progress.step % traceEvery === 0) {
      const { entry, pace } = meter.read(1);
      trace.push(entry);
      say(`${describeTrace(entry, allSteps(settings))}  ${pace}`);
    }
    if (progress.step % options.examineEvery === 0) {
      const { all, kinds } = await quick.examine(state.parameters);
      const last = trace.at(-1);
      if (last) last.heldOut = round(all.right / all.of);
      say(
        `  held-out pairs ${percent(all)}: ${Object.entries(kinds)
          .map(([kind, share]) => `${kind} ${percent(share)}`)
          .join(", ")}`,
      );
    }
    if (progress.step % options.checkpointEvery === 0) await writeTraining(options.work, settings, state, trace);
  }
  await quick.release();
  await writeTraining(options.work, settings, state, trace);
}

/** The last examination on many pairs, the standardised head, and the files. */
async function finish(
  settings: TrainingSettings,
  state: TrainingState,
  trace: Trace[],
  options: Options,
): Promise<void> {
  const { parameters } = state;
  const shapes = rewardShapes(settings.sizes);
  const examiner = await Examiner.build(shapes, options.tests, settings.seed + 1, options.threads);
  const evaluation = await examiner.examine(parameters);
  await examiner.release();
  say(describeEvaluation(evaluation));
  const names = Object.keys(shapes);
  const finished = standardiseHead(Object.fromEntries(names.map((name) => [name, parameters[name]!])), evaluation);
  await mkdir(options.out, { recursive: true });
  await writeSafetensors(
    join(options.out, "reward.safetensors"),
    Object.fromEntries(names.map((name) => [name, { dtype: "float32", shape: shapes[name]!, data: finished[name]! }])),
    { format: "pt", description: "Renoir's built-in demo reward model for the shapes world" },
  );
  await writeFile(join(options.out, "vocab.txt"), vocabularyFile());
  await writeFile(
    join(options.out, "training.json"),
    `${JSON.stringify(record(settings, state, evaluation, trace), null, 1)}\n`,
  );
  await writeFile(options.plot, await plotPng(curvesOf(trace, settings)));
  say(`Written: reward.safetensors, vocab.txt and training.json in ${options.out}, ${options.plot}.`);
}

const record = (
  settings: TrainingSettings,
  { step }: TrainingState,
  { mean, deviation, ...heldOut }: Evaluation,
  trace: readonly Trace[],
) => ({
  settings,
  reached: step,
  heldOut,
  rawScores: { mean, deviation },
  trace,
});

function curvesOf(trace: readonly Trace[], { steps }: TrainingSettings) {
  const refining = trace.filter(({ step }) => step > steps);
  return {
    title: "The shapes reward model: learning to prefer",
    xLabel: "steps",
    low: 0,
    high: 1,
    legend: 0.35,
    curves: [
      { label: "ranking loss", colour: "#c0392b", points: pointsOf(trace, ({ ranking }) => ranking) },
      { label: "right order, training", colour: "#2471a3", points: pointsOf(trace, ({ accuracy }) => accuracy) },
      { label: "right order, held out", colour: "#1e8449", points: pointsOf(trace, ({ heldOut }) => heldOut) },
      {
        label: "scene above what was painted",
        colour: "#b9770e",
        points: pointsOf(refining, ({ painted }) => painted),
      },
    ],
  };
}

const describeTrace = ({ step, ranking, naming, finding, judging, accuracy, painted }: Trace, total: number): string =>
  `${step}/${total}  ranking ${ranking.toFixed(3)}  right ${(100 * accuracy).toFixed(1)} %  painted ${(100 * painted).toFixed(1)} %  ` +
  `(naming ${naming.toFixed(2)} finding ${finding.toFixed(3)} judging ${judging.toFixed(2)})`;
