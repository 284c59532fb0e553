// One look at a noise: noise → picture → rewards → loss, and the loss's gradient by the noise.

import { WeightError } from "../errors.ts";
import { add, type CompileOptions, type Feeds, input, mul, type Shape, sub, sum, type Tensor } from "../graph/index.ts";
import type { Layer } from "../models/layers.ts";
import type { Reward } from "../scoring/reward.ts";
import type { Conditioning, Embedding, Pipeline, Size } from "./pipeline.ts";

/** What of a pipeline a step needs. */
export type StepPipeline = Pick<Pipeline, "name" | "condition" | "picture" | "checkedSize" | "latentShape">;

export interface WeightedReward {
  readonly reward: Reward;
  /** Of its loss; ReNO's own unless given. */
  readonly weight?: number | undefined;
}

export interface StepOptions extends CompileOptions {
  readonly pipeline: StepPipeline;
  readonly rewards: readonly WeightedReward[];
  readonly prompt: string;
  readonly conditioning: Conditioning;
  /** The picture's size in pixels; the model's own unless given. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  /** Whether gradients will be asked for; without them a look costs half. Default true. */
  readonly gradient?: boolean | undefined;
  /** How the graph is laid out in sessions. */
  readonly plan: StepPlan;
}

/** What one look sees. */
export interface StepValues {
  readonly rewards: Readonly<Record<string, number>>;
  /** Σ weight · (offset − reward). */
  readonly loss: number;
  /** [3, H, W], 0..1. */
  readonly image: Float32Array;
  /** Of the loss by the noise. */
  readonly gradient?: Float32Array;
}

/** The graph as sessions that are ready to run. */
export interface StepRunner {
  run(latents: Float32Array, wantGradient: boolean): Promise<StepValues>;
  release(): Promise<void>;
}

/** The pieces that a plan puts into sessions, and what they are fed. */
export interface StepParts {
  readonly pipeline: StepPipeline;
  readonly conditioning: Conditioning;
  /** By distinct names. */
  readonly rewards: ReadonlyMap<string, { readonly reward: Reward; readonly weight: number }>;
  readonly prompt: string;
  /** The picture's, in pixels. */
  readonly size: Size;
  /** [1, C, h, w] */
  readonly noiseShape: Shape;
  readonly gradient: boolean;
  readonly compile: CompileOptions;
}

export type StepPlan = (parts: StepParts) => Promise<StepRunner>;

export class StepGraph {
  readonly parts: StepParts;
  readonly #runner: StepRunner;

  private constructor(parts: StepParts, runner: StepRunner) {
    this.parts = parts;
    this.#runner = runner;
  }

  static async build(options: StepOptions): Promise<StepGraph> {
    const parts = partsOf(options);
    return new StepGraph(parts, await options.plan(parts));
  }

  /** Throws a WeightError that names the model whose number is not finite. */
  async evaluate(latents: Float32Array, { gradient }: { gradient: boolean }): Promise<StepValues> {
    const values = await this.#runner.run(latents, gradient);
    await refuseNonFinite(values, this.parts);
    return values;
  }

  async release(): Promise<void> {
    await this.#runner.release();
  }
}

export function partsOf(options: Omit<StepOptions, "plan">): StepParts {
  const { gradient = true, pipeline, conditioning, prompt } = options;
  const { provider, threads, prepack, profile } = options;
  const size = pipeline.checkedSize(options);
  return {
    pipeline,
    conditioning,
    prompt,
    gradient,
    rewards: byName(options.rewards),
    size,
    noiseShape: pipeline.latentShape(size),
    compile: { provider, threads, prepack, profile },
  };
}

/** Rewards by their names; a second "ImageReward" is "ImageReward 2". */
export function byName(rewards: readonly WeightedReward[]): StepParts["rewards"] {
  const named = new Map<string, { reward: Reward; weight: number }>();
  for (const { reward, weight = reward.reno.weight } of rewards) {
    let name = reward.name;
    for (let i = 2; named.has(name); i++) name = `${reward.name} ${i}`;
    named.set(name, { reward, weight });
  }
  return named;
}

// -- the pieces of the graph ------------------------------------------------------------------------------------------

/** The picture [1, 3, H, W] that a noise gives, with inputs for what does not change from step to step. */
export function pictureOf(
  noise: Tensor,
  { pipeline, conditioning }: StepParts,
  layer?: Layer,
): { x0: Tensor; image: Tensor; feeds: Feeds } {
  const { positive, negative, guidance, others = [], step } = conditioning;
  const feeds: Record<string, Float32Array> = {};
  const states = (name: string, { data, tokens, width }: Embedding) => {
    feeds[name] = data;
    return input(name, [1, tokens, width]);
  };
  const given = {
    positive: states("positive", positive),
    negative: negative && states("negative", negative),
    guidance,
    others: others.map((other, i) => ({ ...other, states: states(`other ${i}`, other.states) })),
    step,
  };
  return { ...pipeline.picture(noise, given, layer), feeds };
}

/** The rewards of a picture and their weighted loss. */
export function lossOf(image: Tensor, { rewards, prompt }: StepParts) {
  const found: Record<string, Tensor> = {};
  const losses: Tensor[] = [];
  let feeds: Feeds = {};
  for (const [name, { reward, weight }] of rewards) {
    const graph = reward.graph(image, prompt, `${name} ids`);
    found[rewardOutput(name)] = graph.reward;
    losses.push(mul(sub(reward.reno.offset, sum(graph.reward)), weight));
    feeds = { ...feeds, ...graph.feeds };
  }
  return { rewards: found, loss: losses.reduce((total, loss) => add(total, loss)), feeds };
}

export const rewardOutput = (name: string): string => `reward ${name}`;

// -- numbers that are none --------------------------------------------------------------------------------------------

const finite = (numbers: Float32Array) => numbers.every(Number.isFinite);

/** A step whose numbers are not finite ends the run: whose numbers they are is found by looking at each part alone. */
async function refuseNonFinite({ rewards, image, gradient }: StepValues, parts: StepParts): Promise<void> {
  const { name } = parts.pipeline;
  if (!finite(image)) throw notFinite(`${name} made a picture with numbers that are not finite`);
  const wrong = Object.entries(rewards).find(([, reward]) => !Number.isFinite(reward));
  if (wrong) throw notFinite(`${wrong[0]} gave ${wrong[1]} as its reward`);
  if (!gradient || finite(gradient)) return;
  const guilty = await rewardWithoutGradient(image, parts);
  throw notFinite(`The gradient ${guilty ? `of ${guilty} by the picture` : `through ${name}`} is not finite`);
}

async function rewardWithoutGradient(image: Float32Array, parts: StepParts): Promise<string | undefined> {
  for (const [name, { reward }] of parts.rewards) {
    const { gradient } = await reward.gradient(parts.prompt, { data: image, ...parts.size });
    if (!finite(gradient)) return name;
  }
  return undefined;
}

const notFinite = (what: string) =>
  new WeightError(`${what}: the run ends here, with the best so far kept.`, {
    hint: "Try --dtype float32 or a smaller --lr; if it is so at the first step, the model's file is damaged.",
  });
