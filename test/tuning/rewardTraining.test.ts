import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, describe, expect, test } from "vitest";
import { compile, input } from "../../src/graph/index.ts";
import { imageReward } from "../../src/models/blip.ts";
import { randomGroup } from "../../src/shapes/pairs.ts";
import { Random } from "../../src/shapes/random.ts";
import { embeddingRows } from "../../src/shapes/vocabulary.ts";
import { Examiner, percent } from "../../src/tuning/evaluation.ts";
import { Learner } from "../../src/tuning/learner.ts";
import {
  cellAt,
  groupScores,
  learning,
  learningFeeds,
  scoringFeeds,
  standardise,
  tokenise,
  trainingTokens,
} from "../../src/tuning/objectives.ts";
import { plotPng } from "../../src/tuning/plot.ts";
import { readTraining, standardiseHead, type Trace, writeTraining } from "../../src/tuning/rewardFiles.ts";
import {
  allShapes,
  rateOf,
  startState,
  type TrainingSettings,
  type TrainingState,
  train,
} from "../../src/tuning/rewardTraining.ts";
import { decays, freshWeights, rewardShapes } from "../../src/tuning/rewardWeights.ts";
import { Weights } from "../../src/weights/weights.ts";

const sizes = {
  side: 64,
  patch: 16,
  visionWidth: 64,
  visionDepth: 1,
  textWidth: 64,
  textDepth: 1,
  vocabulary: embeddingRows,
  positions: 40,
};
const settings: TrainingSettings = {
  seed: 3,
  sizes,
  steps: 6,
  batch: 2,
  peak: 1e-3,
  warmUp: 2,
  simpleSteps: 2,
  guidance: 1,
  refining: { steps: 0, peak: 1e-3, painted: 1 },
};

const folders: string[] = [];
const temporaryFolder = async () => {
  folders.push(await mkdtemp(join(tmpdir(), "renoir-")));
  return folders.at(-1)!;
};
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

/** Losses of the steps until the end, or until so many are done. */
async function losses(state: TrainingState, most = Number.POSITIVE_INFINITY): Promise<number[]> {
  const list: number[] = [];
  for await (const { ranking, naming } of train(settings, state, 1)) if (list.push(ranking + naming) >= most) break;
  return list;
}

describe("training", () => {
  test("stopped and read back, it goes on as if it had not stopped", async () => {
    const whole = startState(settings);
    const wanted = await losses(whole);
    expect(wanted).toHaveLength(6);
    for (const stop of [1, 4]) {
      const folder = await temporaryFolder();
      const first = startState(settings);
      const before = await losses(first, stop);
      await writeTraining(folder, settings, first, traceTo(first.step));
      const { state, trace } = (await readTraining(folder, settings))!;
      expect(trace).toEqual(traceTo(stop));
      const after = await losses(state);
      expect([...before, ...after].map((x) => x.toFixed(5))).toEqual(wanted.map((x) => x.toFixed(5)));
      const name = "blip.visual_encoder.blocks.0.attn.qkv.weight";
      expect(largestDifference(state.parameters[name]!, whole.parameters[name]!)).toBeLessThan(1e-5);
    }
  });

  test("another seed's or size's checkpoint is not gone on from", async () => {
    const folder = await temporaryFolder();
    await writeTraining(folder, settings, startState(settings), []);
    expect(await readTraining(folder, { ...settings, seed: 4 })).toBeUndefined();
    expect(await readTraining(join(folder, "nowhere"), settings)).toBeUndefined();
  });

  test("after the drawn pictures come painted ones, at a rate that rises anew", async () => {
    const two = { ...settings, steps: 2, refining: { steps: 6, peak: 1e-3, painted: 1 } };
    const state = startState(two);
    const seen: number[][] = [];
    for await (const { step, ranking, painted } of train(two, state, 1)) seen.push([step, ranking, painted]);
    expect(seen.map(([step]) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(seen.every(([, ranking]) => ranking! > 0.2 && ranking! < 2)).toBe(true);
    expect(seen.slice(0, 2).map(([, , painted]) => painted)).toEqual([0, 0]); // there was none
    expect(seen.slice(2).every(([, , painted]) => painted === 0 || painted === 1)).toBe(true); // one a step
    expect([0, 1, 2, 4].map((step) => rateOf(two, step))).toEqual([5e-4, 1e-3, 5e-4, 1e-3]);
    expect(rateOf(two, 7)).toBeLessThan(4e-4);
  });

  test("the losses of one repeated batch fall, the ranking's from ln 2 on", async () => {
    const shapes = allShapes(sizes);
    const parameters = freshWeights(shapes, new Random(1));
    const learner = await Learner.build({ shapes, parameters, objective: (w) => learning(w, 2), threads: 1 });
    const groups = [0, 1].map((i) => randomGroup(new Random(31, i), { splits: ["training"] }));
    const feeds = learningFeeds(groups, sizes.patch, 1);
    const seen: Record<string, number>[] = [];
    for (let i = 0; i < 60; i++) {
      const { ranking, naming, finding, judging } = await learner.step(feeds, 2e-3);
      seen.push({ ranking: ranking![0]!, naming: naming![0]!, finding: finding![0]!, judging: judging![0]! });
    }
    await learner.release();
    const [first, last] = [seen[0]!, seen.at(-1)!];
    expect(Math.abs(first.ranking! - Math.LN2)).toBeLessThan(0.2); // softplus(0): it begins undecided
    for (const name of ["ranking", "naming", "finding", "judging"])
      expect(last[name]!, name).toBeLessThan(0.6 * first[name]!);
  });
});

const traceTo = (last: number): Trace[] =>
  Array.from({ length: last }, (_, i) => ({
    step: i + 1,
    ranking: 0.5,
    naming: 1,
    finding: 0.1,
    judging: 0.3,
    norm: 1,
    accuracy: 0.75,
    painted: 0,
  }));

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i]!)));

describe("scores", () => {
  const shapes = rewardShapes(sizes);
  const parameters = freshWeights(shapes, new Random(2));
  const groups = [randomGroup(new Random(32), { splits: ["training"] })];

  test("a group's table holds what each picture and sentence score alone, padded to 35 tokens", async () => {
    const table = await compile(
      { scores: groupScores(Weights.fromInputs(shapes), 1) },
      { provider: "cpu", threads: 1 },
    );
    const { scores } = await table.run({ ...parameters, ...scoringFeeds(groups) });
    const alone = imageReward(
      Weights.fromInputs(shapes),
      input("pixels", [1, 3, 64, 64]),
      input("ids", [1, 35], "int64"),
      input("mask", [1, 35]),
    );
    const single = await compile({ score: alone }, { provider: "cpu", threads: 1 });
    const { ids, mask } = tokenise([groups[0]!.sentences[2]!]);
    const [longIds, longMask] = [new BigInt64Array(35), new Float32Array(35)];
    longIds.set(ids);
    longMask.set(mask);
    const { score } = await single.run({
      ...parameters,
      pixels: standardise([groups[0]!.pictures[1]!]),
      ids: longIds,
      mask: longMask,
    });
    expect(score![0]).toBeCloseTo(scores![cellAt(0, { picture: 1, sentence: 2 })]!, 5);
    await table.release();
    await single.release();
  });

  test("the mask has a one for each token and ids are padded with zeros", () => {
    const { ids, mask } = tokenise(["a red circle"]);
    expect(ids).toHaveLength(trainingTokens);
    expect(mask.reduce((a, b) => a + b)).toBe(5);
    expect([...ids].slice(5).every((id) => id === 0n)).toBe(true);
  });

  test("an untrained model is near chance, and the standardised head has mean 0 and deviation 1", async () => {
    const examiner = await Examiner.build(shapes, 64, 9, 1);
    const before = await examiner.examine(parameters);
    expect(before.all.right / before.all.of).toBeGreaterThan(0.3);
    expect(before.all.right / before.all.of).toBeLessThan(0.7);
    const after = await examiner.examine(standardiseHead(parameters, before));
    await examiner.release();
    expect(after.mean).toBeCloseTo(0.16717362830052426, 3);
    expect(after.deviation).toBeCloseTo(1.0333394966054072, 3);
    expect(after.all).toEqual(before.all);
  });

  test("every weight decays but norms, biases and embeddings", () => {
    const names = Object.keys(shapes).filter((name) => !decays(name));
    expect(names.every((name) => /norm|bias$|embeddings|cls_token|pos_embed/i.test(name))).toBe(true);
    expect(decays("blip.visual_encoder.patch_embed.proj.weight")).toBe(true);
    expect(decays("blip.text_encoder.encoder.layer.0.output.LayerNorm.weight")).toBe(false);
  });
});

test("the plot is a PNG of its curves", async () => {
  const points: [number, number][] = [
    [0, 1],
    [1, 0.5],
  ];
  const png = await plotPng({
    title: "a < b",
    xLabel: "steps",
    low: 0,
    high: 1,
    curves: [{ label: "loss", colour: "#f00", points }],
  });
  const { format, width, height } = await sharp(png).metadata();
  expect({ format, width, height }).toEqual({ format: "png", width: 900, height: 420 });
  const { data } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  let red = 0;
  for (let i = 0; i < data.length; i += 3) if (data[i]! > 200 && data[i + 1]! < 60 && data[i + 2]! < 60) red++;
  expect(red).toBeGreaterThan(200);
});

test("a share is told in per cent", () => expect(percent({ right: 19, of: 20 })).toBe("95.0 %"));
