// A refine in the models' process: as `renoir refine` does it, step by step, with what it takes to go on after a kill in its folder.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { RequestError } from "../../errors.ts";
import { fittingPlan } from "../../reno/memoryPlan.ts";
import { differences, parseTrace, type Trace, traceStep } from "../../reno/trace.ts";
import { originOf } from "../../tasks/origin.ts";
import { type Run, runRefinement, type SeenStep, save } from "../../tasks/refineRun.ts";
import { refineOptionsOf, refineSettings, usualRewards } from "../../tasks/refineSettings.ts";
import type { Hands } from "./hands.ts";
import { beforeFile, isKept, noiseFile, previewFile, resultFile, traceFile } from "./jobFolder.ts";
import type { MakingWork, RedrawWork, RefinePiece, RefineResult, RefineWork } from "./messages.ts";
import { Leases } from "./models.ts";
import { previewOf } from "./preview.ts";
import { toWire } from "./wire.ts";

/** A killed run looks again at what this little time had brought. */
const traceEveryMs = 1_000;

/** Gives its steps as pieces, those of an earlier process that the asker lacks first. */
export async function refineWork(work: RefineWork, hands: Hands): Promise<RefineResult> {
  const leases = new Leases(hands.models, work.computing);
  try {
    const run = await prepare(work, hands, leases);
    const earlier = await earlierTrace(run, hands);
    if (earlier) await handOverEarlier(earlier, run, work, hands);
    const { failure, ...result } = await runRefinement({
      ...run,
      earlier,
      onStep: (step) => onStep(step, run, work, hands),
    });
    return { ...result, ...(failure !== undefined && { failure: toWire(failure) }) };
  } finally {
    leases.release();
  }
}

/** The picture of another step than the best, as a result of that run. */
export async function redrawWork(work: RedrawWork, hands: Hands): Promise<RefineResult> {
  const leases = new Leases(hands.models, work.computing);
  try {
    const run = await prepare({ ...work, kind: "refine" }, hands, leases);
    const trace = parseTrace(await readFile(traceFile(work.folder), "utf8"));
    const bytes = await readFile(noiseFile(work.folder, work.step));
    const latents = new Float32Array(Uint8Array.from(bytes).buffer);
    const { before: _, ...others } = run;
    const chosen = { step: work.step, latents, iterations: trace.steps.length };
    const { failure: __, ...result } = await save({ ...others, out: work.out }, chosen);
    return result;
  } finally {
    leases.release();
  }
}

/** Of generate and refine: what a picture is made from, by models that are held as long as the work takes. */
export const originFor = ({ image, infotext, flags, computing }: MakingWork, hands: Hands, leases: Leases) =>
  originOf({ file: image, infotext }, { ...flags, ...computing }, hands.say, {
    load: (model, options) => leases.pipeline(model, options),
  });

async function prepare(work: RefineWork, hands: Hands, leases: Leases): Promise<Run> {
  const { folder, computing } = work;
  await mkdir(dirname(previewFile(folder, 0)), { recursive: true });
  const origin = await originFor(work, hands, leases);
  await hands.handOver(); // opening the model and building the steps' graph take seconds each
  const rewards = await leases.rewards(work.rewards ?? usualRewards(origin.pipeline));
  const observers = await leases.rewards(work.observe ?? []);
  await origin.pipeline.unload(); // the steps' graph holds the model itself
  return {
    options: {
      ...refineOptionsOf(origin, work),
      ...computing,
      rewards,
      signal: hands.signal,
      plan: fittingPlan({ say: hands.say }),
    },
    observers,
    texts: origin.texts,
    rounding: origin.rounding,
    settings: refineSettings(origin, rewards, work),
    out: resultFile(folder),
    before: beforeFile(folder),
    trace: traceFile(folder),
    traceEveryMs,
    withLatents: true,
    draw: (latents) => origin.pipeline.generate({ ...origin, latents }),
    onStep() {},
  };
}

async function onStep(step: SeenStep, run: Run, { folder }: RefineWork, hands: Hands): Promise<void> {
  const preview = await previewOf(step, run.rounding);
  if (isKept(step)) {
    const { buffer, byteOffset, byteLength } = step.latents;
    await writeFile(noiseFile(folder, step.step), new Uint8Array(buffer, byteOffset, byteLength));
    await writeFile(previewFile(folder, step.step), preview);
  }
  const { best, latents, observed } = step;
  const numbers = { ...traceStep(step), ...(observed && { observed }) };
  await hands.handOver(pieceOf({ ...numbers, best, preview }, run, latents.length));
}

const pieceOf = (
  step: Omit<RefinePiece, "noiseSize" | "prompt">,
  { options }: Run,
  noiseSize: number,
): RefinePiece => ({
  ...step,
  noiseSize,
  prompt: options.prompt,
});

// ---- going on

/** What an earlier process has left of this run; undefined where it is to begin. */
async function earlierTrace({ trace, settings }: Run, { say }: Hands): Promise<Trace | undefined> {
  const text = await readFile(trace!, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const earlier = readTrace(text);
  if (!earlier?.resume) {
    say("What the run had come to can not be read any more: it begins again.");
    return undefined;
  }
  const different = differences(earlier.settings, settings);
  if (different.length === 0) return earlier;
  throw new RequestError(
    `The run can not go on: its picture or its models are not what they were. ${different.join("; ")}.`,
    {
      hint: "Start a new one.",
    },
  );
}

function readTrace(text: string): Trace | undefined {
  try {
    return parseTrace(text);
  } catch {
    return undefined;
  }
}

/** Its last step may have been made without anybody hearing of it. */
async function handOverEarlier({ steps }: Trace, run: Run, { after = -1 }: RefineWork, hands: Hands): Promise<void> {
  let least = Number.POSITIVE_INFINITY;
  for (const step of steps) {
    const best = step.loss < least;
    if (best) least = step.loss;
    if (step.step <= after) continue;
    await hands.handOver(pieceOf({ ...step, best }, run, run.options.latents.length));
  }
}
