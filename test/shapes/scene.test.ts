import { describe, expect, test } from "vitest";
import { RequestError } from "../../src/errors.ts";
import { randomDescription } from "../../src/shapes/pairs.ts";
import { Random } from "../../src/shapes/random.ts";
import { contradiction, parseSentence, place, type Scene, sentence } from "../../src/shapes/scene.ts";

describe("sentences", () => {
  test("a sentence says items, relation and ground", () => {
    expect(parseSentence("a small red circle left of a blue square and a green cross on white")).toEqual({
      items: [
        { count: 1, size: "small", colour: "red", shape: "circle" },
        { count: 1, size: undefined, colour: "blue", shape: "square" },
        { count: 1, size: undefined, colour: "green", shape: "cross" },
      ],
      relation: "left of",
      ground: "white",
    });
  });

  test("counts have plurals", () => {
    expect(parseSentence("two red crosses").items).toEqual([
      { count: 2, size: undefined, colour: "red", shape: "cross" },
    ]);
  });

  test.each([
    ["One red circle to the left of a blue square.", "a red circle left of a blue square"],
    ["a red circle on a grey background", "a red circle on gray"],
    ["  A RED circle,  a blue square and a cyan cross", "a red circle, a blue square and a cyan cross"],
  ])("%s means %s", (said, meant) => {
    expect(sentence(parseSentence(said))).toBe(meant);
  });

  test("every description survives being said and understood", () => {
    const random = new Random(3);
    for (let i = 0; i < 500; i++) {
      const said = sentence(randomDescription(random));
      expect(sentence(parseSentence(said))).toBe(said);
    }
  });

  test.each([
    "a castle at dawn",
    "two red circle",
    "a red circles",
    "four red circles",
    "a red circle and a blue square left of a green cross",
    "",
  ])("%j is refused with an example", (text) => {
    expect(() => parseSentence(text)).toThrow(RequestError);
  });
});

describe("contradictions", () => {
  const scene: Scene = {
    ground: "white",
    shapes: [
      { shape: "circle", colour: "red", x: 16, y: 30, radius: 6 },
      { shape: "square", colour: "blue", x: 46, y: 34, radius: 12 },
    ],
  };
  const says = (text: string) => contradiction(parseSentence(text), scene);

  test.each([
    "a red circle and a blue square",
    "a blue square and a red circle on white",
    "a small red circle left of a large blue square",
    "a blue square right of a red circle",
  ])("%s is true", (text) => expect(says(text)).toBeUndefined());

  test.each([
    ["a red circle", "found a blue square that the sentence does not name"],
    ["a green circle and a blue square", "wanted a green circle, found none"],
    ["two red circles and a blue square", "wanted two red circles, found 1"],
    ["a large red circle and a blue square", "wanted a large red circle, found one 12 pixels wide"],
    ["a red circle right of a blue square", "the red circle is not right of the blue square"],
    ["a red circle above a blue square", "the red circle is not above the blue square"],
    ["a red circle and a blue square on black", "wanted a black ground, found white"],
  ])("%s is not: %s", (text, why) => expect(says(text)).toBe(why));

  test("every placed scene fits its own description", () => {
    const random = new Random(4);
    for (let i = 0; i < 300; i++) {
      const description = randomDescription(random);
      expect(contradiction(description, place(description, random)), sentence(description)).toBeUndefined();
    }
  });
});
