// renoir refine on a small model with random weights, judged by the built-in reward: it begins with the very picture, its trace and
// its result's file say what was done, and it goes on from there.

import { readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { readMetadata } from "../../src/metadata/index.ts";
import { readLatents } from "../../src/reno/resultFile.ts";
import { freshFolder, jsonLines, run, start } from "./command.ts";
import { pixelsOf, runIn, tinyModel } from "./making.ts";

const builtInReward = join(import.meta.dirname, "../../assets/shapes/reward.safetensors");
const prompt = "a red circle left of a blue square";
let model: string;
let folder: string;

beforeAll(async () => {
  model = await tinyModel();
  await run(["--version"]); // builds what is to be built, outside of what is timed
}, 300_000);
afterAll(() => rm(dirname(model), { recursive: true }));
beforeEach(async () => {
  folder = await freshFolder();
});
afterEach(() => rm(folder, { recursive: true }));

const refine = (...flags: string[]) => runIn(folder, ["refine", ...flags]);
/** One thread, which a busy machine runs sooner. */
const withModel = () => [...byModel(), "--reward", "shapes"];
const byModel = () => ["--model", model, "--threads", "1", "--json"];

/** A picture of the model's. */
async function generated(): Promise<string> {
  const made = await runIn(folder, ["generate", "--prompt", prompt, "--seed", "5", "--model", model, "--json"]);
  return jsonLines(made.stdout)[0].file;
}

test("it begins with the very picture, and what it did is in the trace, in the result and in its file", async () => {
  const picture = await generated();
  const { code, stdout } = await refine(
    picture,
    ...withModel(),
    "--iterations",
    "4",
    "--trace",
    "t.json",
    "--save-all",
  );
  expect(code).toBe(0);
  const steps = jsonLines(stdout);
  const result = steps.pop();
  const trace = JSON.parse(await readFile(join(folder, "t.json"), "utf8"));
  expect(Object.keys(trace)).toEqual(["settings", "steps", "best", "resume"]);
  expect(trace.steps).toEqual(steps);
  expect(steps.map(({ step }) => step)).toEqual([0, 1, 2, 3]);
  expect(steps[0]).toEqual({
    step: 0,
    rewards: { Shapes: expect.any(Number) },
    loss: expect.closeTo(2 - steps[0].rewards.Shapes, 5),
    regularizer: expect.any(Number),
    gradientNorm: expect.any(Number),
    latentsNorm: expect.any(Number),
    ms: expect.any(Number),
  });
  expect(steps[3].gradientNorm).toBeNull();
  const losses = steps.map(({ loss }) => loss);
  expect(trace.best).toBe(losses.indexOf(Math.min(...losses)));
  expect(trace.settings).toMatchObject({ model: "tiny-turbo", seed: 5, iterations: 4, optimizer: "sgd", lr: 5 });

  const file = picture.replace(".png", "-refined.png");
  const { before, after } = result.scores;
  expect(result).toMatchObject({ file, prompt, seed: 5, best: trace.best, iterations: 4, difference: 0 });
  expect(after.Shapes).toBeGreaterThan(before.Shapes);
  expect(await pixelsOf(join(folder, picture.replace(".png", "-refined-steps"), "0.png"))).toEqual(
    await pixelsOf(join(folder, picture)),
  );
  const metadata = await readMetadata(join(folder, file));
  expect(metadata).toMatchObject({ prompt, seed: 5, warnings: [] });
  expect(metadata.scores.Shapes).toBeCloseTo(after.Shapes, 4);
  expect(metadata.settings).toMatchObject({ "ReNO iterations": 4, "ReNO best": trace.best });
  const scored = await runIn(folder, ["score", file, "--reward", "shapes", "--json"]);
  expect(jsonLines(scored.stdout)[0].scores.Shapes).toBeCloseTo(after.Shapes, 4);
});

test("its result is made again exactly, and refining it goes on from there", async () => {
  const { stdout } = await refine(
    "--prompt",
    prompt,
    "--seed",
    "5",
    ...withModel(),
    "--iterations",
    "3",
    "--out",
    "a.png",
  );
  const { best } = jsonLines(stdout).at(-1);
  const [again] = jsonLines(
    (await runIn(folder, ["generate", "--from", "a.png", "--model", model, "--threads", "1", "--json"])).stdout,
  );
  expect(again).toMatchObject({ difference: 0, candidate: "the noise given", seed: 5 });
  const more = jsonLines((await refine("a.png", ...withModel(), "--iterations", "2")).stdout);
  expect(more[0].rewards.Shapes).toBeCloseTo(jsonLines(stdout)[best].rewards.Shapes, 4);
  expect(more.at(-1)).toMatchObject({ file: "a-refined.png", difference: 0 });
  const fromSeed = jsonLines((await refine("a.png", ...withModel(), "--seed", "5", "--iterations", "1")).stdout);
  expect(fromSeed[0].rewards.Shapes).toBeCloseTo(jsonLines(stdout)[0].rewards.Shapes, 4);
});

test("selection looks at fresh noise, and --no-latents leaves the noise out of the file", async () => {
  const flags = ["--mode", "select", "--iterations", "3", "--no-latents", "--out", "s.png"];
  const lines = jsonLines((await refine("--prompt", prompt, "--seed", "5", ...withModel(), ...flags)).stdout);
  expect(lines.map(({ gradientNorm }) => gradientNorm)).toEqual([null, null, null, undefined]);
  expect(new Set(lines.slice(0, 3).map(({ loss }) => loss)).size).toBe(3);
  expect(readLatents(await readFile(join(folder, "s.png")))).toBeUndefined();
});

test("two checkpoints of one reward are told apart in steps, settings and scores", async () => {
  const other = `shapes=0.5@${builtInReward}`;
  const flags = ["--reward", other, "--iterations", "1", "--trace", "t.json", "--out", "two.png"];
  const [step, result] = jsonLines((await refine("--prompt", prompt, "--seed", "5", ...withModel(), ...flags)).stdout);
  const { Shapes } = step.rewards;
  expect(step).toMatchObject({ rewards: { "Shapes 2": Shapes }, loss: expect.closeTo(1.5 * (2 - Shapes), 4) });
  const { settings } = JSON.parse(await readFile(join(folder, "t.json"), "utf8"));
  expect(settings.rewards).toEqual({ Shapes: 1, "Shapes 2": 0.5 });
  expect(result.scores.after).toEqual({ Shapes: expect.any(Number), "Shapes 2": result.scores.after.Shapes });
});

test("without --json the result is told in words, and nothing overwrites an earlier one", async () => {
  const picture = await generated();
  for (const name of ["-refined.png", "-refined-2.png"]) {
    const { stdout, stderr } = await refine(
      picture,
      ...withModel().filter((flag) => flag !== "--json"),
      "--iterations",
      "2",
    );
    expect(stdout).toMatch(/ {2}Shapes {2}-?\d\.\d{4} before, -?\d\.\d{4} after \([+-]\d\.\d{4}\)/);
    expect(stdout).toContain(picture.replace(".png", name));
    expect(stderr).toMatch(/step 1 of 1 {2}Shapes .* {2}norm \d+\.\d {2}[▁█]{2}/);
  }
});

test("a run that goes on from its trace ends as one that was never stopped", async () => {
  const flags = ["--prompt", prompt, "--seed", "5", ...withModel(), "--trace", "t.json"];
  const whole = jsonLines((await refine(...flags, "--iterations", "4", "--out", "whole.png")).stdout);
  await refine(...flags, "--iterations", "2", "--out", "part.png");
  const rest = jsonLines((await refine(...flags, "--iterations", "4", "--resume", "t.json", "--out", "b.png")).stdout);
  expect(rest.map(({ step }) => step)).toEqual([2, 3, undefined]);
  expect(rest[1].loss).toBeCloseTo(whole[3].loss, 4);
  expect(rest[2]).toMatchObject({ iterations: 4, best: whole[4].best });
  const over = await refine(...flags, "--iterations", "4", "--resume", "t.json");
  expect(over).toMatchObject({ code: 2, stderr: expect.stringContaining("t.json has 4 steps, and --iterations asks") });
});

test.each<[string, string[], string]>([
  ["prompt", ["--prompt", "a green circle"], `its prompt was "${prompt}" and is "a green circle" now`],
  ["seed", ["--seed", "6"], "its seed was 5 and is 6 now"],
  ["optimiser", ["--optimizer", "adam"], 'its optimizer was "sgd" and is "adam" now'],
  ["reward", ["--reward", "shapes=2"], 'its rewards was {"Shapes":1} and is {"Shapes":2} now'],
])("a trace of another %s is not gone on from", async (_, changed, message) => {
  const flags = ["--prompt", prompt, "--seed", "5", ...byModel(), "--iterations", "2", "--trace", "other.json"];
  await refine(...flags, "--reward", "shapes", "--out", "other.png");
  const reward = changed[0] === "--reward" ? [] : ["--reward", "shapes"];
  const { code, stderr } = await refine(...flags, "--iterations", "3", "--resume", "other.json", ...reward, ...changed);
  expect(code).toBe(2);
  expect(stderr).toContain(`The trace other.json is of another run: ${message}.`);
});

test("Ctrl-C ends it after the step in hand: the best so far and the trace are saved", async () => {
  const flags = ["--iterations", "500", "--trace", "t.json", "--out", "c.png"];
  const running = start(["refine", "--prompt", prompt, "--seed", "5", ...withModel(), ...flags], { cwd: folder });
  await running.says('"step":2');
  running.kill("SIGINT");
  const { code, stdout, stderr } = await running.ended;
  expect(code).toBe(1);
  expect(stderr).toContain("Stopping after this step; the best so far is saved.");
  const { steps, best } = JSON.parse(await readFile(join(folder, "t.json"), "utf8"));
  expect(steps.length).toBeLessThan(500);
  expect(jsonLines(stdout).at(-1)).toMatchObject({
    file: "c.png",
    stopped: "interrupted",
    best,
    iterations: steps.length,
  });
  expect((await readMetadata(join(folder, "c.png"))).settings).toMatchObject({ "ReNO best": best });
  expect(readLatents(await readFile(join(folder, "c.png")))!.shape).toEqual([1, 4, 8, 8]);
  expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test.each<[string, string[], RegExp]>([
  ["an unknown reward", ["a.png", "--reward", "imagrewad"], /no reward "imagrewad"; there are imagereward, shapes/],
  ["no iterations", ["a.png", "--iterations", "0"], /no whole number from 1/],
  ["a learning rate of 0", ["a.png", "--lr", "0"], /It is 0; a number above 0 was wanted/],
  ["a negative regulariser", ["a.png", "--reg", "-1"], /It is -1; a number from 0 on was wanted/],
  ["an unknown optimizer", ["a.png", "--optimizer", "lion"], /Allowed choices are sgd, adam, lbfgs/],
  ["a result that is no PNG", ["a.png", "--out", "a.jpg"], /give a name that ends in \.png/],
  ["neither picture nor prompt", [], /Neither a picture nor --prompt was given/],
])("wrong usage, %s, is told in a sentence with exit status 2", async (_, flags, message) => {
  const { code, stdout, stderr } = await refine(...flags);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(message);
});
