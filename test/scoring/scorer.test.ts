import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import { ImageError } from "../../src/errors.ts";
import { RewardRegistry, type RewardSpec } from "../../src/scoring/registry.ts";
import { isScored, type Outcome, type Picture, type ScoreOptions, scoreAll } from "../../src/scoring/scorer.ts";
import { type Brightness, brightness, grey } from "./brightness.ts";

interface Grey extends Picture {
  readonly value: number;
}

const greys = (values: number[], prompt: string | undefined = "bright"): Grey[] =>
  values.map((value, index) => ({ file: `${index}.png`, value, prompt }));

function setUp(options: Partial<ScoreOptions<Grey>> = {}) {
  const loads: Brightness[] = [];
  const registry = new RewardRegistry<Brightness>({
    load: async ({ name, dtype }: RewardSpec) => {
      if (name === "missing") throw new Error("no such checkpoint");
      loads.push(brightness(name, dtype));
      return loads.at(-1)!;
    },
  });
  const all: ScoreOptions<Grey> = {
    rewards: [{ spec: { name: "Brightness" }, weight: 1 }],
    registry,
    decode: async ({ value }) => grey(value),
    ...options,
  };
  return { loads, registry, score: (pictures: Iterable<Grey>) => scoreAll(pictures, all) };
}

async function collect(outcomes: AsyncIterable<Outcome<Grey>>): Promise<Outcome<Grey>[]> {
  const all: Outcome<Grey>[] = [];
  for await (const outcome of outcomes) all.push(outcome);
  return all;
}

/** The total, or the error's code. */
const summary = (outcome: Outcome<Grey>) => (isScored(outcome) ? Number(outcome.total.toFixed(3)) : outcome.error.code);

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
  const { loads, score } = setUp({ promptOf: async ({ value }) => (value > 100 ? " dark \n" : "bright") });
  const pictures = [51, 204].map((value, index) => ({ file: `${index}.png`, value }));
  expect((await collect(score(pictures))).map(summary)).toEqual([0.2, 0.2]);
  expect(loads[0]!.calls[0]!.prompt).toEqual(["bright", "dark"]);
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
  const decode = async ({ value, file }: Grey) => {
    if (value === 1) throw new ImageError(`${file} is damaged.`);
    return grey(value);
  };
  expect((await collect(setUp({ decode }).score(greys([0, 1, 255])))).map(summary)).toEqual([0, "image", 1]);
});

test("a picture that the reward refuses does not spoil its batch", async () => {
  const decode = async ({ value }: Grey) => (value === 1 ? { ...grey(1), width: 9 } : grey(value));
  const { loads, score } = setUp({ decode });
  expect((await collect(score(greys([0, 1, 255])))).map(summary)).toEqual([0, "image", 1]);
  expect(loads.length).toBe(1);
});

test("a picture without a prompt is an error that says what to do", async () => {
  const [outcome] = await collect(setUp().score([{ file: "x.png", value: 0 }]));
  expect(outcome).toMatchObject({ error: { code: "request", hint: expect.stringContaining("--prompt") } });
  expect((outcome as { error: Error }).error.message).toContain("x.png");
});

test("a score that is no number is an error of that picture", async () => {
  const decode = async () => ({ data: new Uint8Array(0), width: 0, height: 0, channels: 3 }); // mean of nothing: 0 / 0
  const [outcome] = await collect(setUp({ decode }).score(greys([0])));
  expect(outcome).toMatchObject({ error: { message: "Brightness gave 0.png the score NaN; wanted is a number." } });
});

test("nothing is loaded when no picture can be scored", async () => {
  const { loads, score } = setUp({ decode: () => Promise.reject(new ImageError("damaged")) });
  expect((await collect(score(greys([0, 1])))).map(summary)).toEqual(["image", "image"]);
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

test("of ten thousand pictures only a few are decoded at a time", async () => {
  let decoded = 0;
  let scored = 0;
  let most = 0;
  const decode = async ({ value }: Grey) => {
    decoded += 1;
    most = Math.max(most, decoded - scored);
    return grey(value);
  };
  const values = Array.from({ length: 10_000 }, (_, index) => index % 256);
  for await (const outcome of setUp({ decode }).score(greys(values))) scored += isScored(outcome) ? 1 : 0;
  expect(scored).toBe(10_000);
  expect(most).toBeLessThanOrEqual(16);
});

test("the next pictures are decoded while the reward works", async () => {
  let decoded = 0;
  const { registry, score } = setUp({
    decode: async ({ value }) => {
      decoded += 1;
      return grey(value);
    },
  });
  let during = 0;
  await registry.use({ name: "Brightness" }, async (reward) => {
    const plain = reward.score.bind(reward);
    reward.score = async (prompt, images) => {
      await wait(20);
      during ||= decoded;
      return plain(prompt, images);
    };
  });
  await collect(score(greys(Array(12).fill(7))));
  expect(during).toBeGreaterThan(4);
});

test("large pictures are not piled up", async () => {
  let decoded = 0;
  let most = 0;
  let scored = 0;
  const decode = async () => {
    decoded += 1;
    most = Math.max(most, decoded - scored);
    return { data: new Uint8Array(200 * 2 ** 20), width: 0, height: 0, channels: 3 };
  };
  const { score } = setUp({ decode, batchSize: 2 });
  for await (const _ of score(greys(Array(8).fill(0)))) scored += 1;
  expect(most).toBeLessThanOrEqual(5);
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
