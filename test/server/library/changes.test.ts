import { readdirSync, readFileSync } from "node:fs";
import { chmod, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { readMetadata } from "../../../src/metadata/index.ts";
import { Readers } from "../../../src/server/library/readers.ts";
import { infotext, type Place, picture, place, query } from "./support.ts";

const readers = new Readers();
let at: Place;

beforeEach(async () => {
  at = await place(readers);
});
afterEach(() => at.close());
afterAll(() => readers.close());

/** Pictures a.png, b.png ... with ids by name. */
async function pictures(...names: string[]): Promise<Record<string, string>> {
  for (const name of names) await picture(join(at.folder, name), {}, new Date("2024-05-01T12:00:00Z"));
  await at.library.scan();
  return ids();
}

const items = (given: object = {}) => at.library.page(query({ sort: "name", ...given })).items;
const ids = () => Object.fromEntries(items().map(({ id, name }) => [name, id]));
const score = (id: string, value: number, approximate = false) =>
  at.library.recordScores(id, [{ reward: "ImageReward", score: value, version: "abc", approximate }]);
const files = (folder = at.folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name).slice(folder.length + 1)] : []))
    .sort();

test("scores are written into the files, which keep their dates, and undo gives back every byte", async () => {
  const { "a.png": a, "b.png": b } = await pictures("a.png", "b.png");
  score(a!, 0.58123);
  const before = readFileSync(join(at.folder, "a.png"));
  const { modified } = items()[0]!;
  const reply = await at.library.change({ ids: [a!, b!], action: "write" });
  expect(reply).toMatchObject({ done: 1, failed: [{ id: b, error: { code: "request" } }] });
  expect((await readMetadata(join(at.folder, "a.png"))).scores).toEqual({ ImageReward: 0.5812 });
  expect(items()[0]).toMatchObject({ id: a, written: true, modified, scores: { ImageReward: 0.58123 } });
  expect(await at.library.scan()).toMatchObject({ changed: 0, added: 0 });
  expect(await at.library.undo()).toMatchObject({ operation: reply.operation, done: 1, failed: [] });
  expect(readFileSync(join(at.folder, "a.png")).equals(before)).toBe(true);
  expect(items()[0]).toMatchObject({ id: a, written: false, modified, scores: { ImageReward: 0.58123 } });
  expect(files(join(at.home, "trash"))).toEqual([]);
});

test("undo of a write gives back JPEG, WebP, and formats whose scores stand beside them", async () => {
  const noise = {
    create: { width: 64, height: 64, channels: 3, background: "red", noise: { type: "gaussian", mean: 99, sigma: 30 } },
  };
  for (const format of ["jpeg", "webp", "avif"] as const) {
    await sharp(noise as never)
      .toFormat(format)
      .toFile(join(at.folder, `a.${format.replace("jpeg", "jpg")}`));
  }
  await writeFile(join(at.folder, "a.txt"), infotext({}));
  await at.library.scan();
  for (const { id } of items()) score(id, 0.25);
  const before = files().map((name) => [name, readFileSync(join(at.folder, name)).toString("base64")]);
  expect(await at.library.change({ filter: {}, action: "write" })).toMatchObject({ done: 3, failed: [] });
  expect(files().map((name) => [name, readFileSync(join(at.folder, name)).toString("base64")])).not.toEqual(before);
  for (const { path } of items()) expect((await readMetadata(path)).scores).toMatchObject({ ImageReward: 0.25 });
  expect(await at.library.undo()).toMatchObject({ done: 3, failed: [] });
  expect(files().map((name) => [name, readFileSync(join(at.folder, name)).toString("base64")])).toEqual(before);
});

test("a file that was changed since it was written to is not undone", async () => {
  const { "a.png": a } = await pictures("a.png");
  score(a!, 0.5);
  await at.library.change({ ids: [a!], action: "write" });
  await picture(join(at.folder, "a.png"), { prompt: "someone else's" });
  const { done, failed } = await at.library.undo();
  expect(done).toBe(0);
  expect(failed[0]!.error.message).toMatch(/was changed since the scores were written/);
  expect((await readMetadata(join(at.folder, "a.png"))).prompt).toBe("someone else's");
});

test("approximate scores and those that the file itself told are not written", async () => {
  const { "a.png": a } = await pictures("a.png");
  score(a!, 0.5, true);
  expect(await at.library.change({ ids: [a!], action: "write" })).toMatchObject({ done: 0, failed: [{ id: a }] });
});

test("moved pictures take their captions along, overwrite nothing, and come back by undo", async () => {
  const { "a.png": a } = await pictures("a.png", "best/a.png");
  const first = items().find(({ folder }) => folder === at.folder)!;
  await writeFile(join(at.folder, "a.txt"), "a caption");
  const before = files();
  const reply = await at.library.change({ ids: [first.id], action: "move", to: join(at.folder, "best") });
  expect(reply).toMatchObject({ done: 1, failed: [] });
  expect(files()).toEqual(["best/a-1.png", "best/a-1.txt", "best/a.png"]);
  expect(at.library.fileOf(first.id)).toBe(join(at.folder, "best", "a-1.png"));
  expect(await at.library.scan()).toMatchObject({ added: 0, moved: 0, gone: 0 });
  expect(await at.library.undo(reply.operation)).toMatchObject({ done: 1 });
  expect(files()).toEqual(before);
  expect(at.library.fileOf(first.id)).toBe(join(at.folder, "a.png"));
  expect(a).toBeDefined();
});

test("pictures move to a new folder in the library, and nowhere else", async () => {
  const { "a.png": a } = await pictures("a.png");
  await at.library.change({ ids: [a!], action: "move", to: join(at.folder, "new") });
  expect(files()).toEqual(["new/a.png"]);
  for (const to of [at.home, join(at.folder, "..", "elsewhere"), "/etc"]) {
    await expect(at.library.change({ ids: [a!], action: "move", to })).rejects.toThrow(/outside of the library/);
  }
  await expect(at.library.change({ ids: [a!], action: "move" })).rejects.toThrow(/Where to move/);
  expect(files()).toEqual(["new/a.png"]);
});

test("rejected pictures lie beside, are left out of lists unless asked for, and can be restored", async () => {
  const { "a.png": a } = await pictures("a.png", "b.png");
  await at.library.change({ ids: [a!], action: "reject" });
  expect(files()).toEqual(["b.png", "rejected/a.png"]);
  expect(items().map(({ name }) => name)).toEqual(["b.png"]);
  expect(items({ rejected: true }).map(({ id }) => id)).toEqual([a]);
  expect(await at.library.scan()).toMatchObject({ added: 0, moved: 0, gone: 0 });
  expect(await at.library.change({ ids: [a!], action: "restore" })).toMatchObject({ done: 1 });
  expect(files()).toEqual(["a.png", "b.png"]);
  expect(ids()["a.png"]).toBe(a);
});

test("deleted pictures are in the trash, and undo brings back file, id and scores", async () => {
  const { "a.png": a, "b.png": b } = await pictures("a.png", "b.png");
  score(a!, 0.5);
  await writeFile(join(at.folder, "a.txt"), "a caption");
  const reply = await at.library.delete({ ids: [a!, "nobody"] });
  expect(reply).toMatchObject({ done: 1, failed: [{ id: "nobody", error: { code: "not-found" } }] });
  expect(files()).toEqual(["b.png"]);
  expect(files(join(at.home, "trash")).map((path) => path.split("/").at(-1))).toEqual(["a.png", "a.txt"]);
  expect(() => at.library.picture(a!)).toThrow(/no picture/);
  expect(at.library.operations()).toMatchObject([
    { operation: reply.operation, action: "delete", pictures: 1, undone: false },
  ]);
  expect(await at.library.undo()).toMatchObject({ done: 1, failed: [] });
  expect(files()).toEqual(["a.png", "a.txt", "b.png"]);
  expect(items().map(({ id, scores }) => [id, scores])).toEqual([
    [a, { ImageReward: 0.5 }],
    [b, {}],
  ]);
  expect(at.library.operations()).toMatchObject([{ undone: true }]);
  await expect(at.library.undo(reply.operation)).rejects.toThrow(/undone already/);
  await expect(at.library.undo()).rejects.toThrow(/nothing to undo/);
});

test("a file that took a deleted picture's place stays, and the picture comes back beside it", async () => {
  const { "a.png": a } = await pictures("a.png");
  await at.library.delete({ ids: [a!] });
  await picture(join(at.folder, "a.png"), { prompt: "a new one" });
  await at.library.scan();
  const fresh = items()[0]!;
  expect(fresh).toMatchObject({ name: "a.png", prompt: "a new one" });
  expect(fresh.id).not.toBe(a);
  await at.library.undo();
  expect(files()).toEqual(["a-1.png", "a.png"]);
  expect(ids()).toEqual({ "a.png": fresh.id, "a-1.png": a });
});

test("all that a filter lets through is deleted, and only that", async () => {
  const known = await pictures("a.png", "b.png", "c.png");
  score(known["a.png"]!, -1);
  score(known["b.png"]!, 2);
  expect(await at.library.delete({ filter: { bucket: ["weak"] } })).toMatchObject({ done: 1 });
  expect(items().map(({ name }) => name)).toEqual(["b.png", "c.png"]);
  await expect(at.library.delete({})).rejects.toThrow(/Neither ids nor a filter/);
});

test.runIf(process.getuid?.() !== 0)(
  "a read-only folder fails its pictures, with the reason, and loses none",
  async () => {
    await mkdir(join(at.folder, "ro"));
    await pictures("ro/a.png", "b.png");
    await chmod(join(at.folder, "ro"), 0o555);
    const { done, failed } = await at.library.delete({ filter: {} });
    await chmod(join(at.folder, "ro"), 0o755);
    expect(done).toBe(1);
    expect(failed[0]!.error.message).toMatch(/ro\/a\.png.*may not be written/);
    expect(files()).toEqual(["ro/a.png"]);
    expect(files(join(at.home, "trash"))).toHaveLength(1);
  },
);

test("a picture whose file went meanwhile fails, and the others are done", async () => {
  const known = await pictures("a.png", "b.png");
  await (await import("node:fs/promises")).rm(join(at.folder, "a.png"));
  const { done, failed } = await at.library.delete({ ids: Object.values(known) });
  expect([done, failed.map(({ id }) => id)]).toEqual([1, [known["a.png"]]]);
});

test("what was deleted long ago can no longer be brought back, and goes to the system's trash or stays", async () => {
  const { "a.png": a } = await pictures("a.png");
  await at.library.change({ ids: [a!], action: "reject" });
  at.database.run("UPDATE operations SET at = 0");
  await at.library.close();
  at.database.close();
  await at.open();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(at.library.operations()).toEqual([]);
  expect((await stat(join(at.folder, "rejected", "a.png"))).isFile()).toBe(true);
  expect(await readFile(join(at.folder, "rejected", "a.png"))).toBeDefined();
});
