// `renoir start` is killed again and again by kill -9 in the middle of its work; started again, nothing is lost and nothing is
// there twice. What its parts do then is tested beside them (library/faults.test.ts, jobs.test.ts); this is the whole, over HTTP.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { expect, onTestFinished, test } from "vitest";
import { readMetadata } from "../../src/metadata/index.ts";
import { job, library, type Served, serve, until } from "../browser/serving.ts";
import { freshFolder, picture } from "../cli/command.ts";
import { ask } from "./serving.ts";

const count = 96;
const prompt = "a red circle left of a blue square";
const nameOf = (index: number) => `${String(index).padStart(3, "0")}.png`;

const rawOf = async (path: string) => (await sharp(path).removeAlpha().raw().toBuffer()).toString("base64");
const timesWritten = (path: string) => readFileSync(path, "latin1").split("Shapes Score:").length - 1;

test("killed while it scans, while it writes and while it refines, it goes on where it was", {
  timeout: 240_000,
}, async () => {
  const home = await freshFolder();
  const folder = await freshFolder();
  for (let i = 0; i < count; i++) {
    writeFileSync(join(folder, nameOf(i)), await picture(`hsl(${i}, 80%, 50%)`, prompt));
  }
  const pixels = await rawOf(join(folder, nameOf(7)));
  let server: Served = await serve(home);
  onTestFinished(() => server.kill("SIGKILL"));
  const restart = async () => {
    await server.kill("SIGKILL");
    server = await serve(home);
  };
  const mine = async () =>
    (await library(server.url, `?limit=1000&sort=name&folder=${encodeURIComponent(folder)}`)).items;
  const names = async () => (await mine()).map(({ name }) => name);
  const all = Array.from({ length: count }, (_, index) => nameOf(index));

  // while it scans, and scores what it has found
  expect((await ask(server.url, "/api/v1/library/folders", { body: { path: folder } })).status).toBe(202);
  await until(mine, (items) => items.length > 0);
  const found = (await names()).length;
  await restart();
  await until(names, (found) => found.length === count);
  expect(await names()).toEqual(all);
  const scored = await until(mine, (items) => items.some(({ scores }) => scores.Shapes !== undefined));
  const early = scored.filter(({ scores }) => scores.Shapes !== undefined);
  await restart();
  const items = await until(mine, (items) => items.every(({ scores }) => scores.Shapes !== undefined));
  expect(items.map(({ name }) => name)).toEqual(all);
  for (const { id, scores } of early) expect(items.find((item) => item.id === id)!.scores).toEqual(scores);

  // while it writes the scores into the files
  const write = () =>
    ask(server.url, "/api/v1/library", {
      method: "PATCH",
      body: { action: "write", ids: items.map(({ id }) => id) },
    });
  const interrupted = write().catch(() => undefined);
  const written = () => all.filter((name) => timesWritten(join(folder, name)) > 0).length;
  await until(
    async () => written(),
    (files) => files > 0,
  );
  await server.kill("SIGKILL");
  await interrupted;
  const before = written();
  server = await serve(home);
  expect((await write()).json).toMatchObject({ failed: [] });
  expect(readdirSync(folder).toSorted()).toEqual(all); // nothing half-written lies about
  expect(all.map((name) => timesWritten(join(folder, name)))).toEqual(all.map(() => 1));
  const { prompt: told, scores } = await readMetadata(join(folder, nameOf(7)));
  expect([told, scores.Shapes]).toEqual([prompt, Number(items[7]!.scores.Shapes!.toFixed(4))]);
  expect(await rawOf(join(folder, nameOf(7)))).toBe(pixels);

  // while it refines
  const body = { prompt, seed: 3, model: "shapes", rewards: ["shapes"], iterations: 5 };
  const { id } = (await ask(server.url, "/api/v1/refine", { body })).json;
  await until(
    () => job(server.url, id),
    ({ steps }) => steps.length >= 2,
  );
  await restart();
  const ended = await until(
    () => job(server.url, id),
    ({ ended }) => ended !== null,
  );
  expect([ended.state, ended.steps.map(({ step }) => step)]).toEqual(["done", [0, 1, 2, 3, 4]]);
  await Promise.all([1, 2].map(() => ask(server.url, `/api/v1/jobs/${id}/keep`, { body: {} })));
  const { total } = await library(server.url);
  expect(total).toBe(count + 12 + 1);
  console.log(`killed with ${found} of ${count} found, ${early.length} scored, ${before} written`);
});
