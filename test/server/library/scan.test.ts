import { chmod, copyFile, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { writeScores } from "../../../src/metadata/index.ts";
import { Readers } from "../../../src/server/library/readers.ts";
import { type Place, picture, place, query } from "./support.ts";

const readers = new Readers();
let at: Place;

beforeEach(async () => {
  at = await place(readers);
});
afterEach(() => at.close());
afterAll(() => readers.close());

const names = () => at.library.page(query({ sort: "name" })).items.map(({ path }) => path.slice(at.folder.length + 1));

test("a scan finds pictures in folders in folders, with what their files say", async () => {
  await picture(join(at.folder, "a.png"), { prompt: "a red fox", seed: 2n ** 64n - 1n, model: "dreamshaper" });
  await picture(join(at.folder, "2024/01/b.png"), {});
  await writeFile(join(at.folder, "notes.txt"), "no picture");
  await writeFile(join(at.folder, ".hidden.png"), "no picture");
  expect(await at.library.scan()).toMatchObject({ files: 2, added: 2, failed: 0 });
  const [a] = at.library.page(query({ sort: "name" })).items;
  expect(a).toMatchObject({
    name: "a.png",
    folder: at.folder,
    width: 8,
    height: 8,
    format: "png",
    host: "a1111",
    model: "dreamshaper",
    prompt: "a red fox",
    seed: "18446744073709551615",
    scores: {},
    written: false,
  });
  const { info, hash } = at.library.picture(a!.id);
  expect(info).toMatchObject({ negativePrompt: "ugly", settings: { Sampler: "Euler a" }, warnings: [] });
  expect(hash).toMatch(/^[0-9a-f]{64}$/);
});

test("a second scan reads nothing again, and a changed file only", async () => {
  await picture(join(at.folder, "a.png"));
  await picture(join(at.folder, "b.png"));
  await at.library.scan();
  expect(await at.library.scan()).toMatchObject({ files: 2, added: 0, changed: 0, moved: 0, gone: 0 });
  await picture(join(at.folder, "b.png"), { prompt: "another" });
  expect(await at.library.scan()).toMatchObject({ files: 2, added: 0, changed: 1 });
  expect(at.library.page(query({ text: "another" })).items.map(({ name }) => name)).toEqual(["b.png"]);
});

test("moved and renamed files keep id and scores, wherever they went", async () => {
  const a = await picture(join(at.folder, "a.png"));
  await at.library.scan();
  const { id } = at.library.page(query()).items[0]!;
  at.library.recordScores(id, [{ reward: "ImageReward", score: 0.5, version: "1", approximate: false }]);
  await mkdir(join(at.folder, "best"));
  await rename(a, join(at.folder, "best", "fox.png"));
  expect(await at.library.scan()).toMatchObject({ added: 0, moved: 1 });
  const [item, ...rest] = at.library.page(query()).items;
  expect(rest).toEqual([]);
  expect(item).toMatchObject({ id, name: "fox.png", folder: join(at.folder, "best"), scores: { ImageReward: 0.5 } });
  expect(at.library.page(query({ text: "fox.png" })).total).toBe(1);
});

test("a copy is a picture of its own with the same scores", async () => {
  const a = await picture(join(at.folder, "a.png"));
  await at.library.scan();
  const { id } = at.library.page(query()).items[0]!;
  at.library.recordScores(id, [{ reward: "ImageReward", score: 0.5, version: "1", approximate: false }]);
  await copyFile(a, join(at.folder, "b.png"));
  expect(await at.library.scan()).toMatchObject({ added: 1, moved: 0 });
  const items = at.library.page(query({ sort: "name" })).items;
  expect(items.map(({ name, scores }) => [name, scores.ImageReward])).toEqual([
    ["a.png", 0.5],
    ["b.png", 0.5],
  ]);
  expect(items[0]!.id).toBe(id);
  expect(items[1]!.id).not.toBe(id);
});

test("another picture under the same name has no scores; one that was only written into keeps them", async () => {
  const file = await picture(join(at.folder, "a.png"));
  await at.library.scan();
  const { id } = at.library.page(query()).items[0]!;
  at.library.recordScores(id, [{ reward: "ImageReward", score: 0.5, version: "1", approximate: false }]);
  await writeScores(file, { Other: 0.25 });
  await at.library.scan();
  expect(at.library.page(query()).items[0]).toMatchObject({ id, scores: { ImageReward: 0.5, Other: 0.25 } });
  await picture(file);
  await at.library.scan();
  expect(at.library.page(query()).items[0]).toMatchObject({ id, scores: {} });
});

test("scores that stand in a file are known with it", async () => {
  const file = await picture(join(at.folder, "a.png"));
  await writeScores(file, { ImageReward: 0.58123 });
  await at.library.scan();
  expect(at.library.page(query()).items[0]).toMatchObject({ scores: { ImageReward: 0.5812 }, written: true });
});

test("a deleted file's picture goes, and comes back with its scores when the file does", async () => {
  const file = await picture(join(at.folder, "a.png"));
  await picture(join(at.folder, "b.png"));
  await at.library.scan();
  const { id } = at.library.page(query({ sort: "name" })).items[0]!;
  at.library.recordScores(id, [{ reward: "ImageReward", score: 0.5, version: "1", approximate: false }]);
  await rename(file, join(at.home, "kept.png"));
  expect(await at.library.scan()).toMatchObject({ gone: 1 });
  expect(names()).toEqual(["b.png"]);
  expect(() => at.library.fileOf(id)).toThrow(/no longer in/);
  await rename(join(at.home, "kept.png"), file);
  await at.library.scan();
  expect(at.library.page(query({ sort: "name" })).items[0]).toMatchObject({ id, scores: { ImageReward: 0.5 } });
});

test("a folder that is not there loses nothing", async () => {
  await picture(join(at.folder, "a.png"));
  await at.library.scan();
  const { id } = at.library.page(query()).items[0]!;
  const thumbnail = await at.library.thumbnail(id);
  await rename(at.folder, `${at.folder}-unplugged`);
  expect(await at.library.scan()).toMatchObject({ gone: 0 });
  expect(at.library.folders()).toMatchObject([{ path: at.folder, pictures: 1, available: false }]);
  expect(names()).toEqual(["a.png"]);
  expect(await at.library.thumbnail(id)).toEqual(thumbnail);
  await rename(`${at.folder}-unplugged`, at.folder);
  expect(await at.library.scan()).toMatchObject({ added: 0, gone: 0 });
  expect(at.library.folders()).toMatchObject([{ available: true }]);
});

test("an empty mount point in place of a disk loses nothing", async () => {
  await picture(join(at.folder, "a.png"));
  await at.library.scan();
  at.database.run("UPDATE folders SET device = 'another'");
  await rm(join(at.folder, "a.png"));
  expect(await at.library.scan()).toMatchObject({ gone: 0 });
  expect(at.library.folders()).toMatchObject([{ pictures: 1, available: false }]);
});

test("a folder that may not be read takes nothing from the library", async () => {
  await picture(join(at.folder, "in", "a.png"));
  await at.library.scan();
  await chmod(join(at.folder, "in"), 0);
  const counts = await at.library.scan();
  await chmod(join(at.folder, "in"), 0o755);
  // Root may read everything.
  expect(counts).toMatchObject(process.getuid?.() === 0 ? { gone: 0, failed: 0 } : { gone: 0, failed: 1 });
  expect(names()).toEqual(["in/a.png"]);
});

test("damaged pictures are taken with a warning, and end no scan", async () => {
  await writeFile(join(at.folder, "empty.png"), "");
  await writeFile(join(at.folder, "text.jpg"), "this is no picture");
  const whole = await picture(join(at.folder, "whole.png"));
  await writeFile(join(at.folder, "cut.png"), (await import("node:fs")).readFileSync(whole).subarray(0, 60));
  await mkdir(join(at.folder, "folder.png"));
  expect(await at.library.scan()).toMatchObject({ added: 4 });
  const warnings = Object.fromEntries(
    at.library.page(query()).items.map(({ id, name }) => [name, at.library.picture(id).info.warnings.length > 0]),
  );
  expect(warnings).toEqual({ "empty.png": true, "text.jpg": true, "cut.png": true, "whole.png": false });
});

test("links are neither followed out of the folders nor round in circles", async () => {
  await picture(join(at.folder, "a.png"));
  const outside = await picture(join(at.home, "secret.png"));
  await symlink(at.folder, join(at.folder, "circle"));
  await symlink(outside, join(at.folder, "link.png"));
  expect(await at.library.scan()).toMatchObject({ files: 1, added: 1, links: 1 });
  expect(names()).toEqual(["a.png"]);
});

test("names of any letters are found again: newlines, four-byte signs, quotes", async () => {
  const strange = ["new\nline.png", "🦊 füchse.png", "quo'te\".png", "per%20cent.PNG", "日本.png"];
  for (const name of strange) await picture(join(at.folder, name));
  await at.library.scan();
  expect(names().sort()).toEqual([...strange].sort());
  expect(at.library.page(query({ text: "日本" })).items.map(({ name }) => name)).toEqual(["日本.png"]);
  expect(at.library.page(query({ text: "🦊" })).items.map(({ name }) => name)).toEqual(["🦊 füchse.png"]);
  expect(await at.library.scan()).toMatchObject({ added: 0, gone: 0, moved: 0 });
});

test.runIf(process.platform === "linux")("a name that is no UTF-8 is told, and the others are taken", async () => {
  const file = await picture(join(at.folder, "a.png"));
  const name = Buffer.concat([Buffer.from(`${at.folder}/`), Buffer.from([0xff, 0xfe]), Buffer.from(".png")]);
  await copyFile(file, name);
  expect(await at.library.scan()).toMatchObject({ added: 1, failed: 1 });
});

test("a cancelled scan keeps what it has found", async () => {
  for (let i = 0; i < 20; i++) await picture(join(at.folder, `${i}.png`));
  const stop = new AbortController();
  const seen: number[] = [];
  await at.library.scan({
    signal: stop.signal,
    onProgress: ({ done, unit }) => {
      seen.push(done);
      expect(unit).toBe("files");
      if (at.library.page(query()).total > 0) stop.abort();
    },
  });
  expect(seen.length).toBeGreaterThan(1);
  expect(at.library.page(query()).total).toBeLessThanOrEqual(20);
  await at.library.scan();
  expect(at.library.page(query()).total).toBe(20);
});
