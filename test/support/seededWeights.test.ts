import { expect, test } from "vitest";
import fixture from "../models/fixtures/imageReward.json" with { type: "json" };
import { seededNormal, seededPicture, seededUniform, seededWeight, stream } from "./seededWeights.ts";

const wanted = fixture.seeded;

test("the generator gives the reference's integers", () => {
  const word = stream("renoir");
  expect([0, 1, 2, 3].map(word)).toEqual(wanted.words);
});

test("normal and uniform numbers are the reference's to the last bit", () => {
  expect(Array.from(seededNormal("renoir", [6], 0.5, 2))).toEqual(wanted.normal);
  expect(Array.from(seededUniform("renoir", [4], -1, 1))).toEqual(wanted.uniform);
});

test("a picture has the reference's bytes", () => {
  expect(Array.from(seededPicture("renoir", 3, 2))).toEqual(wanted.picture);
});

test("a checkpoint's tensor has the reference's values", () => {
  const tensor = seededWeight("blip.visual_encoder.blocks.0.attn.qkv.weight", [192, 64]);
  expect(Array.from(tensor.slice(100 * 64 + 3, 100 * 64 + 7))).toEqual(wanted.weight);
});
