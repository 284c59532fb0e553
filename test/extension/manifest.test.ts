import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { manifest, manifestSchema, root } from "../../src/extension/manifest.ts";
import { usualPort } from "../../src/server/start.ts";

const packageJson = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

test("the manifest says of Renoir what package.json says", () => {
  for (const key of ["version", "description", "license", "engines"] as const) {
    expect(manifest[key]).toEqual(packageJson[key]);
  }
  expect(manifest.entry).toBe(packageJson.bin.renoir);
  expect(manifest.server.address).toBe(`http://127.0.0.1:${usualPort}`);
});

test("the plugins travel with the package", () => {
  expect(packageJson.files).toContain("manifest.json");
  for (const { source } of manifest.hosts) {
    expect(packageJson.files.some((folder: string) => source.startsWith(folder))).toBe(true);
  }
});

test("the settings are in the order that hosts' APIs rely on", () => {
  expect(manifest.settings.map(({ key }) => key)).toEqual([
    "enabled",
    "rewards",
    "filter",
    "limit",
    "sort",
    "filtered",
    "address",
  ]);
});

test("a choice's default is among its choices, and a number's within its limits", () => {
  for (const setting of manifest.settings) {
    if (setting.type === "choice") expect(setting.choices.map(({ value }) => value)).toContain(setting.default);
    if (setting.type !== "number") continue;
    expect(setting.default).toBeGreaterThanOrEqual(setting.minimum);
    expect(setting.default).toBeLessThanOrEqual(setting.maximum);
  }
});

test("ids are told once, and of a family the host with more files comes first", () => {
  const ids = manifest.hosts.flatMap(({ variants }) => variants.map(({ id }) => id));
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.sort()).toEqual(["a1111", "comfyui", "forge", "forge-classic", "sdnext"]);
  for (const { variants } of manifest.hosts) {
    for (const [i, { signature }] of variants.entries()) {
      for (const later of variants.slice(i + 1)) {
        const hides = signature.every((file) => later.signature.includes(file));
        expect([later.id, hides]).toEqual([later.id, false]);
      }
    }
  }
});

test("what is misspelled in a manifest is found", () => {
  const broken = { ...manifest, hosts: [{ ...manifest.hosts[0], tagret: "x" }] };
  expect(manifestSchema.safeParse(broken).success).toBe(false);
});
