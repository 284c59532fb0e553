import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { moveInto, reject } from "../../src/tasks/reject.ts";
import { freshFolder } from "../cli/command.ts";

let folder: string;
let away: string;

beforeEach(async () => {
  folder = await freshFolder();
  away = join(folder, "away");
});
afterEach(() => rm(folder, { recursive: true }));

const put = (...names: string[]) => Promise.all(names.map((name) => writeFile(join(folder, name), name)));
const list = async (path = folder) => (await readdir(path)).sort();

test("a picture goes with its caption and the scores beside it, and the folder is made", async () => {
  await put("cat.png", "cat.txt", "cat.png.renoir.json", "catalogue.png");
  expect(await moveInto(join(folder, "cat.png"), away)).toBe(join(away, "cat.png"));
  expect(await list(away)).toEqual(["cat.png", "cat.png.renoir.json", "cat.txt"]);
  expect(await list()).toEqual(["away", "catalogue.png"]);
});

test("a caption that another picture needs stays", async () => {
  await put("cat.png", "cat.jpg", "cat.txt");
  await moveInto(join(folder, "cat.png"), away);
  expect(await list(away)).toEqual(["cat.png"]);
  expect(await list()).toEqual(["away", "cat.jpg", "cat.txt"]);
});

test("no name is taken twice, neither the picture's nor the caption's", async () => {
  await mkdir(away);
  await writeFile(join(away, "cat.png"), "first");
  await writeFile(join(away, "cat-1.txt"), "someone's");
  await put("cat.png", "cat.txt");
  expect(await moveInto(join(folder, "cat.png"), away)).toBe(join(away, "cat-2.png"));
  expect(await readFile(join(away, "cat.png"), "utf8")).toBe("first");
  expect(await readFile(join(away, "cat-1.txt"), "utf8")).toBe("someone's");
  expect(await readFile(join(away, "cat-2.txt"), "utf8")).toBe("cat.txt");
});

test("many that collide at the same time each find a name", async () => {
  const inner = Array.from({ length: 8 }, (_, index) => join(folder, String(index)));
  for (const path of inner) {
    await mkdir(path);
    await writeFile(join(path, "cat.png"), path);
  }
  await Promise.all(inner.map((path) => moveInto(join(path, "cat.png"), away)));
  const contents = await Promise.all((await list(away)).map((name) => readFile(join(away, name), "utf8")));
  expect(contents.sort()).toEqual(inner.sort());
});

test("a picture that has gone is an error, and leaves nothing behind", async () => {
  await expect(moveInto(join(folder, "none.png"), away)).rejects.toThrow("ENOENT");
  expect(await list(away)).toEqual([]);
});

test("deleting for good takes the caption along; keeping touches nothing", async () => {
  await put("cat.png", "cat.txt", "dog.png");
  expect(await reject(join(folder, "dog.png"), { kind: "keep" })).toEqual({});
  expect(await reject(join(folder, "cat.png"), { kind: "delete" })).toEqual({ deleted: true });
  expect(await list()).toEqual(["dog.png"]);
});
