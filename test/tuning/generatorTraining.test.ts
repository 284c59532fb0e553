import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { loadPipeline } from "../../src/reno/loadPipeline.ts";
import { Random } from "../../src/shapes/random.ts";
import { render } from "../../src/shapes/render.ts";
import type { Scene } from "../../src/shapes/scene.ts";
import { words } from "../../src/shapes/vocabulary.ts";
import { examineVae, Painter, testOf } from "../../src/tuning/generatorEvaluation.ts";
import { readStage, toFloat16, writePipeline, writeStage } from "../../src/tuning/generatorFiles.ts";
import { tokenizer } from "../../src/tuning/generatorModels.ts";
import {
  describeFrom,
  type GeneratorSettings,
  idsOf,
  latentsOf,
  mixtureAt,
  normals,
  type StageState,
  stageShapes,
  startStage,
  theStep,
  toPixels,
  toSigned,
  trainUnet,
  trainVae,
  unetFeeds,
  unetLoss,
} from "../../src/tuning/generatorTraining.ts";
import { Learner } from "../../src/tuning/learner.ts";
import { valuesOf } from "../../src/weights/dtype.ts";

const settings: GeneratorSettings = {
  seed: 5,
  sizes: { textWidth: 16, textDepth: 1, unet: [8, 16, 16], vae: [8, 8, 16] },
  vae: { steps: 30, batch: 2, peak: 1e-2, warmUp: 2 },
  unet: { steps: 6, batch: 2, peak: 4e-3, warmUp: 2 },
  decoder: { steps: 10, batch: 2, peak: 1e-2, warmUp: 2 },
};

const folders: string[] = [];
const temporaryFolder = async () => {
  folders.push(await mkdtemp(join(tmpdir(), "renoir-")));
  return folders.at(-1)!;
};
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

async function losses(state: StageState, most = Number.POSITIVE_INFINITY): Promise<number[]> {
  const list: number[] = [];
  for await (const { loss } of trainVae(settings, state, 1)) if (list.push(loss) >= most) break;
  return list;
}

const average = (list: readonly number[]) => list.reduce((a, b) => a + b) / list.length;

describe("the autoencoder's training", () => {
  test("its loss falls; stopped and read back, it goes on as if it had not stopped", async () => {
    const wanted = await losses(startStage(settings, "vae"));
    expect(average(wanted.slice(-4))).toBeLessThan(0.8 * average(wanted.slice(0, 4)));
    const folder = await temporaryFolder();
    const first = startStage(settings, "vae");
    const before = await losses(first, 24);
    await writeStage(folder, settings, "vae", first, [{ step: 24, loss: 1, norm: 2 }]);
    const { state, trace } = (await readStage(folder, settings, "vae"))!;
    expect(trace).toEqual([{ step: 24, loss: 1, norm: 2 }]);
    const after = await losses(state);
    expect([...before, ...after].map((x) => x.toFixed(4))).toEqual(wanted.map((x) => x.toFixed(4)));
  });

  test("a checkpoint of other settings is not gone on from", async () => {
    const folder = await temporaryFolder();
    await writeStage(folder, settings, "vae", startStage(settings, "vae"), []);
    expect(await readStage(folder, { ...settings, seed: 6 }, "vae")).toBeUndefined();
    expect(await readStage(folder, settings, "unet")).toBeUndefined();
    await writeStage(folder, settings, "unet", startStage(settings, "unet"), []);
    expect(await readStage(folder, { ...settings, unet: { ...settings.unet, batch: 3 } }, "unet")).toBeUndefined();
    expect((await readStage(folder, { ...settings, unet: { ...settings.unet, steps: 9 } }, "unet"))?.state.step).toBe(
      0,
    );
    expect((await readStage(folder, { ...settings, unet: { ...settings.unet, steps: 9 } }, "vae"))?.state.step).toBe(0);
  });

  test("latents are the picture at a quarter of its size, and what of it is not the ground", () => {
    const latents = latentsOf(testScene(2)); // a red circle, its middle at 22, 30, on white
    const at = (channel: number, row: number, column: number) => latents[(channel * 16 + row) * 16 + column]!;
    expect([0, 1, 2, 3].map((c) => at(c, 0, 0))).toEqual([1, 1, 1, -1].map((x) => expect.closeTo(x, 5)));
    const red = [220, 40, 40].map((x) => x / 127.5 - 1);
    expect([0, 1, 2, 3].map((c) => at(c, 7, 5))).toEqual([...red, 1].map((x) => expect.closeTo(x, 5)));
    const covered = (latents.slice(3 * 256).reduce((sum, x) => sum + (x + 1) / 2, 0) * 16) / (Math.PI * 9 ** 2);
    expect(covered).toBeGreaterThan(1); // pixels that the edge touches count whole
    expect(covered).toBeLessThan(1.2);
  });

  test("untrained, it codes nothing that the checker knows", async () => {
    const { right, of } = await examineVae(settings.sizes, startStage(settings, "vae").parameters, 8, 1);
    expect({ right, of }).toEqual({ right: 0, of: 8 });
  });
});

const testScene = (i: number): Scene => ({
  ground: "white",
  shapes: [{ shape: "circle", colour: "red", x: 20 + i, y: 30, radius: 9 }],
});
const testPicture = (i: number) => render(testScene(i));

describe("the U-Net's training", () => {
  test("it goes through its steps, each with what its guides say", async () => {
    const state = startStage(settings, "unet");
    const seen: number[] = [];
    for await (const { loss, reading, laying } of trainUnet(settings, state, 1)) seen.push(loss, reading!, laying!);
    expect(seen).toHaveLength(3 * settings.unet.steps);
    expect(seen.every((x) => x > 0 && x < 10)).toBe(true);
    expect(state.step).toBe(settings.unet.steps);
  });

  test("the losses of one repeated batch fall, and what is written is the pipeline that was trained", async () => {
    const state = startStage(settings, "unet");
    const learner = await Learner.build({
      shapes: stageShapes(settings.sizes, "unet"),
      parameters: state.parameters,
      objective: (w) => unetLoss(w, settings),
      threads: 1,
    });
    const feeds = unetFeeds(settings, 0);
    const seen: Record<string, number>[] = [];
    for (let i = 0; i < 40; i++) {
      const { loss, reading, laying } = await learner.step(feeds, 5e-3);
      seen.push({ loss: loss![0]!, reading: reading![0]!, laying: laying![0]! });
    }
    await learner.release();
    for (const name of ["loss", "reading", "laying"])
      expect(seen.at(-1)![name], name).toBeLessThan(0.5 * seen[0]![name]!);

    const parameters = { ...state.parameters, ...startStage(settings, "vae").parameters };
    const folder = await temporaryFolder();
    await writePipeline(folder, settings.sizes, parameters);
    const said = "a red circle left of a blue square";
    const noise = normals(4 * 16 * 16, new Random(8));
    const painter = await Painter.build(settings.sizes, 1);
    const [wanted] = await painter.paint(parameters, Array(8).fill(said), Array(8).fill(noise));
    await painter.release();
    const pipeline = await loadPipeline(folder, { provider: "cpu", threads: 1 });
    const { pixels, width, height } = await pipeline.generate({ prompt: said, latents: noise });
    await pipeline.unload();
    expect([width, height]).toEqual([64, 64]);
    const [found] = toPixels(pixels.map((x) => 2 * x - 1));
    const farthest = Math.max(...found!.map((x, i) => Math.abs(x - wanted![i]!)));
    expect(farthest).toBeLessThanOrEqual(2); // of 255: the weights were rounded to float16
    expect(new Set(wanted).size).toBeGreaterThan(8); // not one colour
  });

  test("one kind of shape comes first, three last", () => {
    expect([0, 0.1, 0.5].map(mixtureAt)).toEqual([
      [1, 0, 0],
      [0.35, 0.65, 0],
      [0.25, 0.5, 0.25],
    ]);
  });

  test("tests take turns among the splits and are the same for the same seed", () => {
    expect([0, 1, 2, 3].map((i) => testOf(i, 1).split)).toEqual([
      "training",
      "unseen combination",
      "training",
      "unseen pairing",
    ]);
    expect(testOf(3, 1)).toEqual(testOf(3, 1));
    expect(testOf(3, 1).noise).not.toEqual(testOf(3, 2).noise);
    expect(describeFrom(["unseen combination"], new Random(1)).items.length).toBeGreaterThan(0);
  });
});

test("each word is one token, and the longest sentence fits", () => {
  for (const word of words) expect(tokenizer.encode(word), word).toHaveLength(1);
  expect(new Set(words.map((word) => tokenizer.encode(word)[0])).size).toBe(words.length);
  const longest = "a small red circle left of a large blue square, two small green crosses on white";
  const ids = [...idsOf([longest])].map(Number);
  expect(ids).toHaveLength(77);
  expect(ids.indexOf(tokenizer.end)).toBe(1 + 17);
  expect(ids.slice(0, 2)).toEqual([tokenizer.begin, tokenizer.encode("a")[0]]);
});

test("the step takes the velocity nearly as the picture: x0 = 0.068 noise − 0.998 v", () => {
  expect(theStep.skip * theStep.scale).toBeCloseTo(0.0681, 4);
  expect(theStep.out).toBeCloseTo(-0.9977, 4);
  expect(theStep.timestep).toBe(999);
});

test("float16 is rounded to the nearest, ties to even", () => {
  const values = valuesOf("float16")!;
  const finite = values.filter(Number.isFinite);
  const all = [...values.keys()].filter((bits) => Number.isFinite(values[bits]));
  expect([...toFloat16(finite)]).toEqual(all);
  const odd = Float32Array.of(1 / 3, 1 + 2 ** -11, 1 + 3 * 2 ** -11, 2 - 2 ** -13, 65519, 65520, -1e9, 2 ** -25, 3e-8);
  expect([...toFloat16(odd)]).toEqual([0x3555, 0x3c00, 0x3c02, 0x4000, 0x7bff, 0x7c00, 0xfc00, 0, 1]);
  expect(values[toFloat16(Float32Array.of(Number.NaN))[0]!]).toBeNaN();
});

test("pixels come back from -1 .. 1, cut off beyond", () => {
  const picture = testPicture(3);
  expect(toPixels(toSigned([picture, picture]))).toEqual([picture, picture]);
  expect(toPixels(new Float32Array(3 * 64 * 64).fill(1.5))[0]![7]).toBe(255);
});
