import { describe, expect, test } from "vitest";
import { check, see } from "../../src/shapes/check.ts";
import { damages, randomDescription, randomGroup } from "../../src/shapes/pairs.ts";
import { Random } from "../../src/shapes/random.ts";
import { addNoise, render } from "../../src/shapes/render.ts";
import { outlines, type Placed, parseSentence, place, type Scene, sentence, side } from "../../src/shapes/scene.ts";

const pictureOf = (text: string, random: Random) => render(place(parseSentence(text), random));

describe("rendering", () => {
  test("a square's edge at half a pixel is half the ground, half the colour", () => {
    const pixels = render({
      ground: "white",
      shapes: [{ shape: "square", colour: "blue", x: 32, y: 32, radius: 10.5 }],
    });
    const at = (x: number, y: number) => [...pixels.subarray(3 * (y * side + x), 3 * (y * side + x) + 3)];
    expect(at(32, 32)).toEqual([40, 70, 220]);
    expect(at(20, 32)).toEqual([255, 255, 255]);
    expect(at(21, 32)).toEqual([148, 163, 238]); // halfway, rounded
  });

  test.each([
    ["circle", Math.PI * 100],
    ["square", 400],
    ["triangle", 200],
    ["cross", (400 * 5) / 9],
  ] as const)("a %s covers its area", (shape, area) => {
    const pixels = render({ ground: "black", shapes: [{ shape, colour: "yellow", x: 31.3, y: 32.8, radius: 10 }] });
    let red = 0;
    for (let i = 0; i < pixels.length; i += 3) red += pixels[i]!;
    expect(Math.abs(red / 245 - area)).toBeLessThan(0.02 * area);
  });
});

describe("the checker", () => {
  test("finds what was drawn, where it was drawn, from the pixels alone", () => {
    const shapes: Placed[] = [
      { shape: "triangle", colour: "cyan", x: 15, y: 18, radius: 9 },
      { shape: "cross", colour: "purple", x: 44, y: 40, radius: 13 },
    ];
    const { ground, found } = see(render({ ground: "gray", shapes }));
    expect(ground).toBe("gray");
    expect(found).toHaveLength(2);
    for (const [i, { shape, colour, x, y, radius }] of shapes.entries()) {
      expect(found[i]).toMatchObject({ shape, colour });
      expect(Math.abs(found[i]!.x - x) + Math.abs(found[i]!.y - y) + Math.abs(found[i]!.radius - radius)).toBeLessThan(
        2,
      );
    }
  });

  test("calls 300 pictures right under their own sentences", () => {
    const random = new Random(11);
    for (let i = 0; i < 300; i++) {
      const description = randomDescription(random);
      const text = sentence(description);
      expect(check(render(place(description, random)), text).why, text).toMatch(/^everything/);
    }
  });

  test("bears mild noise, as generators leave it", () => {
    const random = new Random(12);
    const right = Array.from({ length: 100 }, () => {
      const description = randomDescription(random);
      return check(addNoise(render(place(description, random)), 10, random), sentence(description)).right;
    });
    expect(right.filter(Boolean).length).toBeGreaterThanOrEqual(98);
  });

  test("calls no picture right under a sentence that contradicts it", () => {
    let wrongly = 0;
    for (let i = 0; i < 60; i++) {
      const { pictures, sentences, preferences } = randomGroup(new Random(13, i), { splits: ["training"] });
      for (const { worse, kind } of preferences)
        if (!(kind in damages) && check(pictures[worse.picture]!, sentences[worse.sentence]!).right) wrongly++;
    }
    expect(wrongly).toBe(0);
  });

  test("says what is wrong", () => {
    const picture = pictureOf("a red circle left of a blue square on white", new Random(14));
    expect(check(picture, "a red circle right of a blue square").why).toBe(
      "the red circle is not right of the blue square",
    );
    expect(check(picture, "a red circle").why).toBe("found a blue square that the sentence does not name");
    expect(check(picture, "a red square and a blue square").right).toBe(false);
    expect(check(picture, "a red circle left of a blue square").right).toBe(true);
  });

  test("a shape cut off by the edge is no whole shape", () => {
    let accepted = 0;
    for (let i = 0; i < 100; i++) {
      const random = new Random(15, i);
      const description = randomDescription(random);
      const picture = damages["cut off"](place(description, random), random);
      if (check(picture, sentence(description)).right) accepted++;
    }
    expect(accepted).toBe(0);
  });

  test("an empty picture has nothing in it", () => {
    expect(see(new Uint8Array(side * side * 3))).toEqual({ ground: "black", found: [] });
    expect(check(new Uint8Array(side * side * 3), "a red circle").why).toBe("wanted a red circle, found none");
  });

  test("a merged blob is none of the shapes", () => {
    const blob: Scene = {
      ground: "white",
      shapes: [
        { shape: "square", colour: "red", x: 20, y: 20, radius: 8 },
        { shape: "circle", colour: "red", x: 32, y: 30, radius: 8 },
      ],
    };
    expect(check(render(blob), "a red square").why).toMatch(/no whole shape/);
  });

  test("outlines fill their squares to the edges", () => {
    for (const inside of Object.values(outlines)) {
      const points = Array.from({ length: 201 }, (_, i) => i / 100 - 1);
      expect(points.some((x) => inside(x, 1) || inside(x, 0.99))).toBe(true);
      expect(points.some((y) => inside(-0.99, y))).toBe(true);
    }
  });
});
