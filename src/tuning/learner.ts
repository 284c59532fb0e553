// A model that learns: one graph of loss and gradients, its weights fed at every step, and AdamW on what comes back.

import { compile, type Feeds, gradients, type Session, type Shape, type Tensor } from "../graph/index.ts";
import { Weights } from "../weights/weights.ts";
import { AdamW, type AdamWState, clipGradients, type Tensors } from "./adamw.ts";

export interface LearnerOptions {
  shapes: Readonly<Record<string, Shape>>;
  /** Which tensors learn; the same arrays that are fed, changed in place. */
  parameters: Tensors;
  /** Builds what is to become small, and whatever else is to be seen of each step. */
  objective: (w: Weights) => { loss: Tensor } & Record<string, Tensor>;
  threads?: number | undefined;
  state?: AdamWState | undefined;
  decays?: (name: string) => boolean;
}

const largestNorm = 1;
const gradientOf = (name: string) => `gradient of ${name}`;

export class Learner {
  readonly parameters: Tensors;
  readonly #session: Session;
  readonly #optimiser: AdamW;

  private constructor(parameters: Tensors, session: Session, optimiser: AdamW) {
    this.parameters = parameters;
    this.#session = session;
    this.#optimiser = optimiser;
  }

  static async build({ shapes, parameters, objective, threads, state, ...rest }: LearnerOptions): Promise<Learner> {
    const names = Object.keys(parameters);
    const weights = Weights.fromInputs(shapes);
    const outputs = objective(weights);
    const slopes = gradients(
      outputs.loss,
      names.map((name) => weights.get(name)),
    );
    const gradientOutputs = Object.fromEntries(names.map((name, i) => [gradientOf(name), slopes[i]!]));
    const session = await compile({ ...outputs, ...gradientOutputs }, { provider: "cpu", threads });
    return new Learner(parameters, session, new AdamW(parameters, rest, state));
  }

  /** One step; the graph's other outputs come back with the norm that the gradient had. */
  async step(feeds: Feeds, rate: number): Promise<Record<string, Float32Array> & { norm: number }> {
    const outputs = await this.#session.run({ ...this.parameters, ...feeds });
    const names = Object.keys(this.parameters);
    const slopes = Object.fromEntries(names.map((name) => [name, outputs[gradientOf(name)]!]));
    const norm = clipGradients(slopes, largestNorm);
    this.#optimiser.step(slopes, rate);
    return Object.assign(outputs, { norm }) as Record<string, Float32Array> & { norm: number };
  }

  get state(): AdamWState {
    return this.#optimiser.state;
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}
