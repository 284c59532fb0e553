// One refinement: its steps as they come, and what is saved of it however it ends: the best picture, its curves, its noise.

import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { type RefineOptions, type RefineStep, refine } from "../reno/refine.ts";
import { type Refinement, type Rounding, resultFile, type Text, toBytes } from "../reno/resultFile.ts";
import type { WeightedReward } from "../reno/stepGraph.ts";
import { writeWhole } from "./writeWhole.ts";

export interface Run {
  readonly options: RefineOptions;
  /** What the result's file says beside what the run did. */
  readonly texts: readonly Text[];
  readonly rounding: Rounding;
  /** For the trace and the file. */
  readonly settings: Record<string, unknown>;
  readonly out: string;
  readonly trace?: string | undefined;
  /** Where every step's picture goes. */
  readonly stepsFolder?: string | undefined;
  readonly withLatents: boolean;
  /** The picture of a noise as generate makes it: the steps' graph is another one, and a pixel may round otherwise. */
  readonly draw: (latents: Float32Array) => Promise<Float32Array>;
  /** Each step as soon as it is there. */
  readonly onStep: (step: RefineStep) => void;
}

export interface RunResult {
  readonly scores: Refinement["scores"];
  readonly first: RefineStep;
  readonly best: RefineStep;
  readonly iterations: number;
  /** Why it ended before its last step; the best so far is saved all the same. */
  readonly failure?: unknown;
}

/** A step as the trace has it: numbers only. */
export const traceStep = ({ step, rewards, loss, regularizer, gradientNorm, latentsNorm, ms }: RefineStep) => ({
  step,
  rewards,
  loss,
  regularizer,
  gradientNorm,
  latentsNorm,
  ms: Math.round(ms),
});

/** To the last step, to Ctrl-C or to a failure; throws where not even the first step could be made. */
export async function runRefinement(run: Run): Promise<RunResult> {
  const seen = await look(run);
  const { first, best, steps } = seen;
  if (run.trace !== undefined) {
    const trace = { settings: run.settings, steps, best: best?.step ?? null };
    await writeWhole(run.trace, `${JSON.stringify(trace, bigintAsText, 1)}\n`);
  }
  if (!first || !best) throw seen.failure;
  const drawn = { ...best, pixels: await run.draw(best.latents).catch(() => best.pixels) };
  const scores = { before: await scoresOf(first, run), after: await scoresOf(drawn, run) };
  const refinement = { settings: run.settings, iterations: steps.length, best: best.step, scores };
  await writeWhole(run.out, await fileOf(drawn, run, refinement));
  return { scores, first, best, iterations: steps.length, ...("failure" in seen && { failure: seen.failure }) };
}

async function look(run: Run) {
  const steps: ReturnType<typeof traceStep>[] = [];
  const seen: { first?: RefineStep; best?: RefineStep; failure?: unknown } = {};
  try {
    for await (const step of refine(run.options)) {
      seen.first ??= step;
      if (step.best) seen.best = step;
      steps.push(traceStep(step));
      run.onStep(step);
      if (run.stepsFolder !== undefined) await saveStep(step, run.stepsFolder, run);
      await setImmediate(); // the runtime holds the main thread while it works: a Ctrl-C is heard here
    }
  } catch (error) {
    seen.failure = error;
  }
  return { ...seen, steps };
}

const bigintAsText = (_key: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);

async function saveStep(step: RefineStep, folder: string, run: Run): Promise<void> {
  const name = `${String(step.step).padStart(String(run.options.iterations ?? 50).length, "0")}.png`;
  await writeWhole(join(folder, name), await fileOf(step, run));
}

const fileOf = (step: RefineStep, { options, texts, rounding, withLatents }: Run, refinement?: Refinement) => {
  const { pixels, width, height, latents: data } = step;
  const shape = options.pipeline.latentShape({ width, height });
  return resultFile({
    pixels,
    rounding,
    width,
    height,
    texts,
    ...(withLatents && { latents: { data, shape } }),
    ...(refinement && { refinement }),
  });
};

/** As `renoir score` would score the file: from 8-bit pixels, through the reward's own preprocessing rather than ReNO's. */
async function scoresOf(
  { pixels, width, height }: RefineStep,
  { options, rounding }: Run,
): Promise<Record<string, number>> {
  const picture = { data: toBytes(pixels, rounding), width, height, channels: 3 };
  const scores: [string, number][] = [];
  for (const { reward } of options.rewards as readonly WeightedReward[]) {
    const [score] = await reward.score(options.prompt, [picture]);
    scores.push([reward.name, score!]);
  }
  return Object.fromEntries(scores);
}
