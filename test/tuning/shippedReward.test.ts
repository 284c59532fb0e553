// The reward model that ships: what training.json says of it must be so.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadReward } from "../../src/scoring/loadReward.ts";
import { randomGroup } from "../../src/shapes/pairs.ts";
import { Random } from "../../src/shapes/random.ts";
import { side } from "../../src/shapes/scene.ts";
import { vocabularyFile } from "../../src/shapes/vocabulary.ts";
import { Examiner } from "../../src/tuning/evaluation.ts";
import { rewardShapes } from "../../src/tuning/rewardWeights.ts";
import { openCheckpoint } from "../../src/weights/checkpoint.ts";
import { readFloat32 } from "../../src/weights/read.ts";

const assets = join(import.meta.dirname, "../../assets/shapes");
const record = JSON.parse(await readFile(join(assets, "training.json"), "utf8"));
const shareOf = ({ right, of }: { right: number; of: number }) => right / of;

async function parameters() {
  const { tensors } = await openCheckpoint(join(assets, "reward.safetensors"));
  const entries = [...tensors].map(async ([name, stored]) => [name, await readFloat32(stored)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

test("its vocabulary is the shapes world's", async () => {
  expect(await readFile(join(assets, "vocab.txt"), "utf8")).toBe(vocabularyFile());
});

test("its tensors are those of a fresh model of its sizes, no more and no fewer", async () => {
  const { tensors } = await openCheckpoint(join(assets, "reward.safetensors"));
  const shapes = Object.fromEntries([...tensors].map(([name, { shape }]) => [name, [...shape]]));
  expect(shapes).toEqual(rewardShapes(record.settings.sizes));
});

test("on held-out pairs it is as good as its record says, and under other pictures' sentences it guesses", async () => {
  const examiner = await Examiner.build(rewardShapes(record.settings.sizes), 120, 77, 1);
  const found = await examiner.examine(await parameters());
  await examiner.release();
  // 120 groups of 13 pairs, not independent: 3 % is about two standard errors.
  expect(Math.abs(shareOf(found.all) - shareOf(record.heldOut.all))).toBeLessThan(0.03);
  expect(Math.abs(shareOf(found.shuffled) - 0.5)).toBeLessThan(0.06);
  expect(found.deviation).toBeGreaterThan(0.7);
  expect(found.deviation).toBeLessThan(1.4);
});

test("loaded as a user loads it, it prefers the sentence's picture to the other's", async () => {
  const reward = await loadReward("shapes", { provider: "cpu", threads: 1 });
  let [right, all] = [0, 0];
  for (let i = 0; i < 12; i++) {
    const { sentences, pictures, preferences } = randomGroup(new Random(78, i), { splits: ["training"] });
    const images = pictures.map((data) => ({ data, width: side, height: side, channels: 3 as const }));
    const table = await Promise.all(sentences.map((sentence) => reward.score(sentence, images)));
    for (const { better, worse } of preferences) {
      all++;
      if (table[better.sentence]![better.picture]! > table[worse.sentence]![worse.picture]!) right++;
    }
  }
  await reward.unload();
  expect(right / all).toBeGreaterThan(shareOf(record.heldOut.all) - 0.05);
});
