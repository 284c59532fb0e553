import { expect, test } from "vitest";
import { readSettings, settingsList } from "../../src/extension/settings.ts";

const defaults = { enabled: false, rewards: "", filter: false, limit: 0, sort: true, filtered: "keep", address: "" };

test("nothing given is the manifest's defaults, and others' where there are some", () => {
  expect(readSettings([])).toEqual(defaults);
  expect(readSettings({}, { enabled: true, limit: 0.5 })).toEqual({ ...defaults, enabled: true, limit: 0.5 });
});

test("by place and by key mean the same, with null for what is left out", () => {
  const wanted = { ...defaults, enabled: true, filter: true, limit: -0.5 };
  expect(readSettings([true, null, true, -0.5])).toEqual(wanted);
  expect(readSettings({ limit: -0.5, filter: true, enabled: true, unknown: 1 })).toEqual(wanted);
  expect(settingsList(wanted)).toEqual([true, "", true, -0.5, true, "keep", ""]);
});

test("what programs write instead is understood: numbers as text, words for truth, a choice by its label", () => {
  const given = ["yes", " shapes ", "false", "1.25", 0, "move to rejected/"];
  expect(readSettings(given)).toEqual({
    ...defaults,
    enabled: true,
    rewards: "shapes",
    limit: 1.25,
    sort: false,
    filtered: "reject",
  });
});

test("what makes no sense is as if it were not given, and a number stays within its limits", () => {
  expect(readSettings({ limit: "low", filtered: "burn" })).toEqual(defaults);
  expect(readSettings({ limit: "" }).limit).toBe(0);
  expect([readSettings({ limit: 1e9 }).limit, readSettings({ limit: -1e9 }).limit]).toEqual([100, -100]);
});
