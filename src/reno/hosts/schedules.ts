// From which noise level to which the steps go: the schedules that A1111, Forge and ComfyUI offer (Forge dfdcbab6,
// modules/sd_schedulers.py; ComfyUI a125cd84, comfy/samplers.py). At one step most begin at the highest level, and some at the lowest.

import { RequestError } from "../../errors.ts";
import type { SigmaTable } from "./sigmas.ts";

export interface ScheduleOptions {
  /** The range to stay in; the table's own unless an option changed it. */
  readonly min: number;
  readonly max: number;
  readonly rho?: number | undefined;
}

/** `steps` noise levels and the one after the last, mostly 0. */
export type Schedule = (steps: number, table: SigmaTable, options: ScheduleOptions) => number[];

const linspace = (from: number, to: number, count: number) =>
  Array.from({ length: count }, (_, i) => (count === 1 ? from : from + ((to - from) * i) / (count - 1)));

const last = (table: SigmaTable) => table.sigmas.length - 1;

const uniform: Schedule = (n, table) => [...linspace(last(table), 0, n).map((place) => table.sigma(place)), 0];

/** From the entry nearest to the highest level to the one nearest to the lowest. */
const normal: Schedule = (n, table, { max, min }) => [
  ...linspace(table.timestep(max), table.timestep(min), n).map((place) => table.sigma(place)),
  0,
];

const sgmUniform: Schedule = (n, table, options) => [...normal(n + 1, table, options).slice(0, -2), 0];

/** Karras et al. 2022, equation 5. */
export const karras: Schedule = (n, _, { min, max, rho = 7 }) => [
  ...linspace(max ** (1 / rho), min ** (1 / rho), n).map((root) => root ** rho),
  0,
];

export const exponential: Schedule = (n, _, { min, max }) => [
  ...linspace(Math.log(max), Math.log(min), n).map(Math.exp),
  0,
];

const polyexponential: Schedule = (n, _, { min, max, rho = 1 }) => [
  ...linspace(1, 0, n).map((ramp) => Math.exp(ramp ** rho * (Math.log(max) - Math.log(min)) + Math.log(min))),
  0,
];

/** A1111's ends at the lowest level, and not at 0. */
const klOptimalTo = (places: readonly number[], { min, max }: ScheduleOptions) =>
  places.map((place) => Math.tan(place * Math.atan(min) + (1 - place) * Math.atan(max)));

const simple: Schedule = (n, table) => [
  ...Array.from({ length: n }, (_, i) => table.sigmas.at(-(1 + Math.floor((i * table.sigmas.length) / n)))!),
  0,
];

/** From the second entry up: its one step begins nearly where it ends. */
const ddim: Schedule = (n, table) => {
  const stride = Math.max(Math.floor(table.sigmas.length / n), 1);
  const places = Array.from({ length: Math.ceil((table.sigmas.length - 1) / stride) }, (_, i) => 1 + i * stride);
  return [...places.map((place) => table.sigmas[place]!).reverse(), 0];
};

/** Its first level is the highest; the others would need the beta distribution's quantiles. */
const beta: Schedule = (n, _, { max, min }) => {
  if (n <= 2) return [max, ...(n === 2 ? [min] : []), 0];
  throw new RequestError(
    `The picture was drawn by ${n} steps of the schedule Beta, and only its first one is known here.`,
  );
};

const turbo: Schedule = (n, table) => [
  ...Array.from({ length: n }, (_, i) => table.sigma(Math.round(((n - i) * 1000) / n - 1))),
  0,
];

/** Levels found by others' optimisation, between which the logarithms are interpolated; one step takes the lowest. */
function listed(levels: readonly number[]): Schedule {
  const logs = levels.map(Math.log).reverse();
  return (n) => {
    if (n === levels.length) return [...levels, 0];
    const places = linspace(0, logs.length - 1, n);
    const between = (place: number) => {
      const low = Math.min(Math.floor(place), logs.length - 2);
      return Math.exp(logs[low]! + (place - low) * (logs[low + 1]! - logs[low]!));
    };
    return [...places.map(between).reverse(), 0];
  };
}

const alignYourSteps = listed([14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029]);

/** By the labels in infotext. */
export const a1111Schedules: ReadonlyMap<string, Schedule> = new Map<string, Schedule>([
  ["Uniform", uniform],
  ["Karras", karras],
  ["Exponential", exponential],
  ["Polyexponential", polyexponential],
  ["SGM Uniform", sgmUniform],
  ["KL Optimal", (n, _, options) => klOptimalTo(linspace(0, 1, n + 1), options)],
  ["Align Your Steps", alignYourSteps],
  ["Simple", simple],
  ["Normal", normal],
  ["DDIM", ddim],
  ["Beta", beta],
  ["Turbo", turbo],
  ["Align Your Steps GITS", listed([14.615, 4.617, 2.507, 1.236, 0.702, 0.402, 0.24, 0.156, 0.104, 0.094, 0.029])],
  ["Align Your Steps 11", alignYourSteps],
  ["Align Your Steps 32", listed(alignYourSteps32())],
]);

/** What else sampler names and infotext call them (sd_schedulers.py: name, aliases). */
export const a1111Aliases: ReadonlyMap<string, string> = new Map([
  ...[...a1111Schedules.keys()].map((label): [string, string] => [label.toLowerCase().replaceAll(" ", "_"), label]),
  ["SGMUniform", "SGM Uniform"],
  ["align_your_steps_GITS", "Align Your Steps GITS"],
]);

/** AlignYourStepsScheduler's levels (nodes_align_your_steps.py). */
const comfyLevels = {
  SD1: [
    14.6146412293, 6.4745760956, 3.8636745985, 2.694615152, 1.8841921177, 1.3943805092, 0.9642583904, 0.6523686016,
    0.3977456272, 0.1515232662, 0.0291671582,
  ],
  SDXL: [
    14.6146412293, 6.3184485287, 3.7681790315, 2.1811480769, 1.3405244945, 0.8620721141, 0.5550693289, 0.3798540708,
    0.2332364134, 0.1114188177, 0.0291671582,
  ],
};

/** ComfyUI puts 0 in place of the last of the levels, and A1111 after it. */
function endingAt0(levels: readonly number[]): Schedule {
  const make = listed(levels);
  return (n, table, options) => [...make(n + 1, table, options).slice(0, -2), 0];
}

/** By the names in the graph. */
export const comfySchedules: ReadonlyMap<string, Schedule> = new Map<string, Schedule>([
  ["simple", simple],
  ["sgm_uniform", sgmUniform],
  ["karras", karras],
  ["exponential", exponential],
  ["polyexponential", polyexponential],
  ["ddim_uniform", ddim],
  ["beta", (n, table, options) => beta(n, table, { ...options, min: table.sigma(500) })],
  ["normal", normal],
  ["linear_quadratic", linearQuadratic],
  ["kl_optimal", klOptimalComfy],
  ["align_your_steps SD1", endingAt0(comfyLevels.SD1)],
  ["align_your_steps SDXL", endingAt0(comfyLevels.SDXL)],
]);

function klOptimalComfy(n: number, _: SigmaTable, options: ScheduleOptions): number[] {
  if (n > 1) return [...klOptimalTo(linspace(0, 1, n), options), 0];
  throw new RequestError(
    'The picture was drawn by one step of ComfyUI\'s schedule "kl_optimal", which divides by 0 there and draws nothing.',
  );
}

/** Mochi's schedule (genmoai/models, src/mochi_preview/infer.py): half of the steps linear, half quadratic. */
function linearQuadratic(n: number, table: SigmaTable): number[] {
  if (n === 1) return [table.max, 0];
  const [threshold, linear] = [0.025, Math.floor(n / 2)];
  const quadratic = n - linear;
  const difference = linear - threshold * n;
  const square = difference / (linear * quadratic ** 2);
  const slope = threshold / linear - (2 * difference) / quadratic ** 2;
  const parts = Array.from({ length: n }, (_, i) =>
    i < linear ? (i * threshold) / linear : square * i * i + slope * i + square * linear ** 2,
  );
  return [...parts, 1].map((part) => (1 - part) * table.max);
}

function alignYourSteps32(): number[] {
  return [
    14.615, 11.23951352, 8.64363081, 6.64729424, 5.57250862, 4.71648546, 3.99196065, 3.5195609, 3.13490466, 2.79228788,
    2.48773628, 2.21663865, 1.97508351, 1.7793172, 1.61475335, 1.46540953, 1.314849, 1.16642497, 1.03475547, 0.91573744,
    0.80748169, 0.71202361, 0.621739, 0.53065202, 0.4529096, 0.37491455, 0.27461819, 0.2011529, 0.14105873, 0.06682881,
    0.03166121, 0.015,
  ];
}
