import { appendFile, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import type { ChangeCounts } from "../../../src/server/library/library.ts";
import { Readers } from "../../../src/server/library/readers.ts";
import { type Place, picture, place, query } from "./support.ts";

const readers = new Readers();
let at: Place;

beforeEach(async () => {
  at = await place(readers);
});
afterEach(() => at.close());
afterAll(() => readers.close());

const items = () => at.library.page(query({ sort: "name" })).items;
const names = () => items().map(({ path }) => path.slice(at.folder.length + 1));

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400 && !holds(); tries++) await wait(25);
  expect(names()).toBeDefined();
  expect(holds()).toBe(true);
}

test("pictures that come, move and go in watched folders are noticed, in new folders too, and told in bursts", async () => {
  const told: ChangeCounts[] = [];
  at.library.on("changed", (change) => told.push(change));
  await picture(join(at.folder, "old.png"));
  at.library.watch();
  await until(() => names().length === 1);
  for (let i = 0; i < 20; i++) await picture(join(at.folder, `${i}.png`));
  await mkdir(join(at.folder, "day", "hour"), { recursive: true });
  await picture(join(at.folder, "day", "hour", "deep.png"));
  await until(() => names().length === 22);
  const { id } = items().find(({ name }) => name === "deep.png")!;
  await picture(join(at.folder, "day", "hour", "deeper.png"));
  await until(() => names().includes("day/hour/deeper.png"));
  await rename(join(at.folder, "day", "hour", "deep.png"), join(at.folder, "up.png"));
  await rm(join(at.folder, "old.png"));
  await until(() => names().includes("up.png") && !names().includes("old.png"));
  expect(items().find(({ name }) => name === "up.png")!.id).toBe(id);
  expect(names()).toHaveLength(22);
  await wait(400);
  expect(told.length).toBeLessThan(15);
  expect(told.reduce((sum, { added }) => sum + added, 0)).toBeGreaterThanOrEqual(23);
});

test("a picture that is still written is waited for", async () => {
  const whole = await readFile(await picture(join(at.home, "whole.png"), { prompt: "all of it" }));
  await at.library.close();
  at.database.close();
  await at.open({ restingMs: 400 });
  at.library.watch();
  await wait(100);
  const file = join(at.folder, "slow.png");
  await (await open(file, "w")).close();
  for (let from = 0; from < whole.length; from += 60) {
    await appendFile(file, whole.subarray(from, from + 60));
    await wait(60);
    expect(names()).toEqual([]);
  }
  await until(() => names().length === 1);
  expect(items()[0]).toMatchObject({ prompt: "all of it", width: 8 });
});

test("on first start the demo's pictures are there, in a copy, and once forgotten they stay so", async () => {
  await at.library.close();
  at.database.close();
  await at.open({ demo: undefined as never });
  const folder = join(at.home, "pictures");
  expect(at.library.folders()).toMatchObject([{ builtIn: false }, { path: folder, builtIn: true, available: true }]);
  await at.library.scan();
  expect((await readdir(folder)).length).toBeGreaterThan(10);
  expect(items().length).toBe((await readdir(folder)).length);
  expect(items().every(({ prompt, seed }) => prompt !== null && seed !== null)).toBe(true);
  await at.library.removeFolder(folder);
  expect(items()).toEqual([]);
  await at.library.close();
  at.database.close();
  await at.open({ demo: undefined as never });
  expect(at.library.folders()).toHaveLength(1);
});

test("folders within folders are one, and what is no folder is refused", async () => {
  await picture(join(at.folder, "in", "a.png"));
  await expect(at.library.addFolder(join(at.folder, "in"))).rejects.toThrow(/lies within .* already/);
  await expect(at.library.addFolder(join(at.folder, "nowhere"))).rejects.toThrow(/no such folder/);
  await expect(at.library.addFolder(join(at.folder, "in", "a.png"))).rejects.toThrow(/it is a file/);
  await at.library.scan();
  const { id } = items()[0]!;
  await at.library.addFolder(join(at.folder, ".."));
  expect(at.library.folders()).toMatchObject([{ path: join(at.folder, ".."), pictures: 1 }]);
  await at.library.scan();
  expect(items().map((item) => item.id)).toEqual([id]);
});

test("a file that Renoir has made is in the library at once", async () => {
  const id = await at.library.addFile(await picture(join(at.folder, "made.png"), { prompt: "made" }));
  expect(at.library.picture(id)).toMatchObject({ name: "made.png", prompt: "made" });
  expect(await at.library.addFile(join(at.folder, "made.png"))).toBe(id);
  await expect(at.library.addFile(join(at.home, "renoir.db"))).rejects.toMatchObject({ code: "forbidden" });
});
