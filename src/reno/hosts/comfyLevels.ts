// From which nodes of a ComfyUI graph the noise levels come, and what was done to them (a125cd84: comfy_extras/nodes_custom_sampler.py,
// nodes_align_your_steps.py).

import type { Graph } from "../../metadata/dialects/comfyGraph.ts";
import type { Json, JsonObject } from "../../metadata/json.ts";
import { numberAt } from "./comfyText.ts";
import { notOneStep } from "./making.ts";

/** How the noise levels come about: named ones, or SDTurboScheduler's. */
export interface Levels {
  readonly scheduler: string;
  readonly steps: number;
  readonly denoise: number;
  /** KSamplerAdvanced's part of all steps. */
  readonly start: number;
  readonly end: number;
  /** Whether the last level becomes 0 when the part ends early. */
  readonly full: boolean;
  /** Whether the node, as KSampler does, asks for a step more where the sampler wants that. */
  readonly oneMore: boolean;
  readonly max?: number | undefined;
  readonly min?: number | undefined;
  readonly rho?: number | undefined;
  /** What was done to the levels before the sampler got them, in order. */
  readonly edits: readonly Edit[];
}

type Edit = (sigmas: readonly number[]) => readonly number[];

/** A sampler's own, or from the nodes before it. */
export function levelsOf(graph: Graph, inputs: JsonObject): Levels {
  if (graph.source(inputs.sigmas)) return sigmasFrom(graph, inputs.sigmas, 0);
  return {
    scheduler: String(graph.literal(inputs.scheduler) ?? "normal"),
    ...counts(graph, inputs),
    start: numberAt(graph, inputs.start_at_step) ?? 0,
    end: numberAt(graph, inputs.end_at_step) ?? Number.POSITIVE_INFINITY,
    full: inputs.return_with_leftover_noise !== "enable",
    oneMore: true,
    edits: [],
  };
}

const counts = (graph: Graph, { steps, denoise }: JsonObject) => ({
  steps: numberAt(graph, steps) ?? 1,
  denoise: numberAt(graph, denoise) ?? 1,
});

/** Loops end here. */
const maxDepth = 50;

function sigmasFrom(graph: Graph, value: Json | undefined, depth: number): Levels {
  const node = graph.source(value);
  if (!node || depth > maxDepth) throw notOneStep("The noise levels that the sampler went down are not known.");
  const { inputs, type } = node;
  const number = (name: string) => numberAt(graph, inputs[name]);
  const slot = Array.isArray(value) && value[1] === 1 ? 1 : 0;
  const edit = sigmaEdits[type]?.((name) => number(name) ?? 0, slot);
  if (edit) {
    const before = sigmasFrom(graph, inputs.sigmas, depth + 1);
    return { ...before, edits: [...before.edits, edit] };
  }
  const scheduler = type === "BasicScheduler" ? graph.literal(inputs.scheduler) : sigmaNodes[type];
  if (typeof scheduler !== "string") {
    throw notOneStep(`The noise levels come from "${type}", which is not known here.`);
  }
  return {
    scheduler: inputs.model_type === undefined ? scheduler : `${scheduler} ${inputs.model_type}`,
    ...counts(graph, inputs),
    ...{ start: 0, end: Number.POSITIVE_INFINITY, full: true, oneMore: false, edits: [] },
    max: number("sigma_max"),
    min: number("sigma_min"),
    rho: number("rho"),
  };
}

const sigmaNodes: Readonly<Record<string, string>> = {
  SDTurboScheduler: "sd_turbo",
  KarrasScheduler: "karras",
  ExponentialScheduler: "exponential",
  PolyexponentialScheduler: "polyexponential",
  BetaSamplingScheduler: "beta",
  AlignYourStepsScheduler: "align_your_steps",
};

type Numbers = (name: string) => number;

const sigmaEdits: Readonly<Record<string, (number: Numbers, slot: 0 | 1) => Edit>> = {
  SplitSigmas: (number, slot) => (sigmas) =>
    slot === 0 ? sigmas.slice(0, number("step") + 1) : sigmas.slice(number("step")),
  SplitSigmasDenoise: (number, slot) => (sigmas) => {
    const kept = Math.round(Math.max(sigmas.length - 1, 0) * number("denoise"));
    return slot === 0 ? sigmas.slice(0, -kept) : sigmas.slice(-(kept + 1));
  },
  SetFirstSigma: (number) => (sigmas) => [number("sigma"), ...sigmas.slice(1)],
};
