// Trains the built-in generator: the autoencoder, and text encoder and U-Net together, each in a loop that stops and goes on anywhere.
// The one step needs no teacher: noise and picture are coupled (shapes/arrange.ts), so it is learned by plain regression.

import {
  abs,
  add,
  constant,
  type Feeds,
  input,
  mean,
  mul,
  type Shape,
  slice,
  sqrt,
  sub,
  type Tensor,
} from "../graph/index.ts";
import { decode, encode } from "../models/autoencoderKl.ts";
import { clipText } from "../models/clipText.ts";
import { clipTextOptions, parseClipTextConfig, parseUnetConfig, parseVaeConfig } from "../models/config.ts";
import type { Layer } from "../models/layers.ts";
import { unet } from "../models/unet.ts";
import { type OneStep, oneStep } from "../reno/oneStep.ts";
import { arrange, noiseChannels, noiseSide } from "../shapes/arrange.ts";
import { type Mixture, randomDescription, wholeWorld } from "../shapes/pairs.ts";
import { Random } from "../shapes/random.ts";
import { type Pixels, render } from "../shapes/render.ts";
import { type Description, grounds, type Scene, sentence, side } from "../shapes/scene.ts";
import { type Split, splitOf } from "../shapes/splits.ts";
import type { Weights } from "../weights/weights.ts";
import { type AdamWState, rateAt, type Tensors } from "./adamw.ts";
import { guideShapes, layingLoss, layingTargets, readingLoss, readingTargets } from "./generatorGuides.ts";
import {
  decays,
  freshWeights,
  type GeneratorSizes,
  latentChannels,
  latentSide,
  type Part,
  schedulerConfig,
  shapesOf,
  textConfig,
  tokenizer,
  unetConfig,
  vaeConfig,
} from "./generatorModels.ts";
import { Learner } from "./learner.ts";

/** One of the trainings. */
export interface StageSettings {
  steps: number;
  /** Pictures in a step. */
  batch: number;
  /** The highest learning rate, and the steps until it. */
  peak: number;
  warmUp: number;
}

export interface GeneratorSettings {
  seed: number;
  sizes: GeneratorSizes;
  vae: StageSettings;
  unet: StageSettings;
  decoder: StageSettings;
}

/** The autoencoder, the U-Net beside it, and at last the autoencoder again on what the U-Net paints. */
export type Stage = "vae" | "unet" | "decoder";

export const stageParts: Record<Stage, readonly Part[]> = {
  vae: ["vae"],
  unet: ["text_encoder", "unet"],
  decoder: ["vae"],
};

/** All that a stopped stage needs; `step` counts those done. */
export interface StageState {
  step: number;
  parameters: Tensors;
  optimiser?: AdamWState | undefined;
}

export interface StageProgress {
  step: number;
  loss: number;
  norm: number;
  /** How badly the sentences were read: the guides' part of the U-Net's loss. */
  reading?: number;
  /** How badly the smallest map tells what lies where. */
  laying?: number;
}

/** A stage's tensors: its parts, and what only learning needs. */
export const stageShapes = (sizes: GeneratorSizes, stage: Stage): Record<string, Shape> => ({
  ...shapesOf(sizes, stageParts[stage]),
  ...(stage === "unet" ? guideShapes(sizes.textWidth, sizes.unet.at(-1)!) : {}),
});

export function startStage(settings: GeneratorSettings, stage: Stage): StageState {
  const random = new Random(settings.seed, stage === "vae" ? 1 : 2);
  return { step: 0, parameters: freshWeights(stageShapes(settings.sizes, stage), random) };
}

/** Runs to the end, yielding after every step; the state is the live one, consistent until the next step begins. */
async function* train(
  { settings, stage, state, threads }: Run,
  objective: (w: Weights) => { loss: Tensor; reading?: Tensor; laying?: Tensor },
  feedsOf: (step: number) => Feeds | Promise<Feeds>,
): AsyncGenerator<StageProgress, void, void> {
  const { steps, peak, warmUp } = settings[stage];
  const shapes = stageShapes(settings.sizes, stage);
  const { parameters, optimiser } = state;
  const learner = await Learner.build({ shapes, parameters, objective, threads, state: optimiser, decays });
  state.optimiser = learner.state;
  try {
    while (state.step < steps) {
      const rate = rateAt(state.step, { peak, warmUp, total: steps });
      const { loss, reading, laying, norm } = await learner.step(await feedsOf(state.step), rate);
      state.step++;
      yield {
        step: state.step,
        loss: loss![0]!,
        norm,
        ...(reading && { reading: reading[0]! }),
        ...(laying && { laying: laying[0]! }),
      };
    }
  } finally {
    await learner.release();
  }
}

export interface Run {
  settings: GeneratorSettings;
  stage: Stage;
  state: StageState;
  threads?: number | undefined;
}

// ── The autoencoder ─────────────────────────────────────────────────────────────────────────────────────────────

const latentShape = (batch: number): Shape => [batch, latentChannels, latentSide, latentSide];
const pixelShape = (batch: number): Shape => [batch, 3, side, side];
const latentCount = latentChannels * latentSide ** 2;

/**
 * A scene as latents [4, 16, 16]: the picture at a quarter of its size, -1 .. 1, and how much of each place is not the ground. They are
 * prescribed, not found by an encoder: so the U-Net can be taught beside the autoencoder, and what it paints can be read as it is.
 */
export function latentsOf(scene: Scene): Float32Array {
  const pixels = render(scene);
  const ground = grounds[scene.ground];
  const latents = new Float32Array(latentCount).fill(-1);
  const share = 2 * (latentSide / side) ** 2;
  for (let i = 0; i < side * side; i++) {
    const place = Math.floor((Math.floor(i / side) * latentSide) / side) * latentSide;
    const at = place + Math.floor(((i % side) * latentSide) / side);
    const rgb = [0, 1, 2].map((c) => pixels[3 * i + c]!);
    for (const [c, value] of rgb.entries()) latents[c * latentSide ** 2 + at]! += (share * value) / 255;
    if (rgb.some((value, c) => value !== ground[c])) latents[3 * latentSide ** 2 + at]! += share;
  }
  return latents;
}

export const trainVae = (settings: GeneratorSettings, state: StageState, threads?: number) =>
  train(
    { settings, stage: "vae", state, threads },
    (w) => ({ loss: vaeLoss(w.in("vae"), settings.sizes, settings.vae.batch) }),
    (step) => vaeFeeds(settings, step),
  );

/** Paints latents for noise and sentences, joined. */
export type Sketch = (noise: readonly Float32Array[], sentences: readonly string[]) => Promise<Float32Array>;

/** The autoencoder, trained already, learns to finish what the U-Net paints: its edges are softer than any scene's latents. */
export const trainDecoder = (settings: GeneratorSettings, state: StageState, sketch: Sketch, threads?: number) =>
  train(
    { settings, stage: "decoder", state, threads },
    (w) => ({ loss: vaeLoss(w.in("vae"), settings.sizes, settings.decoder.batch) }),
    (step) => decoderFeeds(settings, step, sketch),
  );

/** Squared and, for sharp edges, twice the absolute differences of what is decoded; squared ones of what is encoded. */
function vaeLoss(w: Weights, sizes: GeneratorSizes, batch: number): Tensor {
  const config = parseVaeConfig(vaeConfig(sizes), "the autoencoder");
  const image = input("image", pixelShape(batch));
  const difference = sub(decode(w, input("painted", latentShape(batch)), config), image);
  const { mean: centre, logVariance } = encode(w, image, config);
  const encoded = add(
    meanSquare(sub(centre, input("latents", latentShape(batch)))),
    mul(meanSquare(sub(logVariance, certain)), 1e-3),
  );
  return add(add(meanSquare(difference), mul(mean(abs(difference)), 2)), encoded);
}

const meanSquare = (x: Tensor): Tensor => mean(mul(x, x));

const certain = -6; // ln σ² of the encoder's latents
const farthestPull = 0.42;
const mostNoise = 0.1;

/**
 * Latents to decode are not clean: noisy, and drawn towards those of the same sentence laid out otherwise, less than halfway, as what
 * a generator paints that wavers between two layouts. The decoder learns to give the nearer of the two, so that no ghosts are seen.
 */
function vaeFeeds({ seed, vae: { batch, steps } }: GeneratorSettings, step: number): Feeds {
  const random = new Random(seed, 1, step);
  const strength = Math.min(1, (2 * step) / steps); // the easy first
  const examples = Array.from({ length: batch }, () => {
    const [scene, other] = twoLayouts(random).map((scene) => ({ scene, latents: latentsOf(scene) })) as [Laid, Laid];
    const pull = random.chance(0.3) ? 0 : strength * random.between(0, farthestPull);
    const noise = strength * random.between(0, mostNoise);
    const painted = scene.latents.map((x, i) => x + pull * (other.latents[i]! - x) + noise * random.normal());
    return { ...scene, painted };
  });
  return {
    image: toSigned(examples.map(({ scene }) => render(scene))),
    latents: joined(examples.map(({ latents }) => latents)),
    painted: joined(examples.map(({ painted }) => painted)),
  };
}

/** Farther from the scene's latents, in squares, something else was painted, of which the decoder can make nothing right. */
const farthestSketch = 0.04;

async function decoderFeeds({ seed, decoder: { batch } }: GeneratorSettings, step: number, sketch: Sketch) {
  const random = new Random(seed, 3, step);
  const examples = Array.from({ length: batch }, () => coupledExample(random, wholeWorld));
  const sketches = await sketch(
    examples.map(({ noise }) => noise),
    examples.map(({ description }) => sentence(description)),
  );
  const latents = examples.map(({ scene }) => latentsOf(scene));
  const painted = latents.map((exact, n) => {
    const sketched = sketches.subarray(n * latentCount, (n + 1) * latentCount);
    const square = exact.reduce((sum, x, i) => sum + (x - sketched[i]!) ** 2, 0) / latentCount;
    return square < farthestSketch ? sketched : exact;
  });
  return {
    image: toSigned(examples.map(({ scene }) => render(scene))),
    latents: joined(latents),
    painted: joined(painted),
  };
}

interface Laid {
  scene: Scene;
  latents: Float32Array;
}

/** Two scenes of one description as two noises lay it out; of any split, since pictures alone tell nothing about sentences. */
function twoLayouts(random: Random): [Scene, Scene] {
  const description = randomDescription(random);
  const first = arrange(description, randomNoise(random));
  return [first, arrange({ ...description, ground: first.ground }, randomNoise(random))];
}

export const randomNoise = (random: Random): Float32Array => normals(noiseChannels * noiseSide ** 2, random);

/** Pixels as the autoencoder has them: [N, 3, side, side], -1 .. 1. */
export function toSigned(pictures: readonly Pixels[]): Float32Array {
  const area = side * side;
  const result = new Float32Array(pictures.length * 3 * area);
  for (const [n, pixels] of pictures.entries())
    for (let c = 0; c < 3; c++)
      for (let i = 0; i < area; i++) result[(3 * n + c) * area + i] = pixels[3 * i + c]! / 127.5 - 1;
  return result;
}

/** The way back, cut off at what a byte holds. */
export function toPixels(signed: Float32Array): Pixels[] {
  const area = side * side;
  return Array.from({ length: signed.length / (3 * area) }, (_, n) => {
    const pixels = new Uint8ClampedArray(3 * area); // it rounds and clamps
    for (let c = 0; c < 3; c++)
      for (let i = 0; i < area; i++) pixels[3 * i + c] = 127.5 * (signed[(3 * n + c) * area + i]! + 1);
    return new Uint8Array(pixels.buffer);
  });
}

export function normals(count: number, random: Random): Float32Array {
  return new Float32Array(count).map(() => random.normal());
}

// ── Text encoder and U-Net ──────────────────────────────────────────────────────────────────────────────────────

/** From noise to latents, as the pipeline's scheduler does it. */
export const theStep: OneStep = oneStep({
  kind: schedulerConfig._class_name,
  predictionType: "v_prediction",
  spacing: "trailing",
});

/** The states of sentences' tokens, ids [N, 77]. */
export const readSentences = (w: Weights, sizes: GeneratorSizes, ids: Tensor): Tensor =>
  clipText(w.in("text_encoder"), ids, clipTextOptions(parseClipTextConfig(textConfig(sizes), "the text encoder")));

/** Latents that the models paint for noise [N, 4, 16, 16] and what was read. */
export function paint(w: Weights, sizes: GeneratorSizes, noise: Tensor, text: Tensor, layer?: Layer): Tensor {
  const { scale, inputScale, timestep, skip, out } = theStep;
  const sample = mul(noise, scale * inputScale);
  const config = parseUnetConfig(unetConfig(sizes), "the U-Net");
  const output = unet(w.in("unet"), sample, constant([timestep], [1]), text, config, layer);
  return add(mul(noise, skip * scale), mul(output, out));
}

export const paintingInputs = (batch: number): { noise: Tensor; ids: Tensor } => ({
  noise: input("noise", latentShape(batch)),
  ids: input("ids", [batch, tokenizer.length], "int64"),
});

/**
 * Squared differences of latents at first, whose mean blurs what is not yet decided but shows the way; more and more Charbonnier's
 * √(d² + c²), which prefers one of two layouts to something in between (Song & Dhariwal 2023, arXiv 2310.14189, section 3.3).
 */
function paintingLoss(painted: Tensor, wanted: Tensor): Tensor {
  const difference = sub(painted, wanted);
  const squares = mul(difference, difference);
  const robust = sub(sqrt(add(squares, charbonnier ** 2)), charbonnier);
  const either = add(mul(squares, input("squaresShare", [])), mul(robust, input("robustShare", [])));
  const covered = mul(add(slice(wanted, 1, latentChannels - 1, latentChannels), 1), 0.5); // how much is not the ground
  return mean(mul(either, add(mul(covered, shapesWeight), groundWeight)));
}

/** The latents' loss and the guides'. */
export function unetLoss(w: Weights, { sizes, unet: { batch } }: GeneratorSettings) {
  const { noise, ids } = paintingInputs(batch);
  const text = readSentences(w, sizes, ids);
  const maps: Tensor[] = [];
  const painted = paint(w, sizes, noise, text, (f, ...x) => {
    maps.push(f(...x));
    return maps.at(-1)!;
  });
  const smallest = maps.findLast(({ shape }) => shape.length === 4 && shape[2] === smallestSide)!;
  const painting = paintingLoss(painted, input("wanted", latentShape(batch)));
  const reading = readingLoss(w.in("guides"), text);
  const laying = layingLoss(w.in("guides"), smallest);
  return { loss: add(painting, mul(add(reading, laying), guidesWeight)), reading, laying };
}

const guidesWeight = 0.2;
const smallestSide = 4;
/** Shapes cover about a seventh of a picture, and colours are learned from them alone. */
const shapesWeight = 1.5;
const groundWeight = 0.5;
const charbonnier = 0.1;
/** The part of training after which nothing of the squares is left. */
const squaresUntil = 0.7;

export const trainUnet = (settings: GeneratorSettings, state: StageState, threads?: number) =>
  train(
    { settings, stage: "unet", state, threads },
    (w) => unetLoss(w, settings),
    (step) => unetFeeds(settings, step),
  );

/** Each step's random numbers have a key of their own, so that a resumed training sees what it would have seen. */
export function unetFeeds({ seed, unet: { batch, steps } }: GeneratorSettings, step: number): Feeds {
  const random = new Random(seed, 2, step);
  const mixture = mixtureAt(step / steps);
  const examples = Array.from({ length: batch }, () => coupledExample(random, mixture));
  const share = Math.max(0, 1 - step / steps / squaresUntil);
  return {
    noise: joined(examples.map(({ noise }) => noise)),
    ids: idsOf(examples.map(({ description }) => sentence(description))),
    wanted: joined(examples.map(({ scene }) => latentsOf(scene))),
    laid: layingTargets(examples.map(({ scene }) => scene)),
    said: readingTargets(examples.map(({ description }) => description)),
    squaresShare: Float32Array.of(share),
    robustShare: Float32Array.of(1 - share),
  };
}

/** From one kind of shape to three. */
export function mixtureAt(progress: number): Mixture {
  if (progress < 0.1) return [1, 0, 0];
  return progress < 0.45 ? [0.35, 0.65, 0] : wholeWorld;
}

export interface Example {
  description: Description;
  noise: Float32Array;
  scene: Scene;
}

function coupledExample(random: Random, mixture: Mixture): Example {
  const description = describeFrom(["training"], random, mixture);
  const noise = randomNoise(random);
  return { description, noise, scene: arrange(description, noise) };
}

/** A description of one of the splits. */
export function describeFrom(splits: readonly Split[], random: Random, mixture: Mixture = wholeWorld): Description {
  for (;;) {
    const description = randomDescription(random, mixture);
    if (splits.includes(splitOf(description))) return description;
  }
}

export const idsOf = (sentences: readonly string[]): BigInt64Array =>
  BigInt64Array.from(
    sentences.flatMap((words) => tokenizer.padded(words)),
    BigInt,
  );

export function joined(arrays: readonly Float32Array[]): Float32Array {
  const result = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    result.set(array, at);
    at += array.length;
  }
  return result;
}
