import { describe, expect, test } from "vitest";
import { RequestError } from "../../src/errors.ts";
import { arrange, noiseChannels, noiseSide } from "../../src/shapes/arrange.ts";
import { check } from "../../src/shapes/check.ts";
import { randomDescription } from "../../src/shapes/pairs.ts";
import { Random } from "../../src/shapes/random.ts";
import { render } from "../../src/shapes/render.ts";
import { parseSentence, sentence } from "../../src/shapes/scene.ts";

const area = noiseSide ** 2;
const noiseOf = (seed: number) => {
  const random = new Random(91, seed);
  return new Float32Array(noiseChannels * area).map(() => random.normal());
};
/** Noise raised in one channel by so much, everywhere or in one quarter. */
function raised(channel: number, by: number, quarter?: number): Float32Array {
  return noiseOf(1).map((x, at) => {
    const [row, column] = [Math.floor((at % area) / noiseSide), at % noiseSide];
    const place = 2 * Number(row >= noiseSide / 2) + Number(column >= noiseSide / 2);
    return Math.floor(at / area) === channel && (quarter ?? place) === place ? x + by : x;
  });
}

describe("arrange", () => {
  test("every sentence's scene is what the sentence says, for any noise", () => {
    for (let i = 0; i < 200; i++) {
      const description = randomDescription(new Random(92, i));
      const said = sentence(description);
      const { right, why } = check(render(arrange(description, noiseOf(i))), said);
      expect(right, `${said}: ${why}`).toBe(true);
    }
  });

  test("the noise alone decides: the same noise, the same scene; others, many others", () => {
    const description = parseSentence("a red circle and a blue square");
    expect(arrange(description, noiseOf(7))).toEqual(arrange(description, noiseOf(7)));
    const scenes = Array.from({ length: 40 }, (_, i) => arrange(description, noiseOf(i)));
    const corners = scenes.map(({ shapes }) => shapes.map(({ x, y }) => `${x > 32} ${y > 32}`).join());
    expect(new Set(corners).size).toBeGreaterThan(8); // of 12
    expect(new Set(scenes.map(({ ground }) => ground)).size).toBe(3);
  });

  test("a kind lies in the quarter where its channel is highest, the second where it may", () => {
    const circle = parseSentence("a red circle");
    const [lower] = arrange(circle, raised(0, 1, 2)).shapes;
    expect([lower!.x < 32, lower!.y > 32]).toEqual([true, true]);
    const both = parseSentence("a red circle left of a blue square");
    const [first, second] = arrange(both, raised(0, 1, 3)).shapes;
    expect(second!.x - first!.x).toBeGreaterThan(16); // the square's room on the right is taken by no wish of the circle's
    expect(Math.abs(second!.y - first!.y)).toBeLessThan(12.1);
  });

  test("a ground that is not said follows the last channel's level", () => {
    const circle = parseSentence("a red circle");
    expect(arrange(circle, raised(3, 1)).ground).toBe("white");
    expect(arrange(circle, raised(3, -1)).ground).toBe("black");
    expect(arrange(parseSentence("a red circle on gray"), raised(3, 1)).ground).toBe("gray");
  });

  test("a relation of several shapes has no room", () => {
    const description = parseSentence("two red circles left of a blue square");
    expect(() => arrange(description, noiseOf(1))).toThrow(RequestError);
    expect(() => arrange(description, noiseOf(1))).toThrow(/four quarters/);
  });
});
