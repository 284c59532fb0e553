// What a training of the reward model keeps on disk: a checkpoint to go on from, and the head as the finished model has it.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { openCheckpoint } from "../weights/checkpoint.ts";
import { readFloat32 } from "../weights/read.ts";
import { writeSafetensors } from "../weights/safetensors.ts";
import type { Tensors } from "./adamw.ts";
import { allShapes, type Progress, type TrainingSettings, type TrainingState } from "./rewardTraining.ts";

// Mean and deviation by which a raw score is standardised (ImageReward.py, __init__).
const rewardMean = 0.16717362830052426;
const rewardDeviation = 1.0333394966054072;

/** One line of the trace: averages over the steps since the last. */
export interface Trace extends Progress {
  /** Share of held-out pairs in the right order, where they were examined. */
  heldOut?: number;
}

const stateFile = "state.safetensors";
const traceFile = "trace.json";
const kinds = ["weight", "mean", "square"] as const;

/** Weights and moments in one file, with where the training stood in its header: either all of a step is kept or nothing. */
export async function writeTraining(
  folder: string,
  settings: TrainingSettings,
  { step, parameters, optimiser }: TrainingState,
  trace: readonly Trace[],
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const tables: Record<(typeof kinds)[number], Tensors> = {
    weight: parameters,
    mean: optimiser?.mean ?? {},
    square: optimiser?.square ?? {},
  };
  const shapes = allShapes(settings.sizes);
  const tensors = kinds.flatMap((kind) =>
    Object.entries(tables[kind]).map(
      ([name, data]) => [`${kind}/${name}`, { dtype: "float32", shape: shapes[name]!, data }] as const,
    ),
  );
  const standing = { settings, step, optimiserSteps: optimiser?.steps ?? 0 };
  await writeSafetensors(join(folder, stateFile), Object.fromEntries(tensors), { standing: JSON.stringify(standing) });
  await writeFile(join(folder, traceFile), JSON.stringify(trace));
}

/** The training kept in a folder, if there is one with the same settings. */
export async function readTraining(
  folder: string,
  settings: TrainingSettings,
): Promise<{ state: TrainingState; trace: Trace[] } | undefined> {
  const checkpoint = await openCheckpoint(join(folder, stateFile)).catch(() => undefined);
  if (!checkpoint) return undefined;
  const standing = JSON.parse(checkpoint.metadata.standing ?? "{}");
  if (!isDeepStrictEqual(standing.settings, settings)) return undefined;
  const tables: Record<string, Record<string, Float32Array>> = { weight: {}, mean: {}, square: {} };
  for (const [name, stored] of checkpoint.tensors) {
    const slash = name.indexOf("/");
    tables[name.slice(0, slash)]![name.slice(slash + 1)] = await readFloat32(stored);
  }
  const { step, optimiserSteps } = standing;
  const optimiser = { steps: optimiserSteps, mean: tables.mean!, square: tables.square! };
  const trace: Trace[] = JSON.parse(await readFile(join(folder, traceFile), "utf8"));
  return {
    state: { step, parameters: tables.weight!, optimiser: optimiserSteps ? optimiser : undefined },
    trace: trace.filter((entry) => entry.step <= step),
  };
}

/**
 * The last layer scaled and shifted so that standardised scores have mean 0 and deviation 1, as ImageReward's have:
 * ranking says nothing about either.
 */
export function standardiseHead(
  parameters: Tensors,
  { mean, deviation }: { mean: number; deviation: number },
): Tensors {
  const scale = rewardDeviation / deviation;
  const weight = parameters["mlp.layers.7.weight"]!.map((x) => x * scale);
  const bias = parameters["mlp.layers.7.bias"]!.map((x) => (x - mean) * scale + rewardMean);
  return { ...parameters, "mlp.layers.7.weight": weight, "mlp.layers.7.bias": bias };
}
