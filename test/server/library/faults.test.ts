// kill -9 in the middle of a scan, of bulk writes, deletes and their undoing: opened again, nothing is lost and nothing is there twice.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { readMetadata } from "../../../src/metadata/index.ts";
import { Readers } from "../../../src/server/library/readers.ts";
import { type Place, picture, place, query } from "./support.ts";

const readers = new Readers();
const COUNT = 80;
let at: Place;

beforeEach(async () => {
  at = await place(readers);
  for (let i = 0; i < COUNT; i++) await picture(join(at.folder, `${i}.png`), { prompt: `fox ${i}` });
});
afterEach(() => at.close());
afterAll(() => readers.close());

/** Every file below, by name, with its bytes. */
function bytes(folder: string): Map<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    entries.map(({ parentPath, name }) => [name, readFileSync(join(parentPath, name)).toString("base64")]),
  );
}

const items = () => at.library.page(query({ limit: 1000, sort: "name" })).items;

/** Runs the action in a process of its own, and kills that as soon as `isAmid` says so. */
async function killed(action: string, isAmid: (said: string) => boolean): Promise<boolean> {
  await at.library.close();
  at.database.close();
  const script = fileURLToPath(new URL("./faultChild.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", script, at.home, action], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (data) => {
    said += data;
  });
  const closed = once(child, "close");
  while (child.exitCode === null && !isAmid(said)) await wait(1);
  child.kill("SIGKILL");
  await closed;
  await at.open();
  return !said.includes("done");
}

async function scored(): Promise<Map<string, string>> {
  await at.library.scan();
  for (const { id } of items()) {
    at.library.recordScores(id, [{ reward: "ImageReward", score: 0.5, version: "1", approximate: false }]);
  }
  return new Map(items().map(({ name, id }) => [name, id]));
}

const idsNow = () => new Map(items().map(({ name, id }) => [name, id]));
const inFolder = () => readdirSync(at.folder).length;

test("killed while scanning, the next scan finds every picture once, and what was scored stays so", async () => {
  await at.library.scan();
  const { id: kept } = at.database.get<{ id: string }>("SELECT id FROM pictures WHERE key = 20")!;
  const first = items().find(({ id }) => id === kept);
  at.library.recordScores(first!.id, [{ reward: "ImageReward", score: 0.5, version: "1", approximate: false }]);
  at.database.run("DELETE FROM pictures WHERE key > 20");
  expect(await killed("scan", (said) => / [1-9]\d* new/.test(said))).toBe(true);
  expect(at.database.pragma("integrity_check")).toBe("ok");
  await at.library.scan();
  expect(items().map(({ name }) => name)).toEqual([...Array(COUNT).keys()].map((i) => `${i}.png`));
  expect(items().find(({ id }) => id === first!.id)).toMatchObject({ name: first!.name, scores: { ImageReward: 0.5 } });
});

test("killed while deleting, every picture is in its folder or in the trash, and undo brings all back", async () => {
  const ids = await scored();
  const before = bytes(at.folder);
  expect(await killed("delete", () => inFolder() < COUNT - 10)).toBe(true);
  const [left, gone] = [bytes(at.folder), bytes(join(at.home, "trash"))];
  expect(new Map([...left, ...gone])).toEqual(before);
  expect(left.size + gone.size).toBe(COUNT);
  expect(items()).toHaveLength(left.size);
  expect(await at.library.scan()).toMatchObject({ added: 0, gone: 0, moved: 0 });
  expect(await killed("undo", () => inFolder() > left.size + 2)).toBe(true);
  expect(inFolder()).toBe(COUNT); // what was begun is finished
  expect(bytes(at.folder)).toEqual(before);
  expect(idsNow()).toEqual(ids);
  expect(items().every(({ scores }) => scores.ImageReward === 0.5)).toBe(true);
});

test("killed while writing, every file is whole, with its score or as it was, and undo gives back every byte", async () => {
  const ids = await scored();
  const before = bytes(at.folder);
  const hasWritten = () => [2, 3].every((i) => readFileSync(join(at.folder, `${i}.png`)).includes("ImageReward Score"));
  expect(await killed("write", hasWritten)).toBe(true);
  const written = items().filter(({ written }) => written);
  expect(written.length).toBeGreaterThan(1);
  expect(written.length).toBeLessThan(COUNT);
  for (const { path, prompt, written } of items()) {
    expect(await readMetadata(path)).toMatchObject({
      prompt,
      scores: written ? { ImageReward: 0.5 } : {},
      warnings: [],
    });
  }
  expect(inFolder()).toBe(COUNT); // no temporary file is left
  expect(await at.library.scan()).toMatchObject({ changed: 0, added: 0, gone: 0 });
  expect(await at.library.undo()).toMatchObject({ done: written.length, failed: [] });
  expect(bytes(at.folder)).toEqual(before);
  expect(idsNow()).toEqual(ids);
});
