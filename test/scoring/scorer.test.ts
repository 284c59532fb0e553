import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import { RewardRegistry, type RewardSpec } from "../../src/scoring/registry.ts";
import { isScored, type Outcome, type Picture, type ScoreOptions, scoreAll } from "../../src/scoring/scorer.ts";
import { type Brightness, brightness, grey } from "./brightness.ts";

const greys = (values: number[], prompt: string | undefined = "bright"): Picture[] =>
  values.map((value, index) => ({ file: `${index}.png`, source: grey(value), prompt }));

function setUp(options: Partial<ScoreOptions<Picture>> = {}) {
  const loads: Brightness[] = [];
  const registry = new RewardRegistry<Brightness>({
    load: async ({ name, dtype }: RewardSpec) => {
      if (name === "missing") throw new Error("no such checkpoint");
      loads.push(brightness(name, dtype));
      return loads.at(-1)!;
    },
  });
  const all: ScoreOptions<Picture> = {
    rewards: [{ spec: { name: "Brightness" }, weight: 1 }],
    registry,
    ...options,
  };
  return { loads, registry, score: (pictures: Iterable<Picture>) => scoreAll(pictures, all) };
}

async function collect(outcomes: AsyncIterable<Outcome>): Promise<Outcome[]> {
  const all: Outcome[] = [];
  for await (const outcome of outcomes) all.push(outcome);
  return all;
}

/** The total, or the error's code. */
const summary = (outcome: Outcome) => (isScored(outcome) ? Number(outcome.total.toFixed(3)) : outcome.error.code);

test("pictures are scored in batches and come back in their order", async () => {
  const { loads, score } = setUp();
  const outcomes = await collect(score(greys([0, 255, 51, 102, 153, 204])));
  expect(outcomes.map(summary)).toEqual([0, 1, 0.2, 0.4, 0.6, 0.8]);
  expect(loads[0]!.calls).toEqual([
    { prompt: "bright", pictures: 4 },
    { prompt: "bright", pictures: 2 },
  ]);
});

test("each picture is scored by its own prompt", async () => {
  const { loads, score } = setUp({ promptOf: async ({ file }) => (file === "1.png" ? " dark \n" : "bright") });
  const pictures = [51, 204].map((value, index) => ({ file: `${index}.png`, source: grey(value) }));
  expect((await collect(score(pictures))).map(summary)).toEqual([0.2, 0.2]);
  expect(loads[0]!.calls[0]!.prompt).toEqual(["bright", " dark \n"]);
});

test("several rewards make a weighted total, and keep their own scores", async () => {
  const rewards = [
    { spec: { name: "One" }, weight: 1 },
    { spec: { name: "Two" }, weight: -0.5 },
  ];
  const [outcome] = await collect(setUp({ rewards }).score(greys([255])));
  expect(outcome).toMatchObject({ scores: { One: 1, Two: 1 }, total: 0.5, approximate: false });
});

test("a picture that can not be decoded fails alone", async () => {
  const pictures = greys([0, 1, 255]);
  pictures[1] = { ...pictures[1]!, source: Buffer.from("not a picture") };
  expect((await collect(setUp().score(pictures))).map(summary)).toEqual([0, "image", 1]);
});

test("a file that is not there is an error that names it", async () => {
  const [outcome] = await collect(setUp().score([{ file: "/no/such/cat.png", prompt: "bright" }]));
  expect((outcome as { error: Error }).error.message).toContain("/no/such/cat.png");
});

test("a picture that the reward refuses does not spoil its batch", async () => {
  const pictures = greys([0, 1, 255]);
  pictures[1] = { ...pictures[1]!, source: grey(1, 9) };
  const { loads, score } = setUp();
  expect((await collect(score(pictures))).map(summary)).toEqual([0, "image", 1]);
  expect(loads.length).toBe(1);
});

test("a picture without a prompt is an error that says what to do", async () => {
  const [outcome] = await collect(setUp().score([{ file: "x.png", source: grey(0) }]));
  expect(outcome).toMatchObject({ error: { code: "request", hint: expect.stringContaining("--prompt") } });
  expect((outcome as { error: Error }).error.message).toContain("x.png");
});

test("a score that is no number is an error of that picture", async () => {
  const [outcome] = await collect(setUp().score([{ file: "0.png", source: grey(1, 5), prompt: "bright" }]));
  expect(outcome).toMatchObject({ error: { message: "Brightness gave 0.png the score NaN; wanted is a number." } });
});

test("nothing is loaded when no picture can be scored", async () => {
  const { loads, score } = setUp();
  const pictures = ["a", "b"].map((file) => ({ file, source: Buffer.from("damaged"), prompt: "bright" }));
  expect((await collect(score(pictures))).map(summary)).toEqual(["image", "image"]);
  expect(loads.length).toBe(0);
});

test("a reward that can not be loaded stops the run and holds on to nothing", async () => {
  const rewards = ["Brightness", "missing"].map((name) => ({ spec: { name }, weight: 1 }));
  const { registry, score } = setUp({ rewards });
  await expect(collect(score(greys([0])))).rejects.toThrow("no such checkpoint");
  expect(registry.loaded()).toMatchObject([{ spec: { name: "Brightness" }, users: 0 }]);
});

test("int8 scores are called approximate", async () => {
  const rewards = [{ spec: { name: "Brightness", dtype: "int8" }, weight: 1 }];
  expect(await collect(setUp({ rewards }).score(greys([0])))).toMatchObject([{ approximate: true }]);
});

test("of ten thousand pictures only a few are in hand at a time", async () => {
  let begun = 0;
  let scored = 0;
  let most = 0;
  function* pictures(): Generator<Picture> {
    for (begun = 1; begun <= 10_000; begun += 1) {
      most = Math.max(most, begun - scored);
      yield { file: `${begun}.png`, source: grey(begun % 256), prompt: "bright" };
    }
  }
  for await (const outcome of setUp().score(pictures())) scored += isScored(outcome) ? 1 : 0;
  expect(scored).toBe(10_000);
  expect(most).toBeLessThanOrEqual(12);
});

test("the next pictures are made ready while the reward works", async () => {
  const { registry, score } = setUp();
  let ready = 0;
  let during = 0;
  await registry.use({ name: "Brightness" }, async (reward) => {
    const plain = { score: reward.score, prepare: reward.prepare };
    reward.prepare = async (image) => {
      ready += 1;
      return plain.prepare(image);
    };
    reward.score = async (prompt, images) => {
      await wait(20);
      during ||= ready;
      return plain.score(prompt, images);
    };
  });
  await collect(score(greys(Array(12).fill(7))));
  expect(during).toBeGreaterThan(4);
});

test("an aborted run ends after the batch in hand and lets go of its rewards", async () => {
  const stop = new AbortController();
  const { registry, score } = setUp({ signal: stop.signal });
  let seen = 0;
  for await (const _ of score(greys(Array(100).fill(9)))) {
    seen += 1;
    stop.abort();
  }
  expect(seen).toBe(4);
  expect(registry.loaded()).toMatchObject([{ users: 0 }]);
});
