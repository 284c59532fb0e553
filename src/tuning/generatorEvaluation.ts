// How often the built-in generator draws what a sentence says, at one try, by the exact checker.

import { compile, input, type Session } from "../graph/index.ts";
import { decode, encode } from "../models/autoencoderKl.ts";
import { parseVaeConfig } from "../models/config.ts";
import { arrange } from "../shapes/arrange.ts";
import { check } from "../shapes/check.ts";
import { randomDescription } from "../shapes/pairs.ts";
import { Random } from "../shapes/random.ts";
import { type Pixels, render } from "../shapes/render.ts";
import { type Description, sentence, side } from "../shapes/scene.ts";
import type { Split } from "../shapes/splits.ts";
import { Weights } from "../weights/weights.ts";
import type { Tensors } from "./adamw.ts";
import type { Share } from "./evaluation.ts";
import { type GeneratorSizes, shapesOf, vaeConfig } from "./generatorModels.ts";
import {
  describeFrom,
  idsOf,
  joined,
  paint,
  paintingInputs,
  randomNoise,
  readSentences,
  type Sketch,
  toPixels,
  toSigned,
} from "./generatorTraining.ts";

/** Shares of right pictures: of all held-out sentences, and by what a sentence holds. */
export type Drawn = Record<string, Share>;

export const heldOut = "held out";
const batch = 8;
/** The tests' random numbers begin elsewhere than any training's. */
const testKey = 0xd4a3;

const compiled = (outputs: Parameters<typeof compile>[0], threads?: number) =>
  compile(outputs, { provider: "cpu", threads });

const randomPictures = (count: number, random: Random): { description: Description; pixels: Pixels }[] =>
  Array.from({ length: count }, () => {
    const description = randomDescription(random);
    return { description, pixels: render(arrange(description, randomNoise(random))) };
  });

/** Of pictures that went through the autoencoder and back, how many the checker still finds right. */
export async function examineVae(
  sizes: GeneratorSizes,
  parameters: Tensors,
  count: number,
  threads?: number,
): Promise<Share> {
  const w = Weights.fromInputs(shapesOf(sizes, ["vae"]));
  const config = parseVaeConfig(vaeConfig(sizes), "the autoencoder");
  const encoded = encode(w.in("vae"), input("image", [batch, 3, side, side]), config).mean;
  const decoded = decode(w.in("vae"), encoded, config);
  const session = await compiled({ decoded }, threads);
  const share: Share = { right: 0, of: 0 };
  for (let i = 0; share.of < count; i++) {
    const pictures = randomPictures(batch, new Random(testKey, 1, i));
    const signed = toSigned(pictures.map(({ pixels }) => pixels));
    const { decoded } = await session.run({ ...parameters, image: signed });
    for (const [k, pixels] of toPixels(decoded!).entries()) {
      share.of++;
      if (check(pixels, sentence(pictures[k]!.description)).right) share.right++;
    }
  }
  await session.release();
  return share;
}

/** The U-Net's latents, by parameters that no longer change. */
export async function sketcher(sizes: GeneratorSizes, parameters: Tensors, batch: number, threads?: number) {
  const w = Weights.fromInputs(shapesOf(sizes, ["text_encoder", "unet"]));
  const { noise, ids } = paintingInputs(batch);
  const session = await compiled({ latents: paint(w, sizes, noise, readSentences(w, sizes, ids)) }, threads);
  const sketch: Sketch = async (noise, sentences) => {
    const { latents } = await session.run({ ...parameters, noise: joined(noise), ids: idsOf(sentences) });
    return latents!;
  };
  return { sketch, release: () => session.release() };
}

/** Draws sentences with the whole pipeline as it is during training. */
export class Painter {
  readonly #session: Session;

  private constructor(session: Session) {
    this.#session = session;
  }

  static async build(sizes: GeneratorSizes, threads?: number): Promise<Painter> {
    const w = Weights.fromInputs(shapesOf(sizes, ["text_encoder", "unet", "vae"]));
    const { noise, ids } = paintingInputs(batch);
    const latents = paint(w, sizes, noise, readSentences(w, sizes, ids));
    const image = decode(w.in("vae"), latents, parseVaeConfig(vaeConfig(sizes), "the autoencoder"));
    return new Painter(await compiled({ image }, threads));
  }

  /** One picture for each of `batch` sentences. */
  async paint(parameters: Tensors, sentences: readonly string[], noise: readonly Float32Array[]): Promise<Pixels[]> {
    const { image } = await this.#session.run({ ...parameters, noise: joined(noise), ids: idsOf(sentences) });
    return toPixels(image!);
  }

  /** Shares of right pictures over `count` held-out sentences and as many of the kind that was trained. */
  async examine(parameters: Tensors, count: number, seed: number): Promise<Drawn> {
    const drawn: Drawn = {};
    const note = (name: string, right: boolean) => {
      const before = drawn[name] ?? { right: 0, of: 0 };
      drawn[name] = { right: before.right + Number(right), of: before.of + 1 };
    };
    for (let at = 0; at < 2 * count; at += batch) {
      const tests = Array.from({ length: batch }, (_, k) => testOf(at + k, seed));
      const sentences = tests.map(({ description }) => sentence(description));
      const noise = tests.map(({ noise }) => noise);
      const pictures = await this.paint(parameters, sentences, noise);
      for (const [k, { description, split }] of tests.entries()) {
        const { right } = check(pictures[k]!, sentences[k]!);
        note(split, right);
        if (split === "training") continue;
        for (const name of [heldOut, ...kindsOf(description)]) note(name, right);
      }
    }
    return drawn;
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

const splits: readonly Split[] = ["training", "unseen combination", "training", "unseen pairing"];

/** Sentences of each split in turn, with a noise each: the same ones for the same seed. */
export function testOf(index: number, seed: number): { description: Description; noise: Float32Array; split: Split } {
  const random = new Random(testKey, seed, index);
  const split = splits[index % splits.length]!;
  const description = describeFrom([split], random);
  return { split, description, noise: randomNoise(random) };
}

function kindsOf({ items, relation, ground }: Description): string[] {
  const kinds = ["one kind", "two kinds", "three kinds"][items.length - 1]!;
  return [
    kinds,
    ...(relation ? ["relation"] : []),
    ...(ground ? ["ground"] : []),
    ...(items.some(({ count }) => count > 1) ? ["several of a kind"] : []),
    ...(items.some(({ size }) => size) ? ["size"] : []),
  ];
}
