// How a step's graph is laid out in sessions, by the memory that there is: all of it kept, its blocks computed again for the
// gradient, or cut where the U-Net ends, so that only one part's weights and values are there at a time. The numbers are the same.

import { freemem } from "node:os";
import { SystemError } from "../errors.ts";
import {
  bytesOf,
  type CompileOptions,
  compile,
  constant,
  expand,
  type Feeds,
  gradients,
  input,
  listProviders,
  type MemoryNeed,
  memoryOf,
  pullBack,
  type Results,
  recomputed,
  type Tensor,
} from "../graph/index.ts";
import { keep, type Layer } from "../models/layers.ts";
import type { Size } from "./pipeline.ts";
import {
  lossOf,
  pictureOf,
  rewardOutput,
  type StepParts,
  type StepPlan,
  type StepRunner,
  type StepValues,
} from "./stepGraph.ts";

export const planNames = ["whole", "recompute", "segments"] as const;
export type PlanName = (typeof planNames)[number];

/** One session of a plan: what it makes of what, where the graph was cut. */
export interface Segment {
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly cuts?: Readonly<Record<string, Tensor>>;
}

/** A plan's sessions, in the order in which they run; what one makes, later ones are fed by its name. */
export interface Layout {
  readonly segments: readonly Segment[];
  readonly feeds: Feeds;
}

export const layouts: Readonly<Record<PlanName, (parts: StepParts) => Layout>> = {
  whole: (parts) => inOne(parts, keep),
  recompute: (parts) => inOne(parts, recomputed),
  segments: inSegments,
};

function inOne(parts: StepParts, layer: Layer): Layout {
  const noise = input("noise", parts.noiseShape);
  const { image, feeds } = pictureOf(noise, parts, layer);
  const judged = lossOf(image, parts);
  const outputs: Record<string, Tensor> = { ...judged.rewards, loss: judged.loss, image };
  if (parts.gradient) outputs.gradient = gradients(judged.loss, [noise])[0]!;
  return { segments: [{ outputs }], feeds: { ...feeds, ...judged.feeds } };
}

/** U-Net forward; decoder and rewards there and back, to x0; U-Net there and back, fed what came to x0. */
function inSegments(parts: StepParts): Layout {
  const noise = input("noise", parts.noiseShape);
  const { x0, image, feeds } = pictureOf(noise, parts, recomputed);
  const judged = lossOf(image, parts);
  const seen = { ...judged.rewards, loss: judged.loss, image };
  const all = { ...feeds, ...judged.feeds };
  const cuts = { x0 };
  const made = { outputs: { x0 } };
  if (!parts.gradient) return { segments: [made, { outputs: seen, cuts }], feeds: all };
  const one = expand(constant(1, judged.loss.dtype), judged.loss.shape);
  const [slope] = pullBack(judged.loss, one, [x0], new Set([x0]));
  const judge = { outputs: { ...seen, dx0: slope! }, cuts };
  return { segments: [made, judge, leanEnough(backToNoise(parts), needIn(judge))], feeds: all };
}

/** The U-Net there and back, with its blocks kept and recomputed. */
function backToNoise(parts: StepParts): Segment[] {
  return [keep, recomputed].map((layer) => {
    const noise = input("noise", parts.noiseShape);
    const { x0 } = pictureOf(noise, parts, layer);
    return { outputs: { gradient: pullBack(x0, input("dx0", x0.shape), [noise])[0]! } };
  });
}

/** The first, faster form that takes no more than another segment does anyway. */
const leanEnough = (forms: readonly Segment[], other: MemoryNeed): Segment =>
  forms.find((form) => total(needIn(form)) <= total(other)) ?? forms.at(-1)!;

/** What one segment makes of what there is. */
type RunSegment = (segment: Segment, values: Feeds) => Promise<Results>;

/** Runs the segments one after the other, each fed what those before it made. */
export function runnerOf(
  { segments, feeds }: Layout,
  runSegment: RunSegment,
  parts: StepParts,
): Pick<StepRunner, "run"> {
  return {
    async run(latents, wantGradient) {
      let values: Feeds = { ...feeds, noise: latents };
      for (const [i, segment] of segments.entries()) {
        if (i > 1 && !wantGradient) break; // what is left only leads back
        values = { ...values, ...(await runSegment(segment, values)) };
      }
      return seenIn(values as Record<string, Float32Array>, parts);
    },
  };
}

/** One session stays from look to look. */
async function staying(layout: Layout, parts: StepParts): Promise<StepRunner> {
  const session = await compile(layout.segments[0]!.outputs, { ...parts.compile, quiet: true }); // what fails is thrown
  return { ...runnerOf(layout, (_, values) => session.run(values), parts), release: () => session.release() };
}

/** Several are made for every look anew: one that stays keeps the pages of its weights and its arena. */
function inTurn(layout: Layout, parts: StepParts): StepRunner {
  const runSegment: RunSegment = async ({ outputs, cuts }, values) => {
    const session = await compile(outputs, { ...parts.compile, cuts, quiet: true });
    try {
      return await session.run(values);
    } finally {
      await session.release();
    }
  };
  return { ...runnerOf(layout, runSegment, parts), release: async () => {} };
}

function seenIn(values: Record<string, Float32Array>, { rewards }: StepParts): StepValues {
  const { loss, image, gradient } = values;
  const numbers = [...rewards.keys()].map((name) => [name, values[rewardOutput(name)]![0]!]);
  return { rewards: Object.fromEntries(numbers), loss: loss![0]!, image: image!, ...(gradient ? { gradient } : {}) };
}

/** That plan, whatever memory there is. */
export const planned =
  (name: PlanName): StepPlan =>
  async (parts) => {
    const layout = layouts[name](parts);
    return layout.segments.length === 1 ? staying(layout, parts) : inTurn(layout, parts);
  };

// -- choosing ---------------------------------------------------------------------------------------------------------

/** What a plan will take at its worst moment, in bytes: of mapped weights, of copies of weights, and of a step's values. */
export interface PlanNeed {
  readonly name: PlanName;
  readonly mapped: number;
  readonly copies: number;
  readonly activations: number;
  readonly total: number;
}

/** What each plan will take, the fastest first. */
export const needsOf = (parts: StepParts): PlanNeed[] => planNames.map((name) => needOf(name, parts));

export function needOf(name: PlanName, parts: StepParts): PlanNeed {
  const needs = layouts[name](parts).segments.map(needIn);
  const worst = needs.toSorted((a, b) => total(b) - total(a))[0]!; // one segment at a time
  return { name, ...worst, mapped: mappedIn(worst), total: total(worst) };
}

const needIn = ({ outputs, cuts }: Segment): MemoryNeed => memoryOf(outputs, cuts);
const mappedIn = ({ mapped }: MemoryNeed): number => [...mapped].reduce((sum, weight) => sum + bytesOf(weight), 0);
const total = (need: MemoryNeed): number => mappedIn(need) + need.copies + need.activations;

export interface Choice {
  readonly name: PlanName;
  readonly needs: readonly PlanNeed[];
  /** Bytes; undefined for a GPU, which does not tell. */
  readonly free: number | undefined;
  readonly fits: boolean;
}

/** Of what is free: others want some of it too. */
const share = 0.9;
/** Sizes of pictures that every model takes, in pixels. */
const sideStep = 64;
/** A GPU's memory is not known: what is taken there should fit the smallest that people paint with. */
const assumedOnGpu = 4e9;

/** The fastest plan that fits into what is free; the leanest where none does. */
export async function choosePlan(parts: StepParts, free = memoryFree()): Promise<Choice> {
  const needs = needsOf(parts);
  const onGpu = await runsOnGpu(parts.compile);
  const limit = onGpu ? assumedOnGpu : share * free;
  const fitting = needs.find(({ total }) => total <= limit);
  const leanest = needs.toSorted((a, b) => a.total - b.total)[0]!;
  const { name } = fitting ?? leanest;
  return { name, needs, free: onGpu ? undefined : free, fits: fitting !== undefined };
}

/** What the system can give, caches that it would drop counted in, within the limit of a container. */
export const memoryFree = (): number => Math.min(freemem(), process.availableMemory?.() || freemem());

async function runsOnGpu({ provider = "auto" }: CompileOptions): Promise<boolean> {
  return provider === "auto" ? (await listProviders())[0] !== "cpu" : provider !== "cpu";
}

const inGigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;

const manner: Readonly<Record<PlanName, string>> = {
  whole: "whole",
  recompute: "recomputing",
  segments: "in segments",
};

/** "Memory: needs 8.1 GB whole, 5.2 GB recomputing, 4.9 GB in segments; 18.0 GB are free: whole." */
export function describeChoice({ name, needs, free, fits }: Choice): string {
  const wants = needs.map(({ name, total }) => `${inGigabytes(total)} ${manner[name]}`).join(", ");
  const there = free === undefined ? "the GPU does not say what is free" : `${inGigabytes(free)} are free`;
  return `Memory: needs ${wants}; ${there}: ${manner[name]}${fits ? "" : ", which may not fit"}.`;
}

export interface PlanOptions {
  /** Told of the choice, and of every change of it. */
  readonly say?: ((text: string) => void) | undefined;
  /** Bytes that may be taken; what is free unless given. */
  readonly free?: number | undefined;
}

/** The plan that fits; where memory runs out all the same, the next leaner one. */
export const fittingPlan =
  ({ say = () => {}, free }: PlanOptions = {}): StepPlan =>
  async (parts) => {
    const choice = await choosePlan(parts, free);
    say(describeChoice(choice));
    return new FallingRunner(parts, planNames.slice(planNames.indexOf(choice.name)), say).begin();
  };

const outOfMemory = /bad.?alloc|failed to allocate|out of (device )?memory|not enough memory|insufficient memory/i;

/** A step's runner that takes the next plan when memory runs out, while building or running. */
class FallingRunner implements StepRunner {
  readonly #parts: StepParts;
  readonly #say: (text: string) => void;
  #left: readonly PlanName[];
  #runner: StepRunner | undefined;

  constructor(parts: StepParts, names: readonly PlanName[], say: (text: string) => void) {
    this.#parts = parts;
    this.#left = names;
    this.#say = say;
  }

  async begin(): Promise<this> {
    await this.#try(async () => undefined);
    return this;
  }

  run(latents: Float32Array, wantGradient: boolean): Promise<StepValues> {
    return this.#try((runner) => runner.run(latents, wantGradient));
  }

  async release(): Promise<void> {
    await this.#runner?.release();
    this.#runner = undefined;
  }

  async #try<T>(work: (runner: StepRunner) => Promise<T>): Promise<T> {
    try {
      this.#runner ??= await planned(this.#left[0]!)(this.#parts);
      return await work(this.#runner);
    } catch (error) {
      if (!outOfMemory.test((error as Error).message)) throw error;
      await this.release();
      const [tried, next] = this.#left;
      if (!next) throw tooLarge(this.#parts, error);
      this.#say(`Memory ran out ${manner[tried!]}; going on ${manner[next]}.`);
      this.#left = this.#left.slice(1);
      return this.#try(work);
    }
  }
}

/** What is said to be free was not enough: a size that fits must need less than what was tried, too. */
function tooLarge(parts: StepParts, cause: unknown): SystemError {
  const [tried, free] = [leastOf(parts), memoryFree()];
  const smaller = smallerSize(parts, Math.min(tried, free));
  const need = smaller && leastOf(resized(parts, smaller));
  return new SystemError(`There is not enough memory for a picture of ${inPixels(parts.size)}, by any plan.`, {
    hint: smaller
      ? `${inPixels(smaller)} takes ${inGigabytes(need!)} instead of ${inGigabytes(tried)}: --size ${inPixels(smaller)}.`
      : `It takes ${inGigabytes(tried)}, and ${inGigabytes(free)} are free: close other programs first.`,
    cause,
  });
}

/** What the leanest plan takes. */
const leastOf = (parts: StepParts): number => Math.min(...needsOf(parts).map(({ total }) => total));

const resized = (parts: StepParts, size: Size): StepParts => ({
  ...parts,
  size,
  noiseShape: parts.pipeline.latentShape(size),
});

const inPixels = ({ width, height }: Size) => `${width}x${height}`;

/** The largest of about the same proportions, down to a quarter, that fits by one of the plans. */
export function smallerSize(parts: StepParts, free: number): Size | undefined {
  const scaled = (side: number, scale: number) => Math.max(1, Math.round((side * scale) / sideStep)) * sideStep;
  return [0.875, 0.75, 0.625, 0.5, 0.375, 0.25]
    .map((scale) => ({ width: scaled(parts.size.width, scale), height: scaled(parts.size.height, scale) }))
    .filter(({ width, height }) => width * height < parts.size.width * parts.size.height)
    .find((size) => leastOf(resized(parts, size)) <= share * free);
}
