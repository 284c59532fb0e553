// Pictures as refining paints them by the reward that is learning, at every moment of the way. What pleases a reward more and more is
// sooner or later what it never saw: so it is shown that too, beside the scene that the same noise stands for (shapes/arrange.ts).
// Adversarial training (Goodfellow et al. 2015, arXiv 1412.6572) with chains that go on while the model learns (Tieleman 2008).

import { compile, type Feeds, gradients, input, mul, type Session, sub, sum, type Tensor } from "../graph/index.ts";
import { decode } from "../models/autoencoderKl.ts";
import { imageReward } from "../models/blip.ts";
import { openDiffusersFolder } from "../reno/diffusersFolder.ts";
import { builtInPipeline } from "../reno/loadPipeline.ts";
import { clipped, regularizer } from "../reno/objective.ts";
import { type OptimizerState, optimizers } from "../reno/optimizers.ts";
import { Pipeline } from "../reno/pipeline.ts";
import { refineDefaults } from "../reno/refine.ts";
import { norm, plus } from "../reno/vectors.ts";
import { renoPreprocessing } from "../scoring/imageReward.ts";
import { arrange } from "../shapes/arrange.ts";
import type { Mixture, Painted } from "../shapes/pairs.ts";
import { Random } from "../shapes/random.ts";
import { type Description, sentence, side } from "../shapes/scene.ts";
import { Weights } from "../weights/weights.ts";
import type { Tensors } from "./adamw.ts";
import { describeFrom, joined, latentsOf, randomNoise, toPixels } from "./generatorTraining.ts";
import { tokenise, trainingTokens } from "./objectives.ts";
import { type RewardSizes, rewardShapes } from "./rewardWeights.ts";

export interface RefinedPicturesOptions {
  seed: number;
  sizes: RewardSizes;
  /** Pictures at a time. */
  painted: number;
  /** The number of the first life: another one after a training was stopped. */
  firstLife: number;
  threads?: number | undefined;
}

/** One noise on its way: it is looked at every few steps, moved each time, and forgotten at last. */
interface Life {
  readonly description: Description;
  readonly states: Float32Array;
  readonly learningRate: number;
  looks: number;
  noise: Float32Array;
  optimizer: OptimizerState;
}

/** Lives at once, for each picture of a step: so a step's pictures are not those of the step before, a little changed. */
const livesForOne = 4;
const fewestLooks = 5;
const mostLooks = 50;
/** From a step as large for this noise's 1024 numbers as ReNO's is for the 16384 of SD-Turbo's, up to ReNO's own. */
const rates = [1, refineDefaults.learningRate] as const;
/** More of the sentences with three kinds, which need refining most. */
const manifold: Mixture = [0.15, 0.45, 0.4];
const lifeKey = 0x11fe;

export class RefinedPictures {
  readonly #options: RefinedPicturesOptions;
  #studio: Studio | undefined;
  #lives: Life[] = [];
  #born: number;

  constructor(options: RefinedPicturesOptions) {
    this.#options = options;
    this.#born = options.firstLife;
  }

  /** The next pictures, by the reward's weights as they are; the first call builds what it needs. */
  async next(parameters: Tensors): Promise<Painted[]> {
    this.#studio ??= await Studio.build(this.#options);
    const { painted } = this.#options;
    while (this.#lives.length < painted * livesForOne) this.#lives.push(await this.#birth(this.#studio));
    const lives = this.#lives.splice(0, painted);
    const seen = await this.#studio.look(parameters, lives);
    for (const [i, life] of lives.entries()) {
      await move(life, seen[i]!.slope);
      if (--life.looks > 0) this.#lives.push(life);
    }
    return seen.map(({ painted }) => painted);
  }

  async release(): Promise<void> {
    await this.#studio?.release();
  }

  async #birth(studio: Studio): Promise<Life> {
    const random = new Random(this.#options.seed, lifeKey, this.#born++);
    const description = describeFrom(["training"], random, manifold);
    const [low, high] = rates.map(Math.log) as [number, number];
    return {
      description,
      states: await studio.read(sentence(description)),
      learningRate: Math.exp(random.between(low, high)),
      looks: fewestLooks + random.below(mostLooks - fewestLooks),
      noise: randomNoise(random),
      optimizer: {},
    };
  }
}

/** One step of refining, as src/reno/refine.ts does it; `slope` is the gradient of the loss by the noise. */
async function move(life: Life, slope: Float32Array): Promise<void> {
  const { noise, learningRate, optimizer } = life;
  const whole = plus(slope, regularizer(noise, refineDefaults.regularization).slope, noise);
  const gradient = clipped(whole, norm(whole), refineDefaults.gradientClip);
  const settings = { ...refineDefaults, learningRate };
  const unasked = () => Promise.reject(new Error("SGD looks nowhere else."));
  const { latents, state } = await optimizers.sgd(noise, { value: 0, gradient }, optimizer, settings, unasked);
  life.noise = latents;
  life.optimizer = state;
}

interface Seen {
  painted: Painted;
  slope: Float32Array;
}

/** The generator, which stays as it is, and the reward on top of it, whose weights are fed. */
class Studio {
  readonly #pipeline: Pipeline;
  readonly #session: Session;

  private constructor(pipeline: Pipeline, session: Session) {
    this.#pipeline = pipeline;
    this.#session = session;
  }

  static async build({ painted: count, sizes, threads }: RefinedPicturesOptions): Promise<Studio> {
    const run = { provider: "cpu", threads } as const;
    const parts = await openDiffusersFolder(builtInPipeline.path, { ...run, dtype: "float32" });
    const pipeline = new Pipeline({ ...parts, ...builtInPipeline }, run);
    const shape = [count, ...pipeline.latentShape(pipeline.size).slice(1)];
    const { weights, config } = parts.vae;
    const states = input("states", [count, parts.text.places, parts.text.width]);
    const outputs = {
      ...lookOutputs(pipeline, sizes, input("noise", shape), states),
      ideal: decode(weights, input("latents", shape), config),
    };
    return new Studio(pipeline, await compile(outputs, run));
  }

  async read(words: string): Promise<Float32Array> {
    return (await this.#pipeline.condition(words)).positive.data;
  }

  async look(parameters: Tensors, lives: readonly Life[]): Promise<Seen[]> {
    const scenes = lives.map(({ description, noise }) => arrange(description, noise));
    const feeds: Feeds = {
      ...parameters,
      ...tokenise(lives.map(({ description }) => sentence(description))),
      noise: joined(lives.map(({ noise }) => noise)),
      states: joined(lives.map(({ states }) => states)),
      latents: joined(scenes.map(latentsOf)),
    };
    const { image, ideal, slope } = await this.#session.run(feeds);
    const [pixels, ideals] = [toPixels(image!), toPixels(ideal!)];
    const length = slope!.length / lives.length;
    return lives.map(({ description }, i) => ({
      painted: { description, scene: scenes[i]!, pixels: pixels[i]!, ideal: ideals[i]! },
      slope: slope!.slice(i * length, (i + 1) * length),
    }));
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

/** The pictures of noises, -1 .. 1, and the gradient of minus their rewards. */
function lookOutputs(pipeline: Pipeline, sizes: RewardSizes, noise: Tensor, states: Tensor) {
  const count = noise.shape[0]!;
  const { image } = pipeline.picture(noise, { positive: states, guidance: 1, step: pipeline.step });
  const ids = input("ids", [count, trainingTokens], "int64");
  const mask = input("mask", [count, trainingTokens]);
  const rewards = imageReward(Weights.fromInputs(rewardShapes(sizes)), renoPreprocessing(image, side), ids, mask);
  const loss = mul(sum(rewards), -1);
  return { image: sub(mul(image, 2), 1), slope: gradients(loss, [noise])[0]! };
}
