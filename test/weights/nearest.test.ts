import { expect, test } from "vitest";
import { list, nearest } from "../../src/weights/nearest.ts";

const blip = [0, 1, 10].flatMap((block) =>
  ["attn.proj.weight", "attn.qkv.weight", "attn.qkv.bias", "mlp.fc1.weight", "norm1.weight"].map(
    (rest) => `blip.visual_encoder.blocks.${block}.${rest}`,
  ),
);

test("the nearest names are the ones of the same place", () => {
  expect(nearest("blip.visual_encoder.blocks.0.attn.in_proj.weight", blip)).toEqual([
    "blip.visual_encoder.blocks.0.attn.proj.weight",
    "blip.visual_encoder.blocks.0.attn.qkv.weight",
  ]);
});

test("block 1 is no nearer to block 10 than to block 2", () => {
  expect(nearest("blocks.1.weight", ["blocks.10.weight", "blocks.2.weight", "blocks.1.weigth"], 3)).toEqual([
    "blocks.1.weigth",
    "blocks.10.weight",
    "blocks.2.weight",
  ]);
});

test("a missing prefix costs no more than its segments", () => {
  expect(nearest("visual.proj", ["visual.ln_post.weight", "model.visual.proj"], 1)).toEqual(["model.visual.proj"]);
});

test("no names at all", () => {
  expect(nearest("a", [])).toEqual([]);
});

test("names are listed as a sentence has them", () => {
  expect(list([])).toBe("none");
  expect(list(["a"])).toBe('"a"');
  expect(list(["a", "b"])).toBe('"a" and "b"');
  expect(list(["a", "b", "c"])).toBe('"a", "b" and "c"');
});
