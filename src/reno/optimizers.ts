// torch.optim's SGD, Adam and L-BFGS as ReNO sets them (training/optim.py at bd6f6ac). An update takes a state and gives a new
// one and changes neither, so that any step's state can be kept and gone on from.

import { lbfgs } from "./lbfgs.ts";
import { plus } from "./vectors.ts";

/** A function's value at some latents, and its gradient. */
export interface Point {
  readonly value: number;
  readonly gradient: Float32Array;
}

export type Evaluate = (latents: Float32Array) => Promise<Point>;

/** Numbers and vectors by name: what an optimiser remembers. Empty before the first update. */
export type OptimizerState = Readonly<Record<string, number | Float32Array | readonly Float32Array[]>>;

export interface OptimizerSettings {
  readonly learningRate: number;
  /** SGD's. */
  readonly momentum: number;
  readonly nesterov: boolean;
}

export interface Updated<State> {
  readonly latents: Float32Array;
  readonly state: State;
}

/** One update from `latents`, where the function is `at`; L-BFGS looks at other places too. */
export type Update<State> = (
  latents: Float32Array,
  at: Point,
  state: Partial<State>,
  settings: OptimizerSettings,
  evaluate: Evaluate,
) => Promise<Updated<State>>;

type SgdState = { readonly velocity: Float32Array };

/** v ← μ v + g, at first v = g; z ← z − η v, with Nesterov z ← z − η (g + μ v). */
const sgd: Update<SgdState> = async (latents, { gradient }, { velocity }, { learningRate, momentum, nesterov }) => {
  const next = velocity ? plus(gradient, momentum, velocity) : gradient;
  const direction = nesterov ? plus(gradient, momentum, next) : next;
  return { latents: plus(latents, -learningRate, direction), state: { velocity: next } };
};

type AdamState = {
  readonly updates: number;
  readonly mean: Float32Array;
  readonly square: Float32Array;
};

const adamBetas = { mean: 0.9, square: 0.999 };
const adamEpsilon = 1e-2; // ReNO's: of the order of a clipped gradient's entries, so this is far from descent by signs

const adam: Update<AdamState> = async (latents, { gradient }, before, { learningRate }) => {
  const zeros = new Float32Array(latents.length);
  const { updates = 0, mean = zeros, square = zeros } = before;
  const state = {
    updates: updates + 1,
    mean: gradient.map((g, i) => mixed(mean[i]!, g, adamBetas.mean)),
    square: gradient.map((g, i) => mixed(square[i]!, g * g, adamBetas.square)),
  };
  const rate = learningRate / (1 - adamBetas.mean ** state.updates);
  const scale = 1 / (1 - adamBetas.square ** state.updates);
  const next = latents.map((z, i) => z - (rate * state.mean[i]!) / (Math.sqrt(state.square[i]! * scale) + adamEpsilon));
  return { latents: next, state };
};

const mixed = (old: number, fresh: number, share: number) => share * old + (1 - share) * fresh;

export type OptimizerName = "sgd" | "adam" | "lbfgs";

export const optimizers: Readonly<Record<OptimizerName, Update<OptimizerState>>> = {
  sgd: sgd as Update<OptimizerState>,
  adam: adam as Update<OptimizerState>,
  lbfgs: lbfgs as Update<OptimizerState>,
};
