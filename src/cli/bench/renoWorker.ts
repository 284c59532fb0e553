// One memory plan of the bench's ReNO iterations in a process of its own: takes a task as JSON, prints its figures as JSON.

import { nodesLeadingTo } from "../../graph/gradient.ts";
import { elementCount, type Tensor } from "../../graph/index.ts";
import { loadPipeline } from "../../reno/loadPipeline.ts";
import { layouts, needOf, type PlanName, planned } from "../../reno/memoryPlan.ts";
import { refine } from "../../reno/refine.ts";
import { partsOf, type StepParts } from "../../reno/stepGraph.ts";
import { loadReward } from "../../scoring/loadReward.ts";

export interface RenoTask {
  readonly folder: string;
  readonly imageReward: string;
  readonly prompt: string;
  readonly size: number;
  readonly plan: PlanName;
  readonly threads: number;
  /** Looks with a gradient; the first brings the weights in and is not timed. */
  readonly iterations: number;
}

export interface RenoResult {
  /** Of the fastest iteration but the first, where there are more. */
  readonly seconds: number;
  readonly firstSeconds: number;
  /** Opening the files, building the graph and its sessions, encoding the prompt. */
  readonly loadSeconds: number;
  /** Bytes beyond the empty process. */
  readonly predicted: number;
  readonly peak: number;
  /** Billions of operations of convolutions and matrix products, without what is done twice to save memory. */
  readonly gflop: number;
  readonly losses: readonly number[];
  readonly gradientNorms: readonly number[];
}

async function measure(task: RenoTask): Promise<RenoResult> {
  const emptyRss = process.memoryUsage().rss;
  const run = { provider: "cpu", threads: task.threads } as const;
  const begun = performance.now();
  const pipeline = await loadPipeline(task.folder, run);
  const reward = await loadReward("imagereward", { ...run, weights: task.imageReward });
  const conditioning = await pipeline.condition(task.prompt);
  await pipeline.unload("text");
  const encoded = performance.now();
  const asked = { ...run, pipeline, rewards: [{ reward }], prompt: task.prompt, conditioning };
  const size = { width: task.size, height: task.size };
  const [seconds, losses, gradientNorms]: [number[], number[], number[]] = [[], [], []];
  const started = performance.now();
  let before = started;
  const plan = planned(task.plan);
  for await (const step of refine({ ...asked, ...size, plan, seed: 0, iterations: task.iterations + 1 })) {
    if (step.gradientNorm === null) break;
    seconds.push((performance.now() - before) / 1000);
    losses.push(step.loss);
    gradientNorms.push(step.gradientNorm);
    before = performance.now();
  }
  const peak = process.resourceUsage().maxRSS * 1024 - emptyRss;
  const parts = partsOf({ ...asked, ...size });
  const [firstSeconds, ...rest] = seconds as [number, ...number[]];
  const fastest = rest.length ? Math.min(...rest) : firstSeconds;
  return {
    seconds: fastest,
    firstSeconds,
    loadSeconds: (encoded - begun) / 1000 + Math.max(0, firstSeconds - fastest),
    predicted: needOf(task.plan, parts).total,
    peak,
    gflop: operationsOf(parts) / 1e9,
    losses,
    gradientNorms,
  };
}

/** Multiplications and additions of one look and its gradient. */
function operationsOf(parts: StepParts): number {
  const outputs = layouts.whole(parts).segments.flatMap((segment) => Object.values(segment.outputs));
  return nodesLeadingTo(outputs).reduce(
    (sum, { type, inputs, outputs }) => sum + (counts[type]?.(inputs, outputs[0]!) ?? 0),
    0,
  );
}

type Count = (inputs: readonly Tensor[], y: Tensor) => number;
const perOutput =
  (of: (inputs: readonly Tensor[]) => number): Count =>
  (inputs, y) =>
    2 * elementCount(y.shape) * of(inputs);
const counts: Readonly<Record<string, Count>> = {
  Conv: perOutput(([, w]) => elementCount(w!.shape.slice(1))),
  ConvTranspose: ([x, w]) => 2 * elementCount(x!.shape) * elementCount(w!.shape.slice(1)),
  MatMul: perOutput(([a]) => a!.shape.at(-1)!),
  Gemm: ([a, b], y) => 2 * Math.sqrt(elementCount(a!.shape) * elementCount(b!.shape) * elementCount(y.shape)),
};

process.stdout.write(JSON.stringify(await measure(JSON.parse(process.argv[2]!) as RenoTask)));
