import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { addStored } from "../../src/scoring/store.ts";
import { SettingsStore } from "../../src/server/settings.ts";
import { freshFolder } from "../cli/command.ts";

const fileOf = (home: string) => join(home, "settings", "server.json");

async function homeWith(text: string): Promise<string> {
  const home = await freshFolder();
  await mkdir(join(home, "settings"));
  await writeFile(fileOf(home), text);
  return home;
}

test("what is changed is stored, and only that, so that the rest follows the defaults", async () => {
  const home = await freshFolder();
  const store = await SettingsStore.open(home);
  expect(store.get()).toMatchObject({ rewards: ["shapes"], scoreNew: true, outputFolder: join(home, "outputs") });
  const told: unknown[] = [];
  store.on("changed", (settings) => told.push(settings.idleMinutes));
  await Promise.all([store.change({ idleMinutes: 3 }), store.change({ writeNew: true })]);
  expect(told).toEqual([3, 3]);
  expect(JSON.parse(await readFile(fileOf(home), "utf8"))).toEqual({ idleMinutes: 3, writeNew: true });
  expect((await SettingsStore.open(home)).get()).toMatchObject({ idleMinutes: 3, writeNew: true, scoreNew: true });
});

test("what could never work is refused, and nothing is stored", async () => {
  const home = await freshFolder();
  const store = await SettingsStore.open(home);
  const before = store.get();
  await writeFile(join(home, "file"), "");
  const refused: [Parameters<typeof store.change>[0], string][] = [
    [{ rewards: ["shapes=much"] }, 'has the weight "much"'],
    [{ rewards: ["shapes", "beauty"] }, 'There is no reward "beauty"; there are imagereward, shapes.'],
    [{ limits: { Shapes: { weak: 2, great: 1 } } }, "Shapes: weak below 2 and great from 1 overlap."],
    [{ outputFolder: "pictures" }, 'The output folder "pictures" is no whole path.'],
    [{ outputFolder: join(home, "file", "pictures") }, "Pictures can not be written into"],
  ];
  for (const [change, words] of refused) await expect(store.change(change)).rejects.toThrow(words);
  expect(store.get()).toEqual(before);
});

test("an output folder is made as soon as it is chosen", async () => {
  const home = await freshFolder();
  const outputFolder = join(home, "new", "pictures");
  await (await SettingsStore.open(home)).change({ outputFolder });
  await access(outputFolder);
});

test("ImageReward is the default as soon as there is one", async () => {
  const home = await freshFolder();
  const store = await SettingsStore.open(home);
  const file = join(home, "ImageReward.pt");
  await writeFile(file, "weights");
  await addStored({ name: "imagereward", path: file }, home);
  await store.refresh();
  expect(store.get().rewards).toEqual(["imagereward"]);
});

test("settings of a later Renoir are kept; a file that can not be used is told, with the place, and left as it is", async () => {
  const home = await homeWith('{"idleMinutes": 7, "colour": "green"}');
  const store = await SettingsStore.open(home);
  await store.change({ scoreNew: false });
  expect(JSON.parse(await readFile(fileOf(home), "utf8"))).toEqual({
    colour: "green",
    idleMinutes: 7,
    scoreNew: false,
  });
  for (const [text, words] of [
    ['{"idleMinutes": "seven"}', "idleMinutes: "],
    ["[1]", "no object of settings"],
    ['{"idleMinutes": 7', "JSON"],
  ]) {
    const damaged = await homeWith(text!);
    await expect(SettingsStore.open(damaged)).rejects.toThrow(words);
    expect(await readFile(fileOf(damaged), "utf8")).toBe(text);
  }
});
