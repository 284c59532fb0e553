// AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101), gradient clipping by the global norm, and the usual schedule of its rate.

import { ShapeError } from "../errors.ts";

/** Tensors by name, as the weights of a model and their gradients come. */
export type Tensors = Readonly<Record<string, Float32Array>>;

export interface AdamWOptions {
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  weightDecay?: number;
  /** Which tensors decay; by default all. Norms, biases and embeddings had better not. */
  decays?: (name: string) => boolean;
}

/** The moments that a stopped training needs to go on. */
export interface AdamWState {
  steps: number;
  mean: Tensors;
  square: Tensors;
}

export class AdamW {
  readonly #parameters: Tensors;
  readonly #options: Required<AdamWOptions>;
  readonly state: AdamWState;

  constructor(parameters: Tensors, options: AdamWOptions = {}, state?: AdamWState) {
    this.#parameters = parameters;
    this.#options = { beta1: 0.9, beta2: 0.98, epsilon: 1e-8, weightDecay: 0.05, decays: () => true, ...options };
    this.state = state ?? { steps: 0, mean: zerosLike(parameters), square: zerosLike(parameters) };
  }

  /** Changes the parameters in place. */
  step(gradients: Tensors, rate: number): void {
    const { beta1, beta2, epsilon, weightDecay, decays } = this.#options;
    const t = ++this.state.steps;
    const meanScale = 1 / (1 - beta1 ** t);
    const squareScale = 1 / (1 - beta2 ** t);
    for (const [name, w] of Object.entries(this.#parameters)) {
      const [g, m, v] = [gradients[name], this.state.mean[name]!, this.state.square[name]!];
      if (g?.length !== w.length)
        throw new ShapeError(`AdamW: ${name} has ${w.length} numbers, its gradient ${g?.length}.`);
      const shrink = decays(name) ? 1 - rate * weightDecay : 1;
      for (let i = 0; i < w.length; i++) {
        m[i] = beta1 * m[i]! + (1 - beta1) * g[i]!;
        v[i] = beta2 * v[i]! + (1 - beta2) * g[i]! * g[i]!;
        w[i] = w[i]! * shrink - (rate * m[i]! * meanScale) / (Math.sqrt(v[i]! * squareScale) + epsilon);
      }
    }
  }
}

const zerosLike = (tensors: Tensors): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, { length }]) => [name, new Float32Array(length)]));

/** Scales the gradients in place so that their joint norm is at most `limit`; returns the norm before. */
export function clipGradients(gradients: Tensors, limit: number): number {
  const all = Object.values(gradients);
  let total = 0;
  for (const g of all) for (let i = 0; i < g.length; i++) total += g[i]! * g[i]!;
  const norm = Math.sqrt(total);
  const scale = Math.min(1, limit / (norm + 1e-6));
  if (scale < 1) for (const g of all) for (let i = 0; i < g.length; i++) g[i]! *= scale;
  return norm;
}

/** Up in a straight line over `warmUp` steps, then down along half a cosine to nothing at `total`. */
export function rateAt(step: number, { peak, warmUp, total }: { peak: number; warmUp: number; total: number }): number {
  if (step < warmUp) return (peak * (step + 1)) / warmUp;
  const progress = Math.min(1, (step - warmUp) / Math.max(1, total - warmUp));
  return (peak * (1 + Math.cos(Math.PI * progress))) / 2;
}
