// diffusers' pictures and schedulers of fixtures/pipeline.json, and how far ours lie from them.

import { loadPipeline } from "../../src/reno/loadPipeline.ts";
import { oneStep } from "../../src/reno/oneStep.ts";
import type { Generated, Pipeline } from "../../src/reno/pipeline.ts";
import { alphasCumprod } from "../../src/reno/schedule.ts";
import { parseSchedulerConfig } from "../../src/reno/schedulerConfig.ts";
import { largestDifference } from "./compare.ts";
import type { PictureCase, StepCase } from "./tinyPipelines.ts";

export const onCpu = { provider: "cpu", threads: 2 };

/** The picture of a case, with everything that the case says. */
export async function draw(pipeline: Pipeline, { prompt, seed, ...given }: PictureCase): Promise<Generated> {
  const { skipLayers, ...request } = given;
  const conditioning = skipLayers ? await pipeline.condition(prompt, { skipLayers }) : undefined;
  return pipeline.generate({ ...request, prompt, seed: BigInt(seed), conditioning });
}

/** The same by the scheduler of the case, which a pipeline of its own has. */
export async function drawByOwnScheduler(folder: string, want: PictureCase): Promise<Generated> {
  const scheduler = parseSchedulerConfig(want.scheduler!, "test");
  const pipeline = await loadPipeline(folder, { ...onCpu, scheduler });
  const made = await draw(pipeline, want);
  await pipeline.unload();
  return made;
}

/** Of the pixels that are stored, and of the mean of all. */
export function pictureDifferences({ pixels, width, height }: Generated, want: PictureCase) {
  if (`3,${height},${width}` !== `${want.shape}`) {
    throw new Error(`The picture is ${width} x ${height}, not [${want.shape}].`);
  }
  const got = want.places.map((place) => pixels[place]!);
  const mean = pixels.reduce((total, x) => total + x, 0) / pixels.length;
  return { pixels: largestDifference(got, want.values), mean: Math.abs(mean - want.mean) };
}

/** Of each number of a scheduler's step, as a part of it where it is above 1, and of ᾱ, as a part of it. */
export function stepDifferences({ config, timestep, step, alphas }: StepCase): Record<string, number> {
  const parsed = { ...parseSchedulerConfig(config, "test"), ...(timestep ? { timestep } : {}) };
  const got = oneStep(parsed);
  const numbers = Object.entries(step).map(([field, want]) => {
    const difference = Math.abs(got[field as keyof typeof got] - want);
    return [field, difference / Math.max(1, Math.abs(want))];
  });
  const mine = alphasCumprod(parsed);
  const places = [0, Math.floor(mine.length / 3), mine.length - 2, mine.length - 1];
  // The last may be 0 to within 1e-9.
  const parts = alphas.map((want, i) => [`alpha ${places[i]}`, Math.abs(mine[places[i]!]! - want) / (want + 5e-4)]);
  return Object.fromEntries([...numbers, ...parts]);
}
