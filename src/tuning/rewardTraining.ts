// Trains the shapes world's reward model: first to see and find, then to prefer. Stops and goes on anywhere.

import type { Shape } from "../graph/index.ts";
import { type GroupOptions, nearlyClean, randomDescription, randomGroup, wholeWorld } from "../shapes/pairs.ts";
import { Random } from "../shapes/random.ts";
import { place, relationNames } from "../shapes/scene.ts";
import { splitOf } from "../shapes/splits.ts";
import { type AdamWState, rateAt, type Tensors } from "./adamw.ts";
import { Learner } from "./learner.ts";
import {
  cellAt,
  type Grounded,
  grounding,
  groundingFeeds,
  guideShapes,
  preferring,
  preferringFeeds,
} from "./objectives.ts";
import { decays, freshWeights, type RewardSizes, rewardShapes } from "./rewardWeights.ts";

export interface TrainingSettings {
  seed: number;
  sizes: RewardSizes;
  grounding: StageSettings;
  preferring: StageSettings & {
    /** Steps at the start in which half of the other sentences are about something else altogether, and scenes are simple. */
    simpleSteps: number;
  };
}

export interface StageSettings {
  steps: number;
  /** Pictures to see, or groups of preferences, in a step. */
  batch: number;
  peak: number;
  warmUp: number;
}

export type StageName = "grounding" | "preferring";

/** All that a stopped training needs; `step` counts those done in the stage. */
export interface TrainingState {
  stage: StageName;
  step: number;
  parameters: Tensors;
  optimiser?: AdamWState | undefined;
}

export interface Progress {
  stage: StageName;
  step: number;
  loss: number;
  norm: number;
  /** Share of pairs in the right order in this batch; only when preferring. */
  accuracy?: number;
  /** Only when grounding: mean squared distance from the things named, in half pictures. */
  distance?: number;
}

/** The weights and, while it learns to see and find, the guides' layers. */
export const allShapes = (sizes: RewardSizes): Record<string, Shape> => ({
  ...rewardShapes(sizes),
  ...guideShapes(sizes),
});

export const startState = ({ seed, sizes }: TrainingSettings): TrainingState => ({
  stage: "grounding",
  step: 0,
  parameters: freshWeights(allShapes(sizes), new Random(seed)),
});

/** Runs until the end, yielding after every step; the state yielded is the live one, consistent until the next step begins. */
export async function* train(settings: TrainingSettings, state: TrainingState, threads?: number) {
  if (state.stage === "grounding") {
    yield* runStage(groundingStage(settings), state, threads);
    Object.assign(state, { stage: "preferring", step: 0, optimiser: undefined });
  }
  yield* runStage(preferringStage(settings), state, threads);
}

interface Stage {
  settings: StageSettings;
  shapes: Readonly<Record<string, Shape>>;
  learns: (name: string) => boolean;
  objective: Parameters<typeof Learner.build>[0]["objective"];
  /** What to feed at a step, and how to judge what comes back. */
  prepare: (step: number) => {
    feeds: Record<string, Float32Array | BigInt64Array>;
    judge?: (scores: Float32Array) => number;
  };
}

async function* runStage(stage: Stage, state: TrainingState, threads?: number) {
  const parameters = Object.fromEntries(Object.entries(state.parameters).filter(([name]) => stage.learns(name)));
  const { shapes, objective, settings } = stage;
  const learner = await Learner.build({ shapes, parameters, objective, threads, state: state.optimiser, decays });
  state.optimiser = learner.state;
  try {
    while (state.step < settings.steps) {
      const { feeds, judge } = stage.prepare(state.step);
      const rate = rateAt(state.step, { ...settings, total: settings.steps });
      const { loss, scores, finding, norm } = await learner.step(feeds, rate);
      state.step++;
      const progress: Progress = { stage: state.stage, step: state.step, loss: loss![0]!, norm };
      if (judge) progress.accuracy = judge(scores!);
      if (finding) progress.distance = finding[0]!;
      yield progress;
    }
  } finally {
    await learner.release();
  }
}

/** Each stage's and step's random numbers have keys of their own, so that a resumed training sees what it would have seen. */
const keys: Record<StageName, number> = { grounding: 1, preferring: 2 };

function groundingStage({ seed, sizes, grounding: settings }: TrainingSettings): Stage {
  return {
    settings,
    shapes: allShapes(sizes),
    learns: (name) => !name.startsWith("mlp"),
    objective: (w) => ({ ...grounding(w, settings.batch) }),
    prepare(step) {
      const random = new Random(seed, keys.grounding, step);
      const examples = Array.from({ length: settings.batch }, () => randomGrounded(random));
      return { feeds: groundingFeeds(examples, sizes.patch) as ReturnType<Stage["prepare"]>["feeds"] };
    },
  };
}

/** The relation said may be any: where things are, the model shall learn by looking. */
function randomGrounded(random: Random): Grounded {
  const description = trainingDescription(random);
  const scene = place(description, random);
  const said = { ...description, relation: description.relation && random.pick(relationNames) };
  return { description: said, scene, picture: nearlyClean(scene, random) };
}

function trainingDescription(random: Random) {
  for (;;) {
    const description = randomDescription(random);
    if (splitOf(description) === "training") return description;
  }
}

function preferringStage({ seed, sizes, preferring: settings }: TrainingSettings): Stage {
  return {
    settings,
    shapes: rewardShapes(sizes),
    learns: (name) => !name.startsWith("guides"),
    objective: (w) => ({ ...preferring(w, settings.batch) }),
    prepare(step) {
      const random = new Random(seed, keys.preferring, step);
      const options = step < settings.simpleSteps ? simple : manifold;
      const groups = Array.from({ length: settings.batch }, () => randomGroup(random, options));
      const judge = (scores: Float32Array) => {
        const pairs = groups.flatMap(({ preferences }, g) =>
          preferences.map(({ better, worse }) => scores[cellAt(g, better)]! > scores[cellAt(g, worse)]!),
        );
        return pairs.filter(Boolean).length / pairs.length;
      };
      return { feeds: preferringFeeds(groups) as ReturnType<Stage["prepare"]>["feeds"], judge };
    },
  };
}

const simple: GroupOptions = { splits: ["training"], mixture: [0.6, 0.4, 0], unrelated: 0.5 };
const manifold: GroupOptions = { splits: ["training"], mixture: wholeWorld };
