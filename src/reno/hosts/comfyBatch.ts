// Which pictures of a ComfyUI batch are drawn, and which are saved (a125cd84: nodes.py, comfy_extras/nodes_latent.py).

import type { Size } from "../pipeline.ts";

export interface Latents extends Size {
  readonly count: number;
  /** LatentFromBatch's numbers, if it was used before the sampler. */
  readonly index: readonly number[] | undefined;
}

/** LatentFromBatch and ImageFromBatch: a run of pictures. */
export interface Run {
  readonly from: number;
  readonly count: number;
}

function run<T>(all: readonly T[], { from, count }: Run): T[] {
  const start = Math.min(all.length - 1, from);
  return all.slice(start, start + count);
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

export const picked = (count: number, picks: readonly Run[]): number[] => picks.reduce(run, numbers(count));

export function fromBatch(latents: Latents, pick: Run): Latents {
  const index = run(latents.index ?? numbers(latents.count), pick);
  return { ...latents, count: index.length, index };
}

/** RepeatLatentBatch counts on from the numbers that there are; without such it is a larger batch. */
export function repeated(latents: Latents, amount: number): Latents {
  const { index, count } = latents;
  if (!index) return { ...latents, count: count * amount };
  const offset = Math.max(...index) - Math.min(...index) + 1;
  const all = numbers(amount).flatMap((i) => index.map((one) => one + i * offset));
  return { ...latents, count: all.length, index: all };
}

/** LatentBatchSeedBehavior: "fixed" gives all pictures the first one's noise, "random" forgets which they were. */
export function reseeded(latents: Latents, isFixed: boolean): Latents {
  const first = latents.index?.[0] ?? 0;
  return { ...latents, index: isFixed ? numbers(latents.count).map(() => first) : undefined };
}

/** LatentBatch: what had no numbers gets those of its own places. */
export function together(first: Latents, second: Latents): Latents {
  const index = [first, second].flatMap(({ index: own, count }) => own ?? numbers(count));
  return { ...first, count: index.length, index };
}
