import { join } from "node:path";
import { expect, test } from "vitest";
import { loadReward } from "../../src/scoring/loadReward.ts";
import { check } from "../../src/shapes/check.ts";
import { sentence } from "../../src/shapes/scene.ts";
import { splitOf } from "../../src/shapes/splits.ts";
import { RefinedPictures } from "../../src/tuning/refinedPictures.ts";
import { rewardShapes } from "../../src/tuning/rewardWeights.ts";
import { openCheckpoint } from "../../src/weights/checkpoint.ts";
import { readFloat32 } from "../../src/weights/read.ts";

const assets = join(import.meta.dirname, "../../assets/shapes");
const sizes = {
  side: 64,
  patch: 8,
  visionWidth: 128,
  visionDepth: 3,
  textWidth: 128,
  textDepth: 4,
  vocabulary: 37,
  positions: 64,
};

async function shippedWeights() {
  const { tensors } = await openCheckpoint(join(assets, "reward.safetensors"));
  const entries = Object.keys(rewardShapes(sizes)).map(
    async (name) => [name, await readFloat32(tensors.get(name)!)] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

const mean = (x: readonly number[]) => x.reduce((a, b) => a + b, 0) / x.length;

test("the reward of its pictures rises from look to look, and their ideals show what the sentence says", async () => {
  const parameters = await shippedWeights();
  const pictures = new RefinedPictures({ seed: 5, sizes, painted: 4, firstLife: 0, threads: 1 });
  const looks = [];
  for (let i = 0; i < 5 * 4; i++) looks.push(await pictures.next(parameters)); // each of 16 lives five times
  await pictures.release();
  const [first, last] = [looks.slice(0, 4).flat(), looks.slice(-4).flat()];
  expect(last.map(({ description }) => description)).toEqual(first.map(({ description }) => description));
  expect(new Set(first.map(({ description }) => splitOf(description)))).toEqual(new Set(["training"]));

  const reward = await loadReward("shapes", { provider: "cpu", threads: 1 });
  const scores = (round: typeof first) =>
    Promise.all(
      round.map(async ({ description, pixels }) => {
        const image = { data: pixels, width: 64, height: 64, channels: 3 as const };
        return (await reward.score(sentence(description), [image]))[0]!;
      }),
    );
  const [before, after] = [await scores(first), await scores(last)];
  await reward.unload();
  expect(mean(after)).toBeGreaterThan(mean(before) + 0.1);
  const right = first.filter(({ description, ideal }) => check(ideal, sentence(description)).right);
  expect(right.length).toBeGreaterThan(13); // of 16: the decoder's own mistakes
});
