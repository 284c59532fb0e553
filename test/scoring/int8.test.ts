// Eight-bit weights of the small reference models: near the exact scores, and made once.

import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rootMeanSquareError, spread } from "../../src/cli/bench/statistics.ts";
import { loadBertTokenizer } from "../../src/scoring/bertTokenizer.ts";
import { ImageReward } from "../../src/scoring/imageReward.ts";
import { int8Checkpoint } from "../../src/scoring/int8.ts";
import type { Checkpoint } from "../../src/weights/checkpoint.ts";
import { readFloat32, readTensor } from "../../src/weights/read.ts";
import { openReferenceModel, prompts, recorded, referencePictures } from "../support/referenceModel.ts";

let home: string;
let exact: Checkpoint;
let int8: Checkpoint;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "renoir-int8-"));
  exact = await openReferenceModel("small");
  int8 = await int8Checkpoint(exact, home);
});

afterAll(async () => {
  await rm(home, { recursive: true });
  await rm(dirname(exact.path), { recursive: true });
});

test("each output's weights are within half a step of the exact ones, transposed", async () => {
  const key = "blip.visual_encoder.blocks.0.mlp.fc1.weight";
  const [weight, scales] = [
    await readFloat32(exact.tensors.get(key)!),
    await readFloat32(int8.tensors.get(`${key}_scale`)!),
  ];
  const { data, shape } = await readTensor(int8.tensors.get(key)!);
  const [inputs, outputs] = shape as [number, number];
  expect([outputs, inputs]).toEqual(exact.tensors.get(key)!.shape);
  const worst = Math.max(
    ...weight.map((w, k) => {
      const [o, i] = [Math.trunc(k / inputs), k % inputs];
      return Math.abs(Number(data[i * outputs + o]) - w / scales[o]!);
    }),
  );
  expect(worst).toBeLessThan(0.5001);
  expect(worst).toBeGreaterThan(0.4); // some weight is rounded that far: the steps are no finer than said
});

test("embeddings, patches and the head are kept bit for bit", async () => {
  for (const key of [
    "blip.visual_encoder.patch_embed.proj.weight",
    "blip.text_encoder.embeddings.word_embeddings.weight",
    "mlp.layers.0.weight",
  ]) {
    const [kept, original] = [await readFloat32(int8.tensors.get(key)!), await readFloat32(exact.tensors.get(key)!)];
    expect(Buffer.from(kept.buffer).equals(Buffer.from(original.buffer)), key).toBe(true);
  }
});

test("scores are near upstream's, and say that they are int8's", async () => {
  const reward = new ImageReward(exact, loadBertTokenizer(), { int8, provider: "cpu", prepack: true });
  expect(reward.dtype).toBe("int8");
  const scores: number[] = [];
  for (const prompt of prompts) scores.push(...(await reward.score(prompt, referencePictures("small"))));
  await reward.unload();
  const upstream = recorded("small").scores.flat();
  const error = rootMeanSquareError(scores, upstream) / spread(upstream);
  expect(error).toBeLessThan(0.12); // random weights amplify every rounding; trained ones do not
  expect(error).toBeGreaterThan(1e-4); // and they are not secretly exact
});

test("the cache file is made once", async () => {
  const folder = join(home, "cache", "int8");
  const [name] = await readdir(folder);
  const before = await stat(join(folder, name!));
  await int8Checkpoint(exact, home);
  expect(await readdir(folder)).toEqual([name]);
  expect((await stat(join(folder, name!))).mtimeMs).toBe(before.mtimeMs);
});
