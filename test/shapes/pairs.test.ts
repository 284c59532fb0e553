import { describe, expect, test } from "vitest";
import { editNames, edits, paintedGroup, randomDescription, randomGroup } from "../../src/shapes/pairs.ts";
import { Random } from "../../src/shapes/random.ts";
import { type Pixels, render } from "../../src/shapes/render.ts";
import { colourNames, parseSentence, place, sentence, shapeNames } from "../../src/shapes/scene.ts";
import { splitOf, unseenCombinations } from "../../src/shapes/splits.ts";
import { longestSentence, tokenIds, vocabulary, vocabularyFile } from "../../src/shapes/vocabulary.ts";

const many = (count: number, seed: number) =>
  Array.from({ length: count }, (_, i) => randomDescription(new Random(seed, i)));

describe("pairs", () => {
  test.each(editNames)("an edit of %s says something else", (kind) => {
    const random = new Random(21);
    const changed = many(200, 22).flatMap((description) => {
      const other = edits[kind](description, random);
      return other ? [[sentence(description), sentence(other)]] : [];
    });
    expect(changed.length).toBeGreaterThan(10);
    for (const [before, after] of changed) expect(after).not.toBe(before);
  });

  test("a group comes again from its seed, and differs under another", () => {
    const group = (seed: number) => randomGroup(new Random(seed), { splits: ["training"] });
    expect(group(5)).toEqual(group(5));
    expect(group(5)).not.toEqual(group(6));
  });

  test("a painted picture is worse than its scene's by what it lacks, and as good where it lacks nothing", () => {
    const description = parseSentence("a red circle left of a green square on white");
    const scene = place(description, new Random(27));
    const ideal = render(scene);
    const group = (pixels: Pixels) => paintedGroup({ description, scene, pixels, ideal }, new Random(28));
    const said = (pixels: Pixels) =>
      group(pixels).preferences.filter(({ better, worse }) => [better.picture, worse.picture].includes(3));

    const whole = said(ideal);
    expect(whole.at(-1)).toMatchObject({ kind: "painted", weight: 0 });
    expect(whole.length).toBeGreaterThan(1);
    for (const { better } of whole.slice(0, -1)) expect(better).toEqual({ picture: 3, sentence: 0 });
    expect(group(ideal).scenes[3]).toBe(scene);

    const without = render({ ...scene, shapes: scene.shapes.slice(1) });
    expect(said(without)).toEqual([
      { better: { picture: 0, sentence: 0 }, worse: { picture: 3, sentence: 0 }, kind: "painted", weight: 6 },
    ]);
    expect(group(without).scenes[3]).toBeUndefined();
    expect(group(without).pictures[3]).toBe(without);

    const [shape, ...others] = scene.shapes;
    const moved = render({ ...scene, shapes: [{ ...shape!, x: shape!.x + 0.75 }, ...others] });
    const { weight } = said(moved).at(-1)!;
    expect(weight).toBeGreaterThan(0);
    expect(weight).toBeLessThan(5);
  });

  test("every kind of edit and damage occurs, in both directions where there are two", () => {
    const preferences = Array.from({ length: 150 }, (_, i) =>
      randomGroup(new Random(23, i), { splits: ["training"] }),
    ).flatMap((group) => group.preferences);
    const kinds = new Set(preferences.map(({ kind }) => kind));
    expect([...kinds].sort()).toEqual([...editNames, "blur", "cut off", "ghost", "mixed", "noise"].sort());
    expect(preferences.some(({ better, worse }) => better.picture === worse.picture)).toBe(true);
    expect(preferences.some(({ better, worse }) => better.sentence === worse.sentence)).toBe(true);
  });
});

describe("splits", () => {
  test("training sees no kept-back combination and no kept-back pairing", () => {
    for (let i = 0; i < 200; i++) {
      const { sentences } = randomGroup(new Random(24, i), { splits: ["training"] });
      for (const text of sentences) expect(splitOf(parseSentence(text)), text).toBe("training");
    }
  });

  test("but it sees every colour and every shape", () => {
    const seen = many(400, 25).filter((description) => splitOf(description) === "training");
    const items = seen.flatMap((description) => description.items);
    expect(new Set(items.map(({ colour }) => colour)).size).toBe(colourNames.length);
    expect(new Set(items.map(({ shape }) => shape)).size).toBe(shapeNames.length);
  });

  test("the order, number, size and relation of the items do not matter", () => {
    const twins = [
      ["a red circle and a blue square", "two small blue squares and a large red circle on black"],
      ["a cyan cross above a green square", "a green square left of a cyan cross"],
    ];
    for (const [a, b] of twins) expect(splitOf(parseSentence(a!))).toBe(splitOf(parseSentence(b!)));
  });

  test("about one pair in eight is kept back, and three combinations", () => {
    const pairs = many(4000, 26).filter(({ items }) => items.length > 1);
    const splits = pairs.map(splitOf).filter((split) => split !== "unseen combination");
    const share = splits.filter((split) => split === "unseen pairing").length / splits.length;
    expect(share).toBeGreaterThan(0.07);
    expect(share).toBeLessThan(0.2);
    for (const [colour, shape] of unseenCombinations)
      expect(splitOf(parseSentence(`a ${colour} ${shape}`))).toBe("unseen combination");
  });
});

describe("the vocabulary", () => {
  test("is BERT's form: special tokens first, a token a line, none twice", () => {
    expect(vocabulary.slice(0, 5)).toEqual(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]);
    expect(new Set(vocabulary).size).toBe(vocabulary.length);
    expect(vocabularyFile()).toBe(`${vocabulary.join("\n")}\n`);
  });

  test("knows every word of every sentence", () => {
    for (const description of many(500, 27)) {
      const ids = tokenIds(sentence(description));
      expect(ids).not.toContain(1);
      expect(ids.length).toBeLessThanOrEqual(longestSentence);
    }
  });

  test("an unknown word is [UNK]", () => {
    expect(tokenIds("a castle").map((id) => vocabulary[id])).toEqual(["[CLS]", "a", "[UNK]", "[SEP]"]);
  });
});
