// Trains the shapes world's reward model by pairwise ranking, guided by what lies where. Stops and goes on anywhere.

import type { Shape } from "../graph/index.ts";
import { type Group, type GroupOptions, randomGroup, wholeWorld } from "../shapes/pairs.ts";
import { Random } from "../shapes/random.ts";
import { type AdamWState, rateAt, type Tensors } from "./adamw.ts";
import { Learner } from "./learner.ts";
import { cellAt, guideShapes, learning, learningFeeds } from "./objectives.ts";
import { decays, freshWeights, type RewardSizes, rewardShapes } from "./rewardWeights.ts";

export interface TrainingSettings {
  seed: number;
  sizes: RewardSizes;
  steps: number;
  /** Groups of preferences in a step. */
  batch: number;
  /** The highest learning rate, and the steps until it. */
  peak: number;
  warmUp: number;
  /** Steps at the start in which scenes are simple, and half of the other sentences are about something else altogether. */
  simpleSteps: number;
  /** Weight of the guides' loss beside the ranking's. */
  guidance: number;
}

/** All that a stopped training needs; `step` counts those done. */
export interface TrainingState {
  step: number;
  parameters: Tensors;
  optimiser?: AdamWState | undefined;
}

/** What a step had before it changed the weights. */
export interface Progress {
  step: number;
  ranking: number;
  /** Guides: cross-entropy of patches, mean squared distance in half pictures, cross-entropy of the parts' truth. */
  naming: number;
  finding: number;
  judging: number;
  norm: number;
  /** Share of the batch's pairs in the right order. */
  accuracy: number;
}

/** The weights and the guides' layers. */
export const allShapes = (sizes: RewardSizes): Record<string, Shape> => ({
  ...rewardShapes(sizes),
  ...guideShapes(sizes),
});

export const startState = ({ seed, sizes }: TrainingSettings): TrainingState => ({
  step: 0,
  parameters: freshWeights(allShapes(sizes), new Random(seed)),
});

/** Runs until the end, yielding after every step; the state is the live one, consistent until the next step begins. */
export async function* train(
  settings: TrainingSettings,
  state: TrainingState,
  threads?: number,
): AsyncGenerator<Progress, void, void> {
  const { sizes, batch, steps, guidance } = settings;
  const learner = await Learner.build({
    shapes: allShapes(sizes),
    parameters: state.parameters,
    objective: (w) => learning(w, batch),
    threads,
    state: state.optimiser,
    decays,
  });
  state.optimiser = learner.state;
  try {
    while (state.step < steps) {
      const groups = groupsOfStep(settings, state.step);
      const rate = rateAt(state.step, { ...settings, total: steps });
      const outputs = await learner.step(learningFeeds(groups, sizes.patch, guidance), rate);
      const number = (name: string) => outputs[name]![0]!;
      state.step++;
      yield {
        step: state.step,
        ranking: number("ranking"),
        naming: number("naming"),
        finding: number("finding"),
        judging: number("judging"),
        norm: outputs.norm,
        accuracy: accuracyOf(groups, outputs.scores!),
      };
    }
  } finally {
    await learner.release();
  }
}

/** Each step's random numbers have a key of their own, so that a resumed training sees what it would have seen. */
function groupsOfStep({ seed, batch, simpleSteps }: TrainingSettings, step: number): Group[] {
  const random = new Random(seed, step);
  const options = step < simpleSteps ? simple : manifold;
  return Array.from({ length: batch }, () => randomGroup(random, options));
}

const simple: GroupOptions = { splits: ["training"], mixture: [0.5, 0.5, 0], unrelated: 0.5 };
const manifold: GroupOptions = { splits: ["training"], mixture: wholeWorld };

function accuracyOf(groups: readonly Group[], scores: Float32Array): number {
  const pairs = groups.flatMap(({ preferences }, g) =>
    preferences.map(({ better, worse }) => scores[cellAt(g, better)]! > scores[cellAt(g, worse)]!),
  );
  return pairs.filter(Boolean).length / pairs.length;
}
