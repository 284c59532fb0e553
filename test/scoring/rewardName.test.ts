import { expect, test } from "vitest";
import { parseRewardName, parseRewardNames, sameCheckpoint } from "../../src/scoring/rewardName.ts";

test("a reward is a name, and may have a weight and a path", () => {
  expect(parseRewardName("ImageReward")).toEqual({ name: "imagereward", weight: 1 });
  expect(parseRewardName("imagereward=-0.5")).toEqual({ name: "imagereward", weight: -0.5 });
  expect(parseRewardName("clip@a=b@c.pt")).toEqual({ name: "clip", weight: 1, path: "a=b@c.pt" });
  expect(parseRewardName("clip=2@C:\\models\\clip.pt")).toEqual({
    name: "clip",
    weight: 2,
    path: "C:\\models\\clip.pt",
  });
});

test.each([
  ["", /has no name/],
  ["image reward", /the name "image reward"/],
  ["clip=", /the weight ""/],
  ["clip=much", /the weight "much"/],
  ["clip=0", /the weight "0"/],
  ["clip@", /ends with "@"/],
])("%j is refused", (text, message) => {
  expect(() => parseRewardName(text)).toThrow(message);
});

test("a reward given twice is refused, unless by two checkpoints where that is asked", () => {
  expect(parseRewardNames(["clip@a", "clip=2@b"], sameCheckpoint)).toMatchObject([{ path: "a" }, { path: "b" }]);
  expect(() => parseRewardNames(["clip@a", "clip=2@a"], sameCheckpoint)).toThrow(/"clip" is given twice/);
  expect(() => parseRewardNames(["clip", "imagereward", "CLIP=2"])).toThrow(/"clip" is given twice/);
});
