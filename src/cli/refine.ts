// renoir refine: a picture's own noise, optimised until rewards like the picture better (ReNO). What the command line does not say,
// the picture's file does, so that step 0 is that very picture.

import { readFile } from "node:fs/promises";
import { dirname, join, parse, resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { RequestError } from "../errors.ts";
import { fittingPlan } from "../reno/memoryPlan.ts";
import { refineDefaults } from "../reno/refine.ts";
import type { WeightedReward } from "../reno/stepGraph.ts";
import { differences, parseTrace, type Trace, traceStep } from "../reno/trace.ts";
import { loadReward } from "../scoring/loadReward.ts";
import { sameCheckpoint } from "../scoring/rewardName.ts";
import type { MakingFlags } from "../tasks/making.ts";
import { type Origin, originOf } from "../tasks/origin.ts";
import { type RunResult, runRefinement } from "../tasks/refineRun.ts";
import { type Manner, refineOptionsOf, refineSettings, usualRewards } from "../tasks/refineSettings.ts";
import { freeName } from "../tasks/writeWhole.ts";
import { watchInterrupts } from "./interrupt.ts";
import { addMakingFlags } from "./makingFlags.ts";
import { collect, parseCount, parseNumber, rewardsOf } from "./options.ts";
import { jsonLine, printable, scoreText } from "./output.ts";
import { refineProgress } from "./refineProgress.ts";
import { messageOf } from "./usage.ts";

const help = `
From a picture's file come its prompt, seed, size, model and how its host read them; every flag given takes the place of what the
file says. The result lies beside the picture, with its noise in it: refining it again goes on from there, and
\`renoir generate --from\` makes it again. Ctrl-C ends the run after the step in hand and saves the best so far.

With --json each step is a line as in the trace, and the last line is the result.
Exit status: 0 done, 1 failed or stopped (the best so far is saved), 2 wrong usage.

Examples:
  $ renoir refine outputs/00012-1234.png
  $ renoir refine fox.png --reward imagereward --iterations 20 --trace fox.json
  $ renoir refine --prompt "a red fox in the snow" --seed 7 --model sd-turbo/ --out fox.png`;

interface RefineFlags extends Omit<MakingFlags, "latents"> {
  /** --no-latents makes it false: the noise stays out of the result. */
  readonly latents?: string | false;
  readonly reward?: string[];
  readonly iterations: number;
  readonly optimizer: "sgd" | "adam" | "lbfgs";
  readonly lr: number;
  readonly gradClip: number;
  readonly reg: number;
  readonly mode: "refine" | "select";
  readonly patience?: number;
  readonly saveAll?: boolean;
  readonly trace?: string;
  readonly resume?: string;
  readonly out?: string;
}

export function registerRefine(program: Command): void {
  const { iterations, learningRate, gradientClip, regularization } = refineDefaults;
  addMakingFlags(program.command("refine").description("make a picture fit its prompt better by optimising its noise"))
    .argument("[image]", "the picture to begin with; without it --prompt")
    .option(
      "--reward <name[=weight][@path]>",
      "what judges; several are added up by weight (default: imagereward; for the built-in model shapes)",
      collect,
    )
    .option("--iterations <n>", "looks at the picture, the untouched one included", parseCount, iterations)
    .addOption(new Option("--optimizer <name>", "what moves").choices(["sgd", "adam", "lbfgs"]).default("sgd"))
    .option("--lr <rate>", "learning rate", parsePositive, learningRate)
    .option("--grad-clip <norm>", "the longest gradient", parsePositive, gradientClip)
    .option("--reg <weight>", "of what keeps the noise Gaussian; 0 turns it off", parseNotNegative, regularization)
    .addOption(
      new Option("--mode <name>", "select spends the looks on fresh noise instead")
        .choices(["refine", "select"])
        .default("refine"),
    )
    .option("--patience <n>", "stop after n looks without a better one", parseCount)
    .option("--save-all", "save every step's picture in a folder beside the result")
    .option("--trace <file>", "write settings and every step's numbers as JSON")
    .option("--resume <file>", "go on from such a trace, with the same picture and flags")
    .option("--out <file>", "the result, a PNG (default: beside the picture, with -refined in its name)", parsePng)
    .option("--no-latents", "leave the optimised noise out of the result")
    .addHelpText("after", help)
    .action(refineCommand);
}

const parsePositive = (text: string) => bounded(text, (value) => value > 0, "above 0");
const parseNotNegative = (text: string) => bounded(text, (value) => value >= 0, "from 0 on");

function bounded(text: string, isWanted: (value: number) => boolean, wanted: string): number {
  const value = parseNumber(text);
  if (isWanted(value)) return value;
  throw new InvalidArgumentError(`It is ${value}; a number ${wanted} was wanted.`);
}

function parsePng(text: string): string {
  if (/\.png$/i.test(text)) return text;
  throw new InvalidArgumentError("The result is a PNG: give a name that ends in .png.");
}

async function refineCommand(image: string | undefined, flags: RefineFlags): Promise<void> {
  if (flags.reward) await rewardsOf({ reward: flags.reward }, sameCheckpoint); // a slip is told before a model is opened
  const earlier = flags.resume === undefined ? undefined : await readTrace(flags.resume, flags);
  const progress = refineProgress(flags.iterations);
  const interrupt = watchInterrupts(() =>
    progress.say("Stopping after this step; the best so far is saved. Press Ctrl-C again to stop at once."),
  );
  try {
    const origin = await originOf(image, { ...flags, latents: flags.latents || undefined }, progress.say);
    const rewards = await loadRewards(origin, flags);
    const manner = mannerOf(flags);
    const settings = refineSettings(origin, rewards, manner);
    if (earlier) refuseOtherRun(earlier, settings, flags.resume!);
    const judges = flags.dtype === "float16" ? await loadRewards(origin, { ...flags, dtype: "float32" }) : undefined;
    await origin.pipeline.unload(); // the steps' graph holds the model itself
    const out = flags.out ?? (await usualName(image, origin));
    const plan = fittingPlan({ say: progress.say });
    const result = await runRefinement({
      options: { ...refineOptionsOf(origin, manner), ...runOf(flags), rewards, signal: interrupt.signal, plan },
      judges,
      texts: origin.texts,
      rounding: origin.rounding,
      settings,
      out,
      trace: flags.trace,
      earlier,
      ...(flags.saveAll && { stepsFolder: join(dirname(resolve(out)), `${parse(out).name}-steps`) }),
      withLatents: flags.latents !== false,
      draw: (latents) => origin.pipeline.generate({ ...origin, latents }),
      onStep(step) {
        progress.step(step);
        if (flags.json) process.stdout.write(jsonLine(traceStep(step)));
      },
    });
    progress.stop();
    await origin.pipeline.unload();
    for (const { reward } of [...rewards, ...(judges ?? [])]) await reward.unload();
    process.exitCode = report(result, { origin, out, flags, aborted: interrupt.signal.aborted });
  } finally {
    progress.stop();
    interrupt.release();
  }
}

async function readTrace(file: string, { iterations }: RefineFlags): Promise<Trace> {
  const text = await readFile(file, "utf8").catch((cause) => {
    throw new RequestError(`The trace ${file} can not be read: ${cause.message}.`, { hint: "Check the path.", cause });
  });
  const trace = parseTrace(text, file);
  const { steps, resume } = trace;
  const wrong =
    (!resume && "holds no state to go on from") ||
    (steps.length >= iterations && `has ${steps.length} steps, and --iterations asks for no more than ${iterations}`);
  if (wrong) throw new RequestError(`The trace ${file} ${wrong}.`, { hint: flagsOfThatRun });
  return trace;
}

const flagsOfThatRun = "Give the picture and flags of that run, with more --iterations if it had come to its end.";

/** What would silently be another run; how long it is to be is the one thing that may change. */
function refuseOtherRun({ settings }: Trace, now: Record<string, unknown>, file: string): void {
  const different = differences(settings, { ...now, iterations: settings.iterations });
  if (different.length === 0) return;
  throw new RequestError(`The trace ${file} is of another run: ${different.join("; ")}.`, { hint: flagsOfThatRun });
}

/** A weight that was not written is ReNO's own for that reward. */
async function loadRewards(
  { pipeline }: Origin,
  { reward, provider, dtype, threads }: RefineFlags,
): Promise<WeightedReward[]> {
  const names = reward ?? usualRewards(pipeline);
  const run = { ...(provider && { provider }), ...(dtype && { dtype }), ...(threads && { threads }) };
  const specs = await rewardsOf({ reward: names, ...run }, sameCheckpoint);
  return await Promise.all(
    specs.map(async ({ spec: { name, path, ...run }, weight }, index) => ({
      reward: await loadReward(name, { weights: path, ...run }),
      weight: /^[^@]*=/.test(names[index]!) ? weight : undefined,
    })),
  );
}

/** Beside the picture; what was made from a prompt alone goes where generate puts it. */
async function usualName(image: string | undefined, { seed }: Origin): Promise<string> {
  if (image === undefined) return await freeName("outputs", `${seed ?? "latents"}-refined`, ".png");
  const { dir, name } = parse(image);
  return await freeName(dir, `${name.replace(/-refined(-\d+)?$/, "")}-refined`, ".png");
}

const mannerOf = (flags: RefineFlags): Manner => ({
  iterations: flags.iterations,
  optimizer: flags.optimizer,
  learningRate: flags.lr,
  gradientClip: flags.gradClip,
  regularization: flags.reg,
  mode: flags.mode,
  patience: flags.patience,
});

const runOf = ({ provider, threads }: RefineFlags) => ({
  ...(provider && { provider: provider as "cpu" }),
  ...(threads && { threads }),
});

interface Ended {
  readonly origin: Origin;
  readonly out: string;
  readonly flags: RefineFlags;
  readonly aborted: boolean;
}

/** Tells the result; gives the exit status. */
function report(result: RunResult, { origin, out, flags, aborted }: Ended): 0 | 1 {
  const { scores, best, iterations, failure } = result;
  const stopped = failure !== undefined ? "failed" : aborted ? "interrupted" : undefined;
  const { prompt, seed, pipeline, difference } = origin;
  if (flags.json) {
    const making = { file: out, prompt, ...(seed !== undefined && { seed }), model: pipeline.name };
    const found = { scores, best, iterations, ...(difference !== undefined && { difference }) };
    process.stdout.write(jsonLine({ ...making, ...found, ...(stopped && { stopped }) }));
  } else process.stdout.write(resultText(result, out));
  if (failure !== undefined) process.stderr.write(`${messageOf(failure)} The best of ${iterations} steps is saved.\n`);
  return stopped ? 1 : 0;
}

function resultText({ scores, best, iterations }: RunResult, out: string): string {
  const names = Object.keys(scores.after);
  const width = Math.max(...names.map((name) => name.length));
  const rows = names.map((name) => {
    const [before, after] = [scores.before[name]!, scores.after[name]!];
    const change = `${after < before ? "" : "+"}${(after - before).toFixed(4)}`;
    return `  ${name.padEnd(width)}  ${scoreText(before)} before, ${scoreText(after)} after (${change})\n`;
  });
  const where = best === 0 ? "no step was better than the picture as it was" : `best at step ${best}`;
  return `${printable(out)}\n${rows.join("")}  ${where}, of ${iterations} looked at\n`;
}
