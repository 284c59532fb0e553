// Trains the shapes world's reward model by pairwise ranking, guided by what lies where, and then against pictures that are painted
// to please it. Stops and goes on anywhere.

import type { Shape } from "../graph/index.ts";
import { type Group, type GroupOptions, paintedGroup, randomGroup, wholeWorld } from "../shapes/pairs.ts";
import { Random } from "../shapes/random.ts";
import { type AdamWState, rateAt, type Tensors } from "./adamw.ts";
import { Learner } from "./learner.ts";
import { cellAt, guideShapes, learning, learningFeeds } from "./objectives.ts";
import { RefinedPictures } from "./refinedPictures.ts";
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
  /** The second stage, after `steps`: how many of a step's groups have a picture that refining painted. */
  refining: { steps: number; peak: number; painted: number };
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
  /** Share of the batch's pairs in the right order, and of those with a picture that refining painted. */
  accuracy: number;
  painted: number;
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
  const { sizes, batch, guidance } = settings;
  const learner = await Learner.build({
    shapes: allShapes(sizes),
    parameters: state.parameters,
    objective: (w) => learning(w, batch),
    threads,
    state: state.optimiser,
    decays,
  });
  state.optimiser = learner.state;
  const pictures = new RefinedPictures({ ...settings, ...settings.refining, firstLife: state.step, threads });
  try {
    while (state.step < allSteps(settings)) {
      const groups = await groupsOfStep(settings, state, pictures);
      const outputs = await learner.step(learningFeeds(groups, sizes.patch, guidance), rateOf(settings, state.step));
      const number = (name: string) => outputs[name]![0]!;
      const isRight = orderOf(groups, outputs.scores!);
      state.step++;
      yield {
        step: state.step,
        ranking: number("ranking"),
        naming: number("naming"),
        finding: number("finding"),
        judging: number("judging"),
        norm: outputs.norm,
        accuracy: shareOf(isRight, () => true),
        painted: shareOf(isRight, ({ kind }) => kind === "painted"),
      };
    }
  } finally {
    await pictures.release();
    await learner.release();
  }
}

export const allSteps = ({ steps, refining }: TrainingSettings): number => steps + refining.steps;

/** Each stage's rate rises and falls on its own. */
export function rateOf({ steps, peak, warmUp, refining }: TrainingSettings, step: number): number {
  if (step < steps) return rateAt(step, { peak, warmUp, total: steps });
  return rateAt(step - steps, { peak: refining.peak, warmUp, total: refining.steps });
}

/** Each step's random numbers have a key of their own, so that a resumed training sees what it would have seen. */
async function groupsOfStep(
  { seed, batch, steps, simpleSteps }: TrainingSettings,
  { step, parameters }: TrainingState,
  pictures: RefinedPictures,
): Promise<Group[]> {
  const random = new Random(seed, step);
  const painted = step < steps ? [] : await pictures.next(parameters);
  const options = step < simpleSteps ? simple : manifold;
  return [
    ...painted.map((picture) => paintedGroup(picture, random)),
    ...Array.from({ length: batch - painted.length }, () => randomGroup(random, options)),
  ];
}

const simple: GroupOptions = { splits: ["training"], mixture: [0.5, 0.5, 0], unrelated: 0.5 };
const manifold: GroupOptions = { splits: ["training"], mixture: wholeWorld };

type Judged = { right: boolean; kind: string };

const orderOf = (groups: readonly Group[], scores: Float32Array): Judged[] =>
  groups.flatMap(({ preferences }, g) =>
    preferences.map(({ better, worse, kind }) => ({
      right: scores[cellAt(g, better)]! > scores[cellAt(g, worse)]!,
      kind,
    })),
  );

/** Of none, 0. */
function shareOf(judged: readonly Judged[], isMeant: (each: Judged) => boolean): number {
  const meant = judged.filter(isMeant);
  return meant.filter(({ right }) => right).length / (meant.length || 1);
}
