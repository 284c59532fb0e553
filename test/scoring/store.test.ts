import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, realpath, symlink, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { withLock } from "../../bin/lock.mjs";
import {
  addStored,
  findStored,
  listStored,
  modelFolder,
  removeStored,
  renoirHome,
  storePath,
} from "../../src/scoring/store.ts";

let home: string;
let weights: string;

beforeEach(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), "renoir store ")));
  weights = join(home, "my reward.safetensors");
  await writeFile(weights, "weights");
});

const exists = (file: string) =>
  readFile(file).then(
    () => true,
    () => false,
  );

test("a registry that was never written is empty, and asking does not create it", async () => {
  expect(await listStored(home)).toEqual([]);
  expect(await exists(storePath(home))).toBe(false);
});

test("what was added is found by its name, in any capitals, with its place and licence", async () => {
  await addStored({ name: "ImageReward", path: weights, license: "Apache-2.0" }, home);
  const found = await findStored("IMAGEREWARD", home);
  expect(found).toMatchObject({ name: "imagereward", path: weights, license: "Apache-2.0", pulled: false });
  expect(await findStored("other", home)).toBeUndefined();
});

test("a name that is added again has the new place, and is listed once", async () => {
  const second = join(home, "second.pt");
  await writeFile(second, "");
  await addStored({ name: "mine", path: weights }, home);
  await addStored({ name: "mine", path: second }, home);
  expect((await listStored(home)).map(({ name, path }) => [name, path])).toEqual([["mine", second]]);
});

test("a link is stored as the file behind it, so that the link may go", async () => {
  await symlink(weights, join(home, "link.safetensors"));
  const entry = await addStored({ name: "mine", path: join(home, "link.safetensors") }, home);
  expect(entry.path).toBe(weights);
});

test("a path that does not exist is refused by name", async () => {
  const missing = join(home, "nowhere.pt");
  await expect(addStored({ name: "mine", path: missing }, home)).rejects.toThrow(`${missing} can not be added`);
});

test.each(["", "../up", "a b", "Ä", ".hidden", "x".repeat(65)])("the name %j is refused", async (name) => {
  await expect(addStored({ name, path: weights }, home)).rejects.toThrow("is no name for a model");
});

test("removing an added model leaves its file alone; removing a pulled one deletes it", async () => {
  const folder = modelFolder("pulled", home);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "x.pt"), "x");
  await addStored({ name: "mine", path: weights }, home);
  await addStored({ name: "pulled", path: join(folder, "x.pt"), pulled: true }, home);
  expect(await removeStored("mine", home)).toMatchObject({ path: weights, deleted: false });
  expect(await removeStored("pulled", home)).toMatchObject({ deleted: true });
  expect(await exists(weights)).toBe(true);
  expect(await exists(join(folder, "x.pt"))).toBe(false);
  expect(await listStored(home)).toEqual([]);
});

test("removing what is not there says what is there", async () => {
  await addStored({ name: "mine", path: weights }, home);
  await expect(removeStored("yours", home)).rejects.toThrow(
    'There is no model "yours" in the registry: the ones added are mine.',
  );
});

test.each([
  ["no JSON", "{", "can read"],
  ["another version", '{"version":2,"models":[]}', "version"],
  ["an entry without a path", '{"version":1,"models":[{"name":"a","added":"2026-01-01T00:00:00Z"}]}', "models.0.path"],
])(
  "a registry that is %s is refused, with the file and the reason, and is not overwritten",
  async (_, text, reason) => {
    await mkdir(join(home, "settings"), { recursive: true });
    await writeFile(storePath(home), text);
    await expect(listStored(home)).rejects.toThrow(storePath(home));
    await expect(addStored({ name: "mine", path: weights }, home)).rejects.toThrow(reason);
    expect(await readFile(storePath(home), "utf8")).toBe(text);
  },
);

test("additions from two processes at once are all kept, and leave nothing beside the registry", async () => {
  const script = `
    import { withLock } from ${JSON.stringify(new URL("../../bin/lock.mjs", import.meta.url).href)};
    import { readFileSync, writeFileSync } from "node:fs";
    const file = process.argv[1];
    for (let i = 0; i < 20; i++) {
      await withLock(file + ".lock", async () => {
        const count = Number(readFileSync(file, "utf8"));
        await new Promise((resolve) => setTimeout(resolve, 1));
        writeFileSync(file, String(count + 1));
      });
    }`;
  const counter = join(home, "counter");
  await writeFile(counter, "0");
  const runs = [1, 2].map(
    () =>
      new Promise((resolve) =>
        spawn(process.execPath, ["--input-type=module", "-e", script, counter], { stdio: "inherit" }).on(
          "close",
          resolve,
        ),
      ),
  );
  const names = ["a", "b", "c", "d", "e", "f"];
  await Promise.all(names.map((name) => addStored({ name, path: weights }, home)));
  expect(await Promise.all(runs)).toEqual([0, 0]);
  expect(await readFile(counter, "utf8")).toBe("40");
  expect((await listStored(home)).map(({ name }) => name)).toEqual(names);
  expect(await readdir(join(home, "settings"))).toEqual(["models.json"]);
});

test("a lock left by a process that is gone, or that no one has touched for long, is taken over", async () => {
  const lock = join(home, "x.lock");
  await writeFile(lock, `${hostname()} 999999999 0.5`);
  expect(await withLock(lock, () => "after a dead process")).toBe("after a dead process");
  await writeFile(lock, `another-machine ${process.pid} 0.5`);
  const longAgo = new Date(Date.now() - 60_000);
  await utimes(lock, longAgo, longAgo);
  expect(await withLock(lock, () => "after a silent one")).toBe("after a silent one");
});

test("RENOIR_HOME says where everything lies", () => {
  const before = process.env.RENOIR_HOME;
  try {
    process.env.RENOIR_HOME = home;
    expect(renoirHome()).toBe(home);
    delete process.env.RENOIR_HOME;
    expect(renoirHome()).toMatch(/renoir/i);
  } finally {
    if (before === undefined) delete process.env.RENOIR_HOME;
    else process.env.RENOIR_HOME = before;
  }
});
