import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { gatherPictures } from "../../src/cli/files.ts";
import { freshFolder } from "./command.ts";

let folder: string;

beforeEach(async () => {
  folder = await freshFolder();
  for (const inner of ["b", "b/c", ".hidden", "rejected"]) await mkdir(join(folder, inner));
  const names = ["10.png", "2.PNG", "1.txt", ".x.png", "b/a.jpg", "b/c/d.webp", ".hidden/h.png", "rejected/r.png"];
  for (const name of names) await writeFile(join(folder, name), "");
});
afterEach(() => rm(folder, { recursive: true }));

const gather = async (paths: string[], options = {}) => {
  const found = await gatherPictures(
    paths.map((path) => join(folder, path)),
    options,
  );
  return { ...found, names: found.files.map((file) => relative(folder, file).replaceAll("\\", "/")) };
};

test("a folder gives its own pictures, in the order people count, and says that there are more below", async () => {
  const { names, unvisited } = await gather(["."]);
  expect(names).toEqual(["2.PNG", "10.png"]);
  expect(unvisited).toBe(2);
});

test("recursive goes through all folders but hidden and excepted ones", async () => {
  const { names } = await gather(["."], { recursive: true, except: [join(folder, "rejected")] });
  expect(names).toEqual(["2.PNG", "10.png", "b/a.jpg", "b/c/d.webp"]);
});

test("a file named by itself is taken whatever its ending, and nothing is taken twice", async () => {
  expect((await gather(["1.txt", "2.PNG", ".", "2.PNG"])).names).toEqual(["1.txt", "2.PNG", "10.png"]);
});

test("links that lead back do not go round in circles", async () => {
  await symlink(folder, join(folder, "b", "back"), "dir");
  const { names } = await gather(["."], { recursive: true });
  expect(names.filter((name) => name.endsWith("10.png")).length).toBe(1);
});

test("a pattern that no shell has spelled out is spelled out here", async () => {
  expect((await gather(["*.png"])).names).toContain("10.png");
  expect((await gather(["?0.*"])).names).toEqual(["10.png"]);
});

test("what is not there fails by name, and the others are found", async () => {
  const { names, failed } = await gather(["none.png", "no*.png", "10.png"]);
  expect(names).toEqual(["10.png"]);
  expect(failed.map(({ error }) => error.message)).toEqual([
    `${join(folder, "none.png")} is not there.`,
    `${join(folder, "no*.png")} is not there.`,
  ]);
});
