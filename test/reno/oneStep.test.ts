// The one step of each scheduler, against diffusers' own: fixtures/pipeline.json, by test/reference/pipeline.py.

import { describe, expect, test } from "vitest";
import { oneStep, sigmaStep } from "../../src/reno/oneStep.ts";
import { alphasCumprod, sigmaOf, sigmasOf, sigmaToTimestep, timestepToSigma } from "../../src/reno/schedule.ts";
import { parseSchedulerConfig } from "../../src/reno/schedulerConfig.ts";
import { stepDifferences } from "../support/diffusersPictures.ts";
import { fixture } from "../support/tinyPipelines.ts";

describe("diffusers' schedulers", () => {
  for (const one of fixture.steps) {
    const { _class_name: kind, ...rest } = one.config;
    test(`${kind} ${JSON.stringify(rest).slice(0, 400)}${one.timestep ? ` at ${one.timestep}` : ""}`, () => {
      const differences = Object.entries(stepDifferences(one));
      expect(differences).toHaveLength(9);
      for (const [name, difference] of differences) expect(difference, name).toBeLessThan(3e-6);
    });
  }
});

test("SD-Turbo's step: noise times 14.6146, and back by as much of the output", () => {
  const step = oneStep({ kind: "EulerDiscreteScheduler", spacing: "trailing" });
  expect(step.timestep).toBe(999);
  expect(step.scale).toBeCloseTo(14.6146, 4);
  expect(step.inputScale).toBeCloseTo(1 / Math.hypot(14.6146, 1), 6);
  expect([step.skip, step.out]).toEqual([1, -step.scale]);
});

test("a host's own sigma: what is added at the start changes the scale alone", () => {
  const step = sigmaStep({ sigma: 14, timestep: 998.5, predictionType: "epsilon", scale: Math.hypot(14, 1) });
  expect(step).toEqual({
    scale: Math.hypot(14, 1),
    inputScale: 1 / Math.hypot(14, 1),
    timestep: 998.5,
    skip: 1,
    out: -14,
  });
});

test("sigmas and training steps are each other's inverse, between steps too", () => {
  const sigmas = sigmasOf(alphasCumprod());
  expect(sigmas[0]).toBeCloseTo(0.0291675, 6);
  expect(sigmas.at(-1)).toBeCloseTo(14.614647, 5);
  for (const t of [0, 0.25, 1, 499.5, 998, 998.75, 999]) {
    expect(sigmaToTimestep(timestepToSigma(t, sigmas), sigmas)).toBeCloseTo(t, 6);
  }
  expect(sigmaToTimestep(20, sigmas)).toBe(999); // outside the table: its ends
  expect(sigmaToTimestep(0.001, sigmas)).toBe(0);
  expect(sigmaOf(0.5)).toBe(1);
});

test.each<[Record<string, unknown>, string]>([
  [{ _class_name: "DDIMScheduler" }, '"clip_sample" is true; supported: false'],
  [{ thresholding: true }, '"thresholding" is true; supported: false'],
  [{ timestep_type: "continuous" }, '"timestep_type" is "continuous"; supported: "discrete"'],
  [{ interpolation_type: "log_linear" }, '"interpolation_type" is "log_linear"'],
  [{ prediction_type: "flow_prediction" }, '"prediction_type" is "flow_prediction"'],
  [{ timestep_spacing: "karras" }, '"timestep_spacing" is "karras"'],
  [{ num_train_timesteps: 0 }, '"num_train_timesteps" is 0'],
  [{ _class_name: "DPMSolverMultistepScheduler", algorithm_type: "dpmsolver" }, '"algorithm_type" is "dpmsolver"'],
])("scheduler_config.json %j is refused in words", (config, message) => {
  expect(() => parseSchedulerConfig(config, "scheduler_config.json")).toThrow(message);
});

test.each<[Parameters<typeof oneStep>[0], string]>([
  [
    { kind: "HeunDiscreteScheduler" },
    'The scheduler is "HeunDiscreteScheduler", whose single step Renoir does not know',
  ],
  [{ kind: "EulerDiscreteScheduler", betaSchedule: "sigmoid" }, 'beta_schedule is "sigmoid"; known are linear'],
  [{ kind: "EulerDiscreteScheduler", timestep: 1000 }, "at its timestep 1000"],
])("%j is refused in words", (config, message) => {
  expect(() => oneStep(config)).toThrow(message);
});
