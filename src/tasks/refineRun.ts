// One refinement: its steps as they come, and what is saved of it however it ends: the best picture, its curves, its noise.

import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { RequestError } from "../errors.ts";
import { type RefineOptions, type RefineState, type RefineStep, refine } from "../reno/refine.ts";
import { type Refinement, type Rounding, resultFile, type Text, toBytes } from "../reno/resultFile.ts";
import { byName, type WeightedReward } from "../reno/stepGraph.ts";
import { formatTrace, type Trace, type TraceStep, traceStep } from "../reno/trace.ts";
import { writeWhole } from "./writeWhole.ts";

export interface Run {
  readonly options: RefineOptions & { readonly latents: Float32Array };
  /** The rewards in float32, whose scores go into the file, where those of the steps are approximate. */
  readonly judges?: readonly WeightedReward[] | undefined;
  /** What the result's file says beside what the run did. */
  readonly texts: readonly Text[];
  readonly rounding: Rounding;
  /** For the trace and the file. */
  readonly settings: Record<string, unknown>;
  readonly out: string;
  readonly trace?: string | undefined;
  /** The trace is written on the way too, at steps that end so long after the last time: a run that is killed goes on from there. */
  readonly traceEveryMs?: number | undefined;
  /** Where the picture goes that the run began with, drawn as the result is. */
  readonly before?: string | undefined;
  /** Rewards that look on at every step, as they judge files, and move nothing. */
  readonly observers?: readonly WeightedReward[] | undefined;
  /** An earlier run's, which this one goes on from. */
  readonly earlier?: Trace | undefined;
  /** Where every step's picture goes. */
  readonly stepsFolder?: string | undefined;
  readonly withLatents: boolean;
  /** The picture of a noise as generate makes it: the steps' graph is another one, and a pixel may round otherwise. */
  readonly draw: (latents: Float32Array) => Promise<Picture>;
  /** Each step as soon as it is there. */
  readonly onStep: (step: SeenStep) => void | Promise<void>;
}

/** With what the observers say of it, where there are any. */
export interface SeenStep extends RefineStep {
  readonly observed?: Readonly<Record<string, number>>;
}

interface Picture {
  readonly pixels: Float32Array;
  readonly width: number;
  readonly height: number;
}

export interface RunResult {
  readonly scores: Refinement["scores"];
  /** The observers' scores. */
  readonly observed?: Refinement["scores"];
  readonly best: number;
  readonly iterations: number;
  /** Why it ended before its last step; the best so far is saved all the same. */
  readonly failure?: unknown;
}

/** To the last step, to Ctrl-C or to a failure; throws where not even the first step could be made. */
export async function runRefinement(run: Run): Promise<RunResult> {
  const { steps, state, failure, first, finest } = await look(run);
  if (!state) throw failure ?? new RequestError("The run was stopped before its first step.");
  await writeTrace(run, steps, state);
  const saved = await save(run, { ...state.best, iterations: steps.length }, { before: first, after: finest });
  return { ...saved, ...(failure !== undefined && { failure }) };
}

/** What is saved of a run: the picture of its best step, or of another whose noise is known. */
export interface Chosen {
  readonly step: number;
  readonly latents: Float32Array;
  /** How many were looked at. */
  readonly iterations: number;
}

interface SeenPictures {
  readonly before?: Picture | undefined;
  readonly after?: Picture | undefined;
}

export async function save(
  run: Run,
  { step, latents, iterations }: Chosen,
  seen: SeenPictures = {},
): Promise<RunResult> {
  const before = await drawn(run.options.latents, seen.before, run);
  const after = await drawn(latents, seen.after, run);
  const judged = async (judges: readonly WeightedReward[]) => ({
    before: await scoresOf(before, run, judges),
    after: await scoresOf(after, run, judges),
  });
  const scores = await judged(run.judges ?? run.options.rewards);
  const refinement = { settings: run.settings, iterations, best: step, scores };
  if (run.before !== undefined)
    await writeWhole(run.before, await fileOf({ ...before, latents: run.options.latents }, run));
  await writeWhole(run.out, await fileOf({ ...after, latents }, run, refinement));
  return { scores, best: step, iterations, ...(run.observers?.length && { observed: await judged(run.observers) }) };
}

async function writeTrace({ trace, settings }: Run, steps: readonly TraceStep[], resume: RefineState): Promise<void> {
  if (trace === undefined) return;
  await writeWhole(trace, formatTrace({ settings, steps, best: resume.best.step, resume }));
}

/** Where drawing fails, as it may when memory is short, the picture that the steps saw is as good. */
async function drawn(latents: Float32Array, seen: Picture | undefined, { draw }: Run): Promise<Picture> {
  try {
    return await draw(latents);
  } catch (error) {
    if (seen) return seen;
    throw error;
  }
}

async function look(run: Run) {
  const steps: TraceStep[] = [...(run.earlier?.steps ?? [])];
  let state: RefineState | undefined = run.earlier?.resume;
  const seen: { first?: RefineStep; finest?: RefineStep; failure?: unknown } = {};
  const { traceEveryMs = Number.POSITIVE_INFINITY, observers } = run;
  let written = Number.NEGATIVE_INFINITY;
  try {
    for await (const step of refine({ ...run.options, resume: state })) {
      const observed = observers?.length ? { observed: await scoresOf(step, run, observers) } : {};
      steps.push({ ...traceStep(step), ...observed });
      state = step.state;
      if (step.step === 0) seen.first = step;
      if (step.best) seen.finest = step;
      await run.onStep({ ...step, ...observed });
      if (performance.now() - written >= traceEveryMs) {
        await writeTrace(run, steps, state);
        written = performance.now();
      }
      if (run.stepsFolder !== undefined) await saveStep(step, run.stepsFolder, run);
      await setImmediate(); // the runtime holds the main thread while it works: a Ctrl-C is heard here
    }
  } catch (failure) {
    return { ...seen, steps, state, failure };
  }
  return { ...seen, steps, state };
}

async function saveStep(step: RefineStep, folder: string, run: Run): Promise<void> {
  const name = `${String(step.step).padStart(String(run.options.iterations ?? 50).length, "0")}.png`;
  await writeWhole(join(folder, name), await fileOf(step, run));
}

type Drawn = Picture & { readonly latents: Float32Array };

const fileOf = (drawn: Drawn, { options, texts, rounding, withLatents }: Run, refinement?: Refinement) => {
  const { pixels, width, height, latents: data } = drawn;
  const latents = { data, shape: options.pipeline.latentShape({ width, height }) };
  const parts = { ...(withLatents && { latents }), ...(refinement && { refinement }) };
  return resultFile({ pixels, rounding, width, height, texts, ...parts });
};

/** As `renoir score` would score the file: from 8-bit pixels, through the reward's own preprocessing rather than ReNO's. */
async function scoresOf(
  { pixels, width, height }: Picture,
  { options, rounding }: Run,
  judges: readonly WeightedReward[],
) {
  const picture = { data: toBytes(pixels, rounding), width, height, channels: 3 };
  const scores: [string, number][] = [];
  for (const [name, { reward }] of byName(judges)) {
    const [score] = await reward.score(options.prompt, [picture]);
    scores.push([name, score!]);
  }
  return Object.fromEntries(scores);
}
