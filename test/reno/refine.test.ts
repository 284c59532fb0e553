import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RequestError } from "../../src/errors.ts";
import { planned } from "../../src/reno/memoryPlan.ts";
import { type RefineOptions, type RefineStep, refine } from "../../src/reno/refine.ts";
import type { StepRunner } from "../../src/reno/stepGraph.ts";
import { formatTrace, parseTrace, traceStep } from "../../src/reno/trace.ts";
import { loadBertTokenizer } from "../../src/scoring/bertTokenizer.ts";
import { ImageReward } from "../../src/scoring/imageReward.ts";
import { openCheckpoint } from "../../src/weights/checkpoint.ts";
import { writeSafetensors } from "../../src/weights/safetensors.ts";
import { openReferenceModel } from "../support/referenceModel.ts";
import { type Models, openModels } from "../support/trajectories.ts";

let models: Models;
let options: RefineOptions;
beforeAll(async () => {
  models = await openModels();
  const rewards = [{ reward: await models.reward("small", "") }];
  options = { pipeline: models.pipeline, rewards, prompt: "a red circle", seed: 1, provider: "cpu", threads: 1 };
});
afterAll(() => models.release());

async function all(more: Partial<RefineOptions>): Promise<RefineStep[]> {
  const steps: RefineStep[] = [];
  for await (const step of refine({ ...options, ...more })) steps.push(step);
  return steps;
}

/** The plan that every run has, and how many of its sessions are held. */
function counted() {
  const held = { runners: 0, runs: 0 };
  const plan: RefineOptions["plan"] = async (parts) => {
    const runner: StepRunner = await planned("whole")(parts);
    held.runners++;
    return {
      run: (latents, gradient) => {
        held.runs++;
        return runner.run(latents, gradient);
      },
      release: async () => {
        held.runners--;
        await runner.release();
      },
    };
  };
  return { held, plan };
}

const numbersOf = (steps: readonly RefineStep[]) => steps.map((step) => ({ ...traceStep(step), ms: 0 }));

test.each(["sgd", "adam", "lbfgs"] as const)(
  "%s: a run that stopped goes on from its trace as if it had not",
  async (optimizer) => {
    const settings = { optimizer, iterations: 3, learningRate: 1 };
    const whole = await all(settings);
    const second = whole[1]!;
    const text = formatTrace({
      settings,
      steps: [traceStep(second)],
      best: second.state.best.step,
      resume: second.state,
    });
    const later = await all({ ...settings, resume: parseTrace(text).resume });
    expect(numbersOf(later)).toEqual(numbersOf(whole.slice(2)));
    expect(later.at(-1)!.state.best.latents).toEqual(whole.at(-1)!.state.best.latents);
  },
);

test("a run of as many iterations as were done goes on where more are asked", async () => {
  const short = await all({ iterations: 2 });
  const later = await all({ iterations: 3, resume: short[1]!.state });
  expect(numbersOf(later)).toEqual(numbersOf((await all({ iterations: 3 })).slice(2)));
});

test("the best is the step with the least loss of rewards, and a later one only where it is strictly less", async () => {
  const steps = await all({ iterations: 6, learningRate: 40 });
  const losses = steps.map(({ loss }) => loss);
  let least = Number.POSITIVE_INFINITY;
  for (const step of steps) {
    expect(step.best).toBe(step.loss < least);
    least = Math.min(least, step.loss);
    expect(step.state.best.step).toBe(losses.indexOf(least));
  }
  expect(new Set(steps.map(({ best }) => best)).size).toBe(2); // the rate is too high: it goes up too
  expect(steps[0]!.gradientNorm).toBeGreaterThan(0);
  expect(steps.at(-1)!.gradientNorm).toBeNull();
});

test("leaving the loop frees the sessions", async () => {
  const { held, plan } = counted();
  for await (const step of refine({ ...options, plan })) {
    expect(held.runners).toBe(1);
    if (step.step === 1) break;
  }
  expect(held).toEqual({ runners: 0, runs: 2 });
});

test("a signal ends the run before the next step, and an L-BFGS update in the middle", async () => {
  for (const optimizer of ["sgd", "lbfgs"] as const) {
    const stop = new AbortController();
    const { held, plan } = counted();
    const seen: number[] = [];
    for await (const { step } of refine({ ...options, optimizer, signal: stop.signal, plan })) {
      seen.push(step);
      if (optimizer === "sgd") stop.abort();
      else setTimeout(() => stop.abort(), 0);
    }
    expect(seen).toEqual([0]);
    expect(held.runners).toBe(0);
    expect(held.runs).toBeLessThan(4);
  }
});

test("patience ends a run that gets no better", async () => {
  const steps = await all({
    iterations: 30,
    learningRate: 1e-9,
    patience: 2,
    regularization: 0,
    momentum: 0,
    nesterov: false,
  });
  const best = steps.at(-1)!.state.best.step;
  expect(steps.at(-1)!.step - best).toBe(2);
  expect(steps.length).toBeLessThan(30);
});

test("two rewards of one name are told apart, and their losses weighted", async () => {
  const [first, second] = [await models.reward("small", ""), await models.reward("small", "other/")];
  const [step] = await all({ rewards: [{ reward: first }, { reward: second, weight: 0.25 }], iterations: 1 });
  const { ImageReward: a, "ImageReward 2": b } = step!.rewards as Record<string, number>;
  expect(Object.keys(step!.rewards)).toEqual(["ImageReward", "ImageReward 2"]);
  expect(a).not.toBeCloseTo(b!, 2);
  expect(step!.loss).toBeCloseTo(2 - a! + 0.25 * (2 - b!), 4);
});

test("step 0 is the picture that the pipeline makes of the same noise", async () => {
  const [step] = await all({ iterations: 1, width: 48, height: 80 });
  const made = await models.pipeline.generate({
    prompt: "a red circle",
    latents: step!.latents,
    width: 48,
    height: 80,
  });
  expect([step!.width, step!.height, step!.latents.length]).toEqual([48, 80, 4 * 12 * 20]);
  const difference = made.pixels.map((value, i) => Math.abs(value - step!.pixels[i]!));
  expect(Math.max(...difference)).toBeLessThan(1e-5);
});

test("a reward whose number is none ends the run and is named", async () => {
  const good = await openReferenceModel("small");
  const path = `${dirname(good.path)}/damaged.safetensors`;
  await writeSafetensors(path, await damaged(good.path));
  const reward = new ImageReward(await openCheckpoint(path), loadBertTokenizer(), {
    displayName: "Damaged",
    provider: "cpu",
  });
  const run = all({ rewards: [...options.rewards, { reward }], iterations: 2 });
  await expect(run).rejects.toThrow(/Damaged gave NaN as its reward: the run ends here/);
  await rm(dirname(good.path), { recursive: true });
});

test.each<[string, Partial<RefineOptions>, RegExp]>([
  ["no reward", { rewards: [] }, /no reward to refine by/],
  ["no iterations", { iterations: 0 }, /iterations is 0/],
  ["half an iteration", { iterations: 2.5 }, /iterations is 2.5/],
  ["a rate that is no number", { learningRate: Number.NaN }, /learningRate is NaN/],
  ["an unknown optimiser", { optimizer: "rmsprop" as never }, /no optimizer "rmsprop"; there are sgd, adam, lbfgs/],
  ["noise of another size", { latents: new Float32Array(7) }, /noise has 7 numbers, but \[1, 4, 16, 16\] takes 1024/],
  ["a size that no noise has", { width: 30 }, /width is 30/],
])("%s is refused", async (_, more, message) => {
  const refused = all(more);
  await expect(refused).rejects.toThrow(RequestError);
  await expect(refused).rejects.toThrow(message);
});

test.each([
  ["no JSON", "{", /x\.json is no JSON/],
  ["no steps", '{"settings":{},"best":0}', /x\.json is no trace of a run: steps/],
  [
    "cut off numbers",
    '{"settings":{},"steps":[],"best":0,"resume":{"step":0,"latents":{"float32":"AAA="}}}',
    /resume\.latents: has 2 bytes/,
  ],
])("a trace with %s is refused", (_, text, message) => {
  expect(() => parseTrace(text, "x.json")).toThrow(message);
});

/** The checkpoint's tensors, one weight of them not a number. */
async function damaged(path: string) {
  const { tensors } = await openCheckpoint(path);
  const { readTensor } = await import("../../src/weights/read.ts");
  const copies = [];
  for (const tensor of tensors.values()) {
    const data = Float32Array.from((await readTensor(tensor)).data as Float32Array);
    if (tensor.name === "mlp.layers.7.bias") data[0] = Number.NaN;
    copies.push([tensor.name, { dtype: "float32" as const, shape: tensor.shape, data }] as const);
  }
  return Object.fromEntries(copies);
}
