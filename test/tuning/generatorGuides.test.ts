import { describe, expect, test } from "vitest";
import { compile, input } from "../../src/graph/index.ts";
import { parseSentence, type Scene } from "../../src/shapes/scene.ts";
import {
  guideShapes,
  layingLoss,
  layingTargets,
  readingLoss,
  readingTargets,
} from "../../src/tuning/generatorGuides.ts";
import { Weights } from "../../src/weights/weights.ts";

const [textWidth, unetWidth] = [4, 8];
const shapes = guideShapes(textWidth, unetWidth);
const zeros = Object.fromEntries(
  Object.entries(shapes).map(([name, shape]) => [name, new Float32Array(shape.reduce((a, b) => a * b))]),
);
const guides = Weights.fromInputs(shapes).in("guides");
const classes = (name: string) => shapes[`guides.${name}.bias`]![0]!;
const sum = (list: Float32Array) => list.reduce((a, b) => a + b, 0);

const description = parseSentence("two small red circles and a blue cross on gray");
const scene: Scene = {
  ground: "gray",
  shapes: [
    { shape: "circle", colour: "red", x: 40, y: 20, radius: 6 },
    { shape: "cross", colour: "blue", x: 20, y: 50, radius: 8 },
  ],
};

/** The loss of weights that know nothing but a bias. */
async function lossOf(kind: "reading" | "laying", bias: Float32Array): Promise<number> {
  const loss =
    kind === "reading"
      ? readingLoss(guides, input("states", [1, 3, textWidth]))
      : layingLoss(guides, input("states", [1, unetWidth, 4, 4]));
  const session = await compile({ loss }, { provider: "cpu", threads: 1 });
  const states = new Float32Array(kind === "reading" ? 3 * textWidth : unetWidth * 16);
  const feeds = { states, said: readingTargets([description]), laid: layingTargets([scene]) };
  const outputs = await session.run({ ...zeros, [`guides.${kind}.bias`]: bias, ...feeds });
  await session.release();
  return outputs.loss![0]!;
}

describe("reading", () => {
  test("a sentence answers each question once: four of each of three items, the relation, the ground", () => {
    const said = readingTargets([description, parseSentence("a red circle")]);
    expect(said).toHaveLength(2 * classes("reading"));
    expect(sum(said)).toBe(2 * 14);
    expect(said.slice(0, 7)).toEqual(Float32Array.of(0, 1, 0, 0, 0, 0, 0)); // the first is red, not "nothing"
    expect(said.slice(7 + 5 + 3, 7 + 5 + 3 + 4)).toEqual(Float32Array.of(0, 0, 1, 0)); // there are two
  });

  test("who knows nothing loses the mean entropy, who is sure of the truth next to nothing", async () => {
    const entropies = [7, 5, 3, 4, 7, 5, 3, 4, 7, 5, 3, 4, 5, 4].map(Math.log);
    const mean = entropies.reduce((a, b) => a + b) / entropies.length;
    expect(await lossOf("reading", new Float32Array(classes("reading")))).toBeCloseTo(mean, 5);
    const sure = readingTargets([description]).map((x) => 20 * x);
    expect(await lossOf("reading", sure)).toBeLessThan(1e-6);
  });
});

describe("laying", () => {
  test("each quarter has a colour and a shape, or nothing twice", () => {
    const laid = layingTargets([scene]);
    const size = classes("laying");
    expect(laid).toHaveLength(4 * size);
    const found = [0, 1, 2, 3].map((q) =>
      [...laid.slice(q * size, (q + 1) * size).keys()].filter((i) => laid[q * size + i]),
    );
    expect(found).toEqual([
      [0, 7],
      [1, 8], // right above: red, circle
      [3, 11], // left below: blue, cross
      [0, 7],
    ]);
  });

  test("who knows nothing loses the mean entropy of colours and shapes", async () => {
    const bias = new Float32Array(classes("laying"));
    expect(await lossOf("laying", bias)).toBeCloseTo((Math.log(7) + Math.log(5)) / 2, 5);
  });
});
