import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import type { JobStep } from "../../src/server/api/jobs.ts";
import { refineRequest } from "../../src/server/api/jobs.ts";
import type { Model, Settings } from "../../src/server/api/system.ts";
import { duration } from "../../ui/src/components/amounts.ts";
import { demoIterations, demoKnown, measured } from "../../ui/src/pages/refine/demo.ts";
import { problemOf, requestOf, valuesFor } from "../../ui/src/pages/refine/formValues.ts";
import { type Origin, originOfPrompt } from "../../ui/src/pages/refine/origin.ts";
import { bestOf, curves, describeCurve, describeStep } from "../../ui/src/pages/refine/steps.ts";
import { remaining, stepTime } from "../../ui/src/pages/refine/timing.ts";
import { changesOf, verdict } from "../../ui/src/pages/refine/verdict.ts";

// ---- the honest panel

const told = (before: Record<string, number>, after: Record<string, number>, optimised = ["A"]) => {
  const changes = changesOf(before, after);
  const isOptimised = ({ name }: { name: string }) => optimised.includes(name);
  return verdict(
    changes.filter(isOptimised),
    changes.filter((change) => !isOptimised(change)),
  );
};

test("a reward that rises while all others fall is said to be likely gamed", () => {
  const { tone, title, text } = told({ A: 0.1, B: 0.5, C: 0.9 }, { A: 1.4, B: 0.2, C: 0.1 });
  expect([tone, title]).toEqual(["warning", "Likely gamed"]);
  expect(text).toMatch(/^A rose, but B and C, which were not optimised, fell\. /);
});

test("others that rise too are a good sign, others that differ are none", () => {
  expect(told({ A: 0, B: 0 }, { A: 1, B: 0.2 }).tone).toBe("good");
  expect(told({ A: 0, B: 0, C: 0 }, { A: 1, B: 0.2, C: -1 })).toMatchObject({
    tone: "unsure",
    title: "The rewards disagree",
    text: "A rose. Of those that were not optimised, B rose too, but C fell. Trust your eyes.",
  });
});

test("without another reward nothing is claimed; a change that no digit shows is none", () => {
  expect(told({ A: 0 }, { A: 1 }).title).toBe("Only your eyes can tell");
  expect(told({ A: 0.5 }, { A: 0.50004 }).title).toBe("Nothing better was found");
  expect(told({ A: 0, B: 1 }, { A: 1, B: 1.00001 }).title).toBe("The others see no difference");
});

test("what the page says of the demo is what was measured", async () => {
  const table = await readFile(new URL("../../docs/efficacy.md", import.meta.url), "utf8");
  const share = (what: string) => Number(new RegExp(`\\| ${what} +\\| ([\\d.]+) %`).exec(table)?.[1]);
  expect(measured).toEqual({
    before: share("right before"),
    after10: share("right, refined, 10 looks"),
    after50: share("right, refined, 50 looks"),
  });
  expect(demoKnown).toContain(`${measured.after10} % after ${demoIterations} steps`);
});

// ---- steps

const steps: JobStep[] = [
  { step: 0, rewards: { A: -0.25 }, ms: 900, best: true },
  { step: 1, rewards: { A: 0.5 }, observed: { B: 31.2 }, ms: 100, best: true },
  { step: 2, rewards: { A: 0.25 }, ms: 300, best: false },
  { step: 3, rewards: { A: 0.3 }, ms: 200, best: false },
];

test("the best is the last that was best when it came; a curve has a gap where nothing was judged", () => {
  expect(bestOf(steps)).toBe(1);
  expect(bestOf([])).toBeUndefined();
  expect(curves(steps, "observed")).toEqual([{ name: "B", values: [null, 31.2, null, null] }]);
  expect(describeStep(steps[0]!, false)).toBe("Step 0, A −0.2500");
  expect(describeStep(steps[1]!, true)).toBe("Step 1 best, A 0.5000");
  expect(describeCurve(curves(steps, "rewards")[0]!)).toBe("A over 4 steps, from −0.2500 to 0.3000, highest 0.5000");
});

test("the time that remains goes by the median of the steps after the first, which compiles", () => {
  expect(stepTime(steps)).toBe(200);
  expect(stepTime(steps.slice(0, 1))).toBe(900);
  expect(stepTime([])).toBeUndefined();
  expect(remaining(steps, 50)).toBe(46 * 200);
  expect(remaining(steps, null)).toBeUndefined();
  expect([340, 9_200, 12_400, 200_000, 7_500_000].map(duration)).toEqual([
    "0.34 s",
    "9.2 s",
    "12 s",
    "3 min 20 s",
    "2 h 5 min",
  ]);
});

// ---- the form

const model = (name: string, kind: Model["kind"], builtIn = false): Model => ({
  name,
  kind,
  builtIn,
  state: "ready",
  memory: "unloaded",
  pullable: false,
});
const models = [model("imagereward", "reward"), model("shapes", "reward", true), model("shapes", "pipeline", true)];
const settings = { rewards: ["imagereward=0.5"] } as unknown as Settings;
const origin: Origin = {
  ...originOfPrompt("a fox"),
  image: { id: "p1" },
  picture: { src: "/p1", name: "p1.png" },
  seed: "18446744073709551615",
  model: "sd-turbo",
};

test("a picture's refine names the picture and leaves to its file what was not changed", () => {
  const values = valuesFor(origin, models, settings);
  expect(values.roles).toEqual({ imagereward: "optimise", shapes: "off" });
  const request = requestOf(values, origin);
  expect(request).toMatchObject({ image: { id: "p1" }, rewards: ["imagereward"], observe: [], iterations: 50 });
  for (const said of ["prompt", "negativePrompt", "seed", "model"]) expect(request).not.toHaveProperty(said);
  expect(refineRequest.safeParse(request).success).toBe(true);
  expect(requestOf({ ...values, prompt: "a red fox" }, origin).prompt).toBe("a red fox");
});

test("the demo's pictures are refined by the demo's reward, for as long as it helps, and judged by the other", () => {
  const demo = { ...origin, model: "shapes" };
  const values = valuesFor(demo, models, settings);
  expect(values.roles).toEqual({ imagereward: "observe", shapes: "optimise" });
  expect(requestOf(values, demo)).toMatchObject({ rewards: ["shapes"], observe: ["imagereward"], iterations: 10 });
});

test("a refine that goes on has the settings of the one before", () => {
  const request = { rewards: ["shapes"], iterations: 30, optimizer: "adam", learningRate: 0.5 };
  const values = valuesFor({ ...origin, request }, models, settings);
  expect(values).toMatchObject({ iterations: 30, optimizer: "adam", learningRate: 0.5, gradientClip: 0.1 });
  expect(values.roles.shapes).toBe("optimise");
});

test("words alone want a seed, everything wants a prompt and a reward", () => {
  const words = originOfPrompt("a fox");
  const values = valuesFor(words, models, settings);
  expect(problemOf(values, words)).toMatch(/seed is wanted/);
  expect(problemOf({ ...values, seed: "12" }, words)).toBeUndefined();
  expect(problemOf({ ...values, seed: "twelve" }, words)).toMatch(/whole number/);
  expect(problemOf({ ...values, prompt: " ", seed: "12" }, words)).toMatch(/prompt is wanted/);
  expect(problemOf({ ...values, roles: { shapes: "observe" } }, words)).toMatch(/at least one reward/);
  expect(requestOf({ ...values, seed: "12" }, words)).toMatchObject({ prompt: "a fox", seed: "12" });
});
