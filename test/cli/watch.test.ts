// renoir watch as a process of its own.

import { appendFile, mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { readMetadata } from "../../src/metadata/index.ts";
import { openReferenceModel } from "../support/referenceModel.ts";
import { freshFolder, jsonLines, picture, type Running, run, start } from "./command.ts";

let reward: string;
let folder: string;
let running: Running;

beforeAll(async () => {
  const { path } = await openReferenceModel("wide");
  reward = `imagereward@${path}`;
  await run(["--version"]);
  return () => rm(dirname(path), { recursive: true });
}, 300_000);

beforeEach(async () => {
  folder = await freshFolder();
});
afterEach(async () => {
  running.kill("SIGKILL");
  await running.ended;
  await rm(folder, { recursive: true, force: true });
});

async function watch(...flags: string[]): Promise<void> {
  running = start(["watch", folder, "--reward", reward, "--json", ...flags]);
  await running.says("Watching");
}

async function stop() {
  running.kill("SIGINT");
  const { code, stdout } = await running.ended;
  return { code, lines: jsonLines(stdout) };
}

test("a new picture is scored once, its own rewrite is not news, and a damaged one does not end the watch", async () => {
  await writeFile(join(folder, "old.png"), await picture("green", "a green square"));
  await watch("--write");
  await writeFile(join(folder, "bad.png"), "not a picture");
  await running.says('"error"');
  await writeFile(join(folder, "new.png"), await picture("red", "a red square"));
  await running.says("new.png");
  await wait(3000); // longer than a rewrite needs to rest before it would be scored again
  const { code, lines } = await stop();
  expect(code).toBe(0);
  const scored = lines.filter(({ scores }) => scores);
  expect(scored).toMatchObject([{ file: join(folder, "new.png"), prompt: "a red square", rank: null, kept: true }]);
  expect((await readMetadata(join(folder, "new.png"))).scores.ImageReward).toBeCloseTo(scored[0].scores.ImageReward, 4);
});

test("a picture that is written slowly is scored when it is whole", async () => {
  await watch();
  const bytes = await picture("red", "a red square");
  const file = join(folder, "slow.png");
  for (let start = 0; start < bytes.length; start += Math.ceil(bytes.length / 6)) {
    await appendFile(file, bytes.subarray(start, start + Math.ceil(bytes.length / 6)));
    await wait(400);
  }
  await running.says("slow.png");
  const { lines } = await stop();
  expect(lines.length).toBe(1);
  expect(lines[0].scores.ImageReward).toEqual(expect.any(Number));
});

test("a rejected picture moves, and is not scored again where it went", async () => {
  await mkdir(join(folder, "rejected"));
  await watch("--recursive", "--min", "1000", "--reject-to", join(folder, "rejected"));
  const file = join(folder, "a.png");
  await writeFile(`${file}.part`, await picture("red", "a red square"));
  await rename(`${file}.part`, file);
  await running.says("a.png");
  await wait(3000);
  const { lines } = await stop();
  expect(lines).toMatchObject([{ file, kept: false, movedTo: join(folder, "rejected", "a.png") }]);
  expect(await readdir(join(folder, "rejected"))).toEqual(["a.png"]);
});

test("--existing begins with what is there", async () => {
  const file = join(folder, "old.png");
  await writeFile(file, await picture("green", "a green square"));
  const before = await stat(file);
  await watch("--existing");
  await running.says("old.png");
  expect((await stop()).lines).toMatchObject([{ file, kept: true }]);
  expect((await stat(file)).mtimeMs).toBe(before.mtimeMs);
});
