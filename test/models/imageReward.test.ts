// Our ImageReward against upstream's on the same weights: fixtures/imageReward.json, by test/reference/image_reward.py.

import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { compile, input } from "../../src/graph/index.ts";
import { bertFirstToken, rewardHead, visionTransformer } from "../../src/models/blip.ts";
import { loadBertTokenizer } from "../../src/scoring/bertTokenizer.ts";
import { ImageReward } from "../../src/scoring/imageReward.ts";
import type { Checkpoint } from "../../src/weights/checkpoint.ts";
import { Weights } from "../../src/weights/weights.ts";
import { cosine, decodeFloat32, dot, largestDifference, norm } from "../support/compare.ts";
import {
  floatPicture,
  modelNames,
  openReferenceModel,
  prompts,
  recorded,
  recordedGradients,
  referencePictures,
} from "../support/referenceModel.ts";
import { seededNormal } from "../support/seededWeights.ts";

describe.each(modelNames)("%s", (name) => {
  const upstream = recorded(name);
  const pictures = referencePictures(name);
  let checkpoint: Checkpoint;
  let reward: ImageReward;

  beforeAll(async () => {
    checkpoint = await openReferenceModel(name);
    reward = new ImageReward(checkpoint, await loadBertTokenizer(), { provider: "cpu", threads: 2 });
    return async () => {
      await reward.unload();
      await rm(dirname(checkpoint.path), { recursive: true });
    };
  });

  test("the states along the way are upstream's", async () => {
    const { imageSize, visionWidth } = upstream.config;
    const weights = Weights.fromCheckpoint(checkpoint);
    const pixels = input("pixels", [1, 3, imageSize, imageSize]);
    const ids = input("ids", [1, 35], "int64");
    const mask = input("mask", [1, 35]);
    const image = visionTransformer(weights, pixels);
    const classToken = bertFirstToken(weights, ids, image, mask);
    const session = await compile({ image, classToken, head: rewardHead(weights, classToken) }, { provider: "cpu" });
    const got = await session.run({
      pixels: (await reward.prepare(pictures[0]!)).pixels,
      ids: BigInt64Array.from(upstream.tokens[0]!, BigInt),
      mask: Float32Array.from(upstream.mask[0]!),
    });
    await session.release();

    const { activations } = upstream;
    for (const [token, want] of Object.entries(activations.image)) {
      const start = Number(token) * visionWidth;
      expect(largestDifference(got.image!.slice(start, start + want.length), want)).toBeLessThan(5e-5);
    }
    expect(norm(got.image!) / activations.imageNorm).toBeCloseTo(1, 5);
    expect(largestDifference(got.classToken!, activations.classToken)).toBeLessThan(5e-5);
    expect(got.head![0]).toBeCloseTo(activations.head, 4);
  });

  test("scores are upstream's for every prompt and picture", async () => {
    for (const [i, prompt] of prompts.entries()) {
      const scores = await reward.score(prompt, pictures);
      expect(largestDifference(scores, upstream.scores[i]!), prompt).toBeLessThan(1e-4);
    }
  });

  test("a prompt for each picture gives the same scores as one for all", async () => {
    const scores = await reward.score(prompts.slice(0, pictures.length), pictures);
    const diagonal = upstream.scores.map((row, i) => row[i]!);
    expect(largestDifference(scores, diagonal)).toBeLessThan(1e-4);
  });

  test("ranks are upstream's, and one picture has a list of its own", async () => {
    for (const [i, prompt] of prompts.entries()) {
      const { ranking, rewards } = await reward.rank(prompt, pictures);
      expect(ranking).toEqual(upstream.ranks[i]);
      expect(largestDifference(rewards, upstream.rankedScores[i]!)).toBeLessThan(1e-4);
    }
    expect((await reward.rank(prompts[0]!, pictures.slice(0, 1))).ranking).toEqual([upstream.rankOfOne]);
  });

  test.each(recordedGradients(name))("ReNO's reward and gradient at $size", async (want) => {
    const picture = floatPicture(want.picture, want.size);
    const { reward: got, gradient } = await reward.gradient(prompts[want.prompt]!, picture);
    expect(Math.abs(got - want.reward)).toBeLessThan(1e-4);

    expect(gradient).toHaveLength(picture.data.length);
    expect(Math.abs(norm(gradient) / want.norm - 1)).toBeLessThan(1e-3);
    const sampled = want.places.map((place) => gradient[place]!);
    expect(largestDifference(sampled, want.entries) / Math.max(...want.entries.map(Math.abs))).toBeLessThan(1e-3);
    expect(cosine(sampled, want.entries)).toBeGreaterThan(0.9999);
    for (const [k, along] of want.dots.entries()) {
      const direction = seededNormal(`${want.picture}/direction/${k}`, [gradient.length]);
      expect(Math.abs(dot(gradient, direction) - along) / want.norm).toBeLessThan(1e-3);
    }
    if (want.whole) expect(cosine(gradient, decodeFloat32(want.whole))).toBeGreaterThan(0.99999);
  });
});
