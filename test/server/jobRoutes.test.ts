import { existsSync } from "node:fs";
import { cp, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { job as jobSchema } from "../../src/server/api/jobs.ts";
import { changeReply } from "../../src/server/api/library.ts";
import { type RunningServer, startServer } from "../../src/server/start.ts";
import { freshFolder } from "../cli/command.ts";
import { root } from "../house/sources.ts";
import { ask, type Question } from "./serving.ts";

let server: RunningServer;
let pictures: string;

beforeAll(async () => {
  const folder = await freshFolder();
  pictures = join(folder, "pictures");
  const demo = join(root, "assets", "pictures");
  const [first] = (await readdir(demo)).filter((name) => name.endsWith(".png"));
  await mkdir(pictures);
  await cp(join(demo, first!), join(pictures, "one.png"));
  server = await startServer({ port: 0, home: join(folder, "home"), demo: null, folders: [pictures] });
  await server.services.settings.change({ scoreNew: false });
  await server.services.library.scan();
}, 60_000);
afterAll(() => server?.close());

const api = (path: string, question?: Question) => ask(server.url, `/api/v1${path}`, question);
const one = () =>
  server.services.library.page({ sort: "name", limit: 10 }).items.find(({ name }) => name === "one.png")!;

async function ended(id: string) {
  for (;;) {
    const { json } = await api(`/jobs/${id}`);
    if (json.ended) return json;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("a picture of the library is refined, looked at, kept beside itself, and the job forgotten", {
  timeout: 120_000,
}, async () => {
  const started = await api("/refine", { body: { image: { id: one().id }, rewards: ["shapes"], iterations: 1 } });
  expect(started.status).toBe(202);
  const job = await ended(started.json.id);
  expect(jobSchema.safeParse(job).error?.issues).toBeUndefined();
  expect([job.state, job.source, job.error]).toEqual(["done", one().id, null]);
  for (const path of [job.result.picture, job.result.before, job.steps[0].preview]) {
    const { status, headers, text } = await ask(server.url, path);
    expect([path, status, headers["content-type"]?.split("/")[0], text.length > 100]).toEqual([
      path,
      200,
      "image",
      true,
    ]);
  }
  const kept = await api(`/jobs/${job.id}/keep`, { method: "POST" });
  expect(kept.json.result.kept.path).toBe(join(pictures, "one-refined.png"));
  expect((await api(`/library/${kept.json.result.kept.id}`)).json.name).toBe("one-refined.png");
  expect((await api(`/jobs/${job.id}/discard`, { method: "POST" })).json).toEqual({});
  expect((await api(`/jobs/${job.id}`)).status).toBe(404);
  expect(existsSync(join(pictures, "one-refined.png"))).toBe(true);
});

test("a job is cancelled by its id, and what draws is followed by its pictures", { timeout: 120_000 }, async () => {
  const body = { prompt: "a red circle", model: "shapes", seed: "18446744073709551615", rewards: ["shapes"] };
  const long = (await api("/generate", { body: { ...body, count: 64 } })).json.id;
  const cancelled = await api(`/jobs/${long}`, { method: "DELETE" });
  expect(cancelled.status).toBe(200);
  expect((await ended(long)).state).toBe("cancelled");
  const { id } = (await api("/generate", { body: { ...body, seed: 7, count: 1 } })).json;
  const job = await ended(id);
  expect([job.state, job.result.pictures.length, job.result.pictures[0].seed]).toEqual(["done", 1, "7"]);
  expect((await ask(server.url, job.result.pictures[0].picture)).headers["content-type"]).toBe("image/png");
  const list = (await api("/jobs")).json.items;
  expect(list[0]).toMatchObject({ id, kind: "generate" });
  expect(list[0].steps).toBeUndefined();
});

test("the library is scored, written, thinned out, and all of it taken back", { timeout: 120_000 }, async () => {
  const { id } = one();
  const scored = await ended(
    (await api("/library/score", { body: { ids: [id], rewards: ["shapes"], again: true } })).json.id,
  );
  expect([scored.state, scored.result.counts.scored]).toEqual(["done", 1]);
  const written = await api("/library", { method: "PATCH", body: { ids: [id], action: "write" } });
  expect([changeReply.safeParse(written.json).success, written.json.done]).toEqual([true, 1]);
  expect((await api("/info", { body: { image: { id } } })).json.scores.Shapes).toBeCloseTo(one().scores.Shapes!, 3);
  const deleted = await api("/library", { method: "DELETE", body: { ids: [id] } });
  expect([deleted.json.done, existsSync(join(pictures, "one.png"))]).toEqual([1, false]);
  expect((await api(`/library/${id}/file`)).status).toBe(404);
  expect((await api("/library/operations")).json.items[0].operation).toBe(deleted.json.operation);
  const undone = await api("/library/undo", { method: "POST" });
  expect([undone.status, undone.json.done, existsSync(join(pictures, "one.png"))]).toEqual([200, 1, true]);
});

test("folders come and go by their paths; their pictures come with a scan", { timeout: 60_000 }, async () => {
  const folder = await freshFolder();
  await cp(join(pictures, "one.png"), join(folder, "two.png"));
  const added = await api("/library/folders", { body: { path: folder } });
  expect(added.status).toBe(202);
  await ended(added.json.id);
  const names = async () => (await api("/library?sort=name")).json.items.map(({ name }: { name: string }) => name);
  expect(await names()).toContain("two.png");
  const left = await api("/library/folders", { method: "DELETE", body: { path: folder } });
  expect(left.json.items.map(({ path }: { path: string }) => path)).not.toContain(folder);
  expect(await names()).not.toContain("two.png");
  expect(existsSync(join(folder, "two.png"))).toBe(true);
});

test("models are loaded and let go by their names, and by their kinds where two have one name", {
  timeout: 60_000,
}, async () => {
  const memory = async () =>
    (await api("/models")).json.items.find(
      ({ name, kind }: { name: string; kind: string }) => name === "shapes" && kind === "reward",
    ).memory;
  expect((await api("/models/shapes/load", { method: "POST" })).status).toBe(200);
  expect(await memory()).toBe("loaded");
  expect((await ask(server.url, "/health")).json.models).toContain("shapes");
  expect((await api("/models/shapes/unload", { method: "POST" })).status).toBe(200);
  expect(await memory()).toBe("unloaded");

  const inMemory = async () =>
    (await api("/models")).json.items.filter(({ memory }: { memory: string }) => memory === "loaded");
  const loaded = await api("/models/shapes/load?kind=pipeline", { method: "POST" });
  expect(loaded.json).toMatchObject({ name: "shapes", kind: "pipeline", memory: "loaded" });
  expect((await inMemory()).map(({ kind }: { kind: string }) => kind)).toEqual(["pipeline"]);
  expect((await api("/models/shapes/unload?kind=reward", { method: "POST" })).json.memory).toBe("unloaded");
  expect(await inMemory()).toHaveLength(1);
  expect((await ask(server.url, "/health")).json.models).toEqual(["shapes"]);
  expect((await api("/models/shapes/unload?kind=pipeline", { method: "POST" })).json.memory).toBe("unloaded");
  expect((await api("/models/imagereward/load?kind=pipeline", { method: "POST" })).json.error).toMatchObject({
    code: "not-found",
    message: 'There is no pipeline "imagereward".',
  });
  expect((await api("/models/shapes/load?kind=host", { method: "POST" })).status).toBe(400);
  const refused = await api("/models/shapes", { method: "DELETE" });
  expect([refused.status, refused.json.error.code]).toEqual([400, "request"]);
});
