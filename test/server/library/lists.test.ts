import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { libraryFilter, libraryQuery } from "../../../src/server/api/library.ts";
import { Readers } from "../../../src/server/library/readers.ts";
import { type Place, picture, place, query } from "./support.ts";

const readers = new Readers();
let at: Place;

/** Name, what the file says, day of May 2024, scores. */
const given: [string, { prompt: string; seed: string; model: string }, number, Record<string, number>][] = [
  ["2.png", { prompt: "a red fox, (masterpiece)", seed: "10", model: "dream" }, 1, { ImageReward: 1.5, Shapes: -1 }],
  ["10.png", { prompt: "two foxes at night", seed: "9", model: "dream" }, 2, { ImageReward: 1 }],
  [
    "sub/b_old-house.png",
    { prompt: "Café by the sea", seed: "18446744073709551615", model: "xl" },
    3,
    { ImageReward: 0.999 },
  ],
  [
    "sub/c.png",
    { prompt: "猫耳の少女", seed: "18446744073709551614", model: "xl" },
    4,
    { ImageReward: -0.5, Shapes: 2 },
  ],
  ["subway.png", { prompt: "=cmd|' /C calc'!A0, \"quoted\"", seed: "3", model: "xl" }, 5, {}],
];

beforeAll(async () => {
  at = await place(readers);
  for (const [name, said, day] of given) {
    await picture(join(at.folder, name), said, new Date(`2024-05-0${day}T12:00:00Z`));
  }
  await mkdir(join(at.folder, "plain"));
  const plain = { create: { width: 700, height: 350, channels: 3 as const, background: "red" } };
  await sharp(plain)
    .jpeg()
    .toFile(join(at.folder, "plain", "z.jpg"));
  await at.library.scan();
  for (const { path, id } of at.library.page(query()).items) {
    const scores = given.find(([name]) => path.endsWith(`/${name}`))?.[3] ?? {};
    const entries = Object.entries(scores).map(([reward, score]) => ({
      reward,
      score,
      version: "v1",
      approximate: false,
    }));
    at.library.recordScores(id, entries);
  }
}, 60_000); // a reader may take its time to start
afterAll(async () => {
  await at.close();
  await readers.close();
});

const page = (given: object = {}) => at.library.page(libraryQuery.parse({ sort: "name", ...given }));
const names = (given: object = {}) => page(given).items.map(({ name }) => name);

test.each([
  ["a word", { text: "fox" }, ["2.png", "10.png"]],
  ["a whole word among longer ones", { text: "foxes" }, ["10.png"]],
  ["a short word", { text: "at" }, ["10.png"]],
  ["all words", { text: "red fox" }, ["2.png"]],
  ["a phrase", { text: '"fox red"' }, []],
  ["a phrase in order", { text: '"red fox"' }, ["2.png"]],
  ["not a word", { text: "fox -night" }, ["2.png"]],
  ["accents or none", { text: "cafe" }, ["b_old-house.png"]],
  ["signs of Japanese", { text: "少女" }, ["c.png"]],
  ["a part of a file's name", { text: "house" }, ["b_old-house.png"]],
  ["settings", { text: "euler dream" }, ["2.png", "10.png"]],
  ["operators of the index as plain words", { text: 'fox AND ("' }, []],
  ["a great score", { bucket: "great" }, ["2.png", "10.png"]],
  ["a middling or a weak score", { bucket: ["ok", "weak"] }, ["b_old-house.png", "c.png"]],
  ["no score", { bucket: "unscored" }, ["subway.png", "z.jpg"]],
  ["another reward's limits", { bucket: "great", reward: "shapes" }, ["c.png"]],
  ["a range, closed at both ends", { scores: "ImageReward:0.999..1" }, ["10.png", "b_old-house.png"]],
  ["two ranges", { scores: ["imagereward:..2", "Shapes:..0"] }, ["2.png"]],
  ["a model", { model: "xl" }, ["b_old-house.png", "c.png", "subway.png"]],
  ["no model, or one", { model: ["", "dream"] }, ["2.png", "10.png", "z.jpg"]],
  ["a host", { host: "a1111", seed: "3" }, ["subway.png"]],
  ["a seed of 64 bits", { seed: "18446744073709551615" }, ["b_old-house.png"]],
  ["a day to its end", { from: "2024-05-02", to: "2024-05-03" }, ["10.png", "b_old-house.png"]],
  ["moments", { from: "2024-05-03T12:00:00Z", to: "2024-05-04T11:59:59+00:00" }, ["b_old-house.png"]],
])("the filter finds %s", (_, filter, wanted) => {
  expect(names(filter)).toEqual(wanted);
  expect(page(filter).total).toBe(wanted.length);
});

test("a folder means all in it, and not what merely begins like it", () => {
  expect(names({ folder: join(at.folder, "sub") })).toEqual(["b_old-house.png", "c.png"]);
});

test.each([
  ["name", ["2.png", "10.png", "b_old-house.png", "c.png", "subway.png", "z.jpg"]],
  ["-score", ["2.png", "10.png", "b_old-house.png", "c.png"]],
  ["score", ["c.png", "b_old-house.png", "10.png", "2.png"]],
  ["seed", ["subway.png", "10.png", "2.png", "c.png", "b_old-house.png", "z.jpg"]],
  ["-seed", ["b_old-house.png", "c.png", "2.png", "10.png", "subway.png", "z.jpg"]],
  ["date", ["2.png", "10.png", "b_old-house.png", "c.png", "subway.png", "z.jpg"]],
  ["prompt", ["subway.png", "2.png", "b_old-house.png", "10.png", "c.png", "z.jpg"]],
])("sorted by %s, with those that have none last", (sort, wanted) => {
  expect(names({ sort }).slice(0, wanted.length)).toEqual(wanted);
  expect(names({ sort })).toHaveLength(6);
});

test.each(["-score", "score", "-date", "name", "seed", "-model", "host", "prompt", "-size"])(
  "pages by %s hold every picture once, whatever their size",
  (sort) => {
    const whole = names({ sort });
    for (const limit of [1, 2, 5]) {
      const found: string[] = [];
      for (let cursor: string | undefined; ; ) {
        const { items, next } = page({ sort, limit, ...(cursor && { cursor }) });
        found.push(...items.map(({ name }) => name));
        if (next === null) break;
        cursor = next;
      }
      expect(found).toEqual(whole);
    }
  },
);

test("pages are not shifted by a picture that comes in between", async () => {
  const { items, next } = page({ sort: "-date", limit: 3 });
  await picture(join(at.folder, "new.png"));
  await at.library.scan();
  const rest = page({ sort: "-date", limit: 100, cursor: next! }).items;
  const all = [...items, ...rest].map(({ name }) => name);
  expect(new Set(all).size).toBe(all.length);
  expect(all.filter((name) => name !== "new.png")).toHaveLength(6);
  await (await import("node:fs/promises")).rm(join(at.folder, "new.png"));
  await at.library.scan();
});

test("a cursor of another list, or none at all, is refused with the reason", () => {
  const { next } = page({ sort: "-score", limit: 1 });
  expect(() => page({ sort: "name", cursor: next! })).toThrow(/sorted -score, but this one is sorted name/);
  expect(() => page({ sort: "-score", reward: "shapes", cursor: next! })).toThrow(/-score by imagereward/);
  expect(() => page({ cursor: "nonsense" })).toThrow(/none that a page ended with/);
  expect(() => page({ cursor: Buffer.from('["name","",{},1]').toString("base64url") })).toThrow(/none that a page/);
});

test("the histogram counts every score once, and the buckets by the limits", () => {
  const { reward, from, to, bins, buckets } = at.library.histogram({ bins: 4 });
  expect([reward, from, to]).toEqual(["ImageReward", -0.5, 1.5]);
  expect(bins).toEqual([1, 0, 1, 2]); // -0.5 | | 0.999 | 1 and 1.5
  expect(buckets).toEqual({ great: 2, ok: 1, weak: 1, unscored: 2 });
  expect(at.library.histogram({ bins: 4, text: "fox" })).toMatchObject({ from: 1, to: 1.5, bins: [1, 0, 0, 1] });
  expect(at.library.histogram({ bins: 2, ...libraryFilter.parse({ bucket: "unscored" }) })).toMatchObject({
    ...{ from: 0, to: 0, bins: [0, 0] },
    buckets: { great: 0, ok: 0, weak: 0, unscored: 2 },
  });
});

test("names to filter by come with their counts", () => {
  expect(at.library.facets()).toEqual({
    hosts: [{ name: "a1111", count: 5 }],
    models: [
      { name: "xl", count: 3 },
      { name: "dream", count: 2 },
    ],
    folders: [
      { name: at.folder, count: 3 },
      { name: join(at.folder, "sub"), count: 2 },
      { name: join(at.folder, "plain"), count: 1 },
    ],
    rewards: [
      { name: "ImageReward", count: 4 },
      { name: "Shapes", count: 2 },
    ],
    total: 6,
  });
});

test("the newest score of a reward is shown, and every version is kept", () => {
  const { id } = page({ text: "house" }).items[0]!;
  at.library.recordScores(id, [{ reward: "imagereward", score: 0.999, version: "v2", approximate: true }]);
  expect(page({ text: "house" }).items[0]!.scores).toEqual({ imagereward: 0.999 });
  const versions = at.library.picture(id).allScores.map(({ version, approximate }) => [version, approximate]);
  expect(versions.sort()).toEqual([
    ["v1", false],
    ["v2", true],
  ]);
  at.library.recordScores(id, [{ reward: "ImageReward", score: 0.999, version: "v1", approximate: false }]);
});

test("pictures that lack a score are told, by any spelling of the reward", () => {
  const lacking = (rewards: string[], options = {}) =>
    at.library
      .wanting(rewards, options)
      .map((id) => at.library.picture(id).name)
      .sort();
  expect(lacking(["imagereward=1@/models/x.pt"])).toEqual(["subway.png", "z.jpg"]);
  expect(lacking(["imagereward", "shapes"])).toEqual(["10.png", "b_old-house.png", "subway.png", "z.jpg"]);
  expect(lacking(["imagereward"], { again: true })).toHaveLength(6);
  const ids = page({ model: "dream" }).items.map(({ id }) => id);
  expect(lacking(["shapes"], { ids })).toEqual(["10.png"]);
});

async function exported(format: "csv" | "json"): Promise<string> {
  let text = "";
  for await (const part of at.library.exportRows({ format, sort: "name" })) text += part;
  return text;
}

test("the CSV is what RFC 4180 says, and no cell of it is a formula", async () => {
  const lines = (await exported("csv")).split("\r\n");
  expect(lines).toHaveLength(8);
  expect(lines[0]).toBe(
    "id,path,name,folder,width,height,bytes,modified,format,host,model,prompt,seed,written,ImageReward,Shapes",
  );
  const subway = lines.find((line) => line.includes("subway.png"));
  expect(subway).toMatch(/,xl,"'=cmd\|' \/C calc'!A0, ""quoted""",3,false,,$/);
  expect(lines.find((line) => line.includes("2.png"))).toMatch(/"a red fox, \(masterpiece\)",10,false,1.5,-1$/);
});

test("the JSON is a list of the same", async () => {
  const rows = JSON.parse(await exported("json")) as { name: string; scores: object }[];
  expect(rows.map(({ name }) => name)).toEqual(names());
  expect(rows[0]).toMatchObject({ seed: "10", scores: { ImageReward: 1.5, Shapes: -1 } });
});

test("thumbnails are WebP, 320 pixels at most, made once", async () => {
  const { id } = page({ bucket: "unscored", sort: "-name" }).items[0]!;
  const [{ path }, again] = await Promise.all([at.library.thumbnail(id), at.library.thumbnail(id)]);
  expect(again.path).toBe(path);
  expect(await sharp(path).metadata()).toMatchObject({ format: "webp", width: 320, height: 160 });
});

test("paths outside of the folders are refused, through links as well", async () => {
  const { symlink } = await import("node:fs/promises");
  await symlink("/etc", join(at.folder, "away"));
  for (const path of [
    "/etc/passwd",
    join(at.folder, "away", "passwd"),
    join(at.folder, "..", "home", "renoir.db"),
    "/nowhere",
  ]) {
    await expect(at.library.within(path)).rejects.toMatchObject({ code: "forbidden" });
  }
  await expect(at.library.within(join(at.folder, "nothing.png"))).rejects.toMatchObject({ code: "not-found" });
  expect(await at.library.within(join(at.folder, "sub", "..", "2.png"))).toBe(join(at.folder, "2.png"));
});
