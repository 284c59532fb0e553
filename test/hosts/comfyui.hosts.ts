// The nodes in a running ComfyUI, through its API: `npm run test:hosts -- --comfyui http://127.0.0.1:8188`.
// The plugin's server is used where it runs; else it is started here, and taken away for the tests of its absence.

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readMetadata, withScores } from "../../src/metadata/index.ts";
import type { Job } from "../../src/server/api/jobs.ts";
import type { ScoreReply } from "../../src/server/api/pictures.ts";
import { type RunningServer, startServer } from "../../src/server/start.ts";
import { ComfyUI, type Graph, node, type Run, type Scored, textChunks } from "./comfyuiApi.ts";

const url = process.env.RENOIR_COMFYUI;
const comfyui = new ComfyUI(url ?? "");

const prompt = "a red circle left of a blue square";
/** Pictures of the demo world: their files say how they were made. */
const folder = new URL("../../assets/pictures/", import.meta.url);

interface State {
  readonly state: string;
  readonly address: string;
}

/** A new name each time: a node whose inputs are those of an earlier run does not run. */
const fresh = () => `renoir-test/${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;

describe.skipIf(!url)("ComfyUI", () => {
  let names: string[];
  let home: string;
  let address: string;
  let own: RunningServer | undefined;

  beforeAll(async () => {
    names = (await readdir(folder)).filter((name) => name.endsWith(".png")).slice(0, 4);
    for (const name of names) await comfyui.upload(name, await readFile(new URL(name, folder)));
    home = await mkdtemp(join(tmpdir(), "renoir-hosts-"));
    const state = await comfyui.json<State>("/renoir/state");
    address = state.address;
    if (state.state === "away") await serve();
    else console.warn(`The server at ${address} is not this test's own: the tests of its absence are SKIPPED.`);
  });

  afterAll(async () => {
    await own?.close();
    if (home) await rm(home, { recursive: true, force: true });
  });

  async function serve(): Promise<void> {
    own = await startServer({ port: Number(new URL(address).port), home, demo: null });
  }

  /** Pictures as one batch, from the files that were sent. */
  function batch(count: number): { graph: Graph; images: [string, number] } {
    const graph: Graph = Object.fromEntries(
      names.slice(0, count).map((image, i) => [`load${i}`, node("LoadImage", { image })]),
    );
    let images: [string, number] = ["load0", 0];
    for (let i = 1; i < count; i++) {
      graph[`join${i}`] = node("ImageBatch", { image1: images, image2: [`load${i}`, 0] });
      images = [`join${i}`, 0];
    }
    return { graph, images };
  }

  /** A batch with scores by the built-in reward, from "score": images 0, numbers 1, scored 2. */
  function scoredBatch(count: number, text = prompt): Graph {
    const { graph, images } = batch(count);
    return {
      ...graph,
      reward: node("RenoirLoadReward", { reward: "shapes", weight: 1 }),
      score: node("RenoirScore", { images, prompt: text, reward: ["reward", 0] }),
    };
  }

  const from = (name: string) => ({ images: [name, 0], scored: [name, 2] });
  const totals = (scored: readonly Scored[] | undefined) => (scored ?? []).map(({ total }) => total);
  const files = async (run: Run, name: string) =>
    await Promise.all((run.outputs[name]?.images ?? []).map((image) => comfyui.file(image)));
  const pixels = async (picture: Uint8Array) => await sharp(picture).removeAlpha().raw().toBuffer();

  async function scoredByServer(): Promise<number[]> {
    const pictures = await Promise.all(names.map((name) => readFile(new URL(name, folder))));
    const images = pictures.map((bytes) => bytes.toString("base64"));
    const body = JSON.stringify({ images, prompt, rewards: ["shapes"] });
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(`${address}/api/v1/score`, { method: "POST", body, headers });
    return ((await answer.json()) as ScoreReply).results.map(({ total }) => total!);
  }

  test.each([1, 4])("a batch of %i has the server's own scores, in order", async (count) => {
    const run = await comfyui.run({ ...scoredBatch(count), view: node("PreviewImage", { images: ["score", 0] }) });
    expect(run.status.status_str).toBe("success");
    expect(totals(run.outputs.score!.renoir)).toEqual((await scoredByServer()).slice(0, count));
    expect((await files(run, "view")).length).toBe(count);
  });

  test("without a text, the prompt is that of the file that was loaded", async () => {
    const run = await comfyui.run(scoredBatch(1, ""));
    const own = (await readMetadata(await readFile(new URL(names[0]!, folder)))).prompt!;
    const told = await comfyui.run(scoredBatch(1, own));
    expect(totals(run.outputs.score!.renoir)).toEqual(totals(told.outputs.score!.renoir));
    expect(own).not.toBe(prompt);
  });

  test("without a text, the prompt is that of the sampler behind the pictures, in a graph of two", async (context) => {
    const checkpoints = await comfyui.checkpoints();
    if (checkpoints.length === 0) return context.skip();
    const graph: Graph = {
      model: node("CheckpointLoaderSimple", { ckpt_name: checkpoints[0] }),
      empty: node("EmptyLatentImage", { width: 64, height: 64, batch_size: 2 }),
      reward: node("RenoirLoadReward", { reward: "shapes", weight: 1 }),
    };
    const texts = { one: "a red circle", two: "two blue squares" };
    for (const [name, text] of Object.entries(texts)) {
      const sampler = { model: ["model", 0], positive: [`${name}-text`, 0], negative: [`${name}-text`, 0] };
      const how = { steps: 1, cfg: 1, sampler_name: "euler", scheduler: "normal", denoise: 1 };
      graph[`${name}-text`] = node("CLIPTextEncode", { text, clip: ["model", 1] });
      graph[name] = node("KSampler", { ...sampler, ...how, seed: 7, latent_image: ["empty", 0] });
      graph[`${name}-picture`] = node("VAEDecode", { samples: [name, 0], vae: ["model", 2] });
      const images = [`${name}-picture`, 0];
      graph[`${name}-read`] = node("RenoirScore", { images, prompt: "", reward: ["reward", 0] });
      graph[`${name}-told`] = node("RenoirScore", { images, prompt: text, reward: ["reward", 0] });
      graph[`${name}-save`] = node("RenoirSave", { ...from(`${name}-read`), filename_prefix: fresh() });
    }
    const run = await comfyui.run(graph);
    expect(comfyui.failure(run)).toBeUndefined();
    for (const name of Object.keys(texts)) {
      const read = totals(run.outputs[`${name}-read`]!.renoir);
      expect(read).toHaveLength(2);
      expect(read).toEqual(totals(run.outputs[`${name}-told`]!.renoir));
      const saved = await Promise.all((await files(run, `${name}-save`)).map((file) => readMetadata(file)));
      expect(saved.map(({ scores }) => scores.Shapes)).toEqual(read.map((score) => Number(score!.toFixed(4))));
      expect(saved[0]!.seed).toBe(7);
    }
  });

  test("rewards are chained, and their weighted sum is the total", async () => {
    const graph = scoredBatch(1);
    graph.more = node("RenoirLoadReward", { reward: "shapes", weight: 0.5 });
    const { scores, total } = (await comfyui.run(graph)).outputs.score!.renoir![0]!;
    expect(total).toBe(scores.Shapes);
    graph.reward = node("RenoirLoadReward", { reward: "shapes", weight: 0.5 });
    expect((await comfyui.run(graph)).outputs.score!.renoir![0]!.total).toBeCloseTo(total! / 2, 6);
  });

  test("sorted, with the first two kept: each file has its own score and the pixels it came with", async () => {
    const graph = scoredBatch(4);
    graph.top = node("RenoirTopK", { ...from("score"), count: 2, order: "best first" });
    graph.save = node("RenoirSave", { ...from("top"), filename_prefix: fresh() });
    const run = await comfyui.run(graph);
    const scores = await scoredByServer();
    const ranked = [0, 1, 2, 3].sort((a, b) => scores[b]! - scores[a]!);
    const saved = await files(run, "save");
    expect(saved).toHaveLength(2);
    for (const [place, file] of saved.entries()) {
      const source = ranked[place]!;
      const original = await readFile(new URL(names[source]!, folder));
      expect((await pixels(file)).equals(await pixels(original))).toBe(true);
      const { scores: told, warnings } = await readMetadata(file);
      expect(told).toEqual({ Shapes: Number(scores[source]!.toFixed(4)) });
      expect(warnings.filter((warning) => warning.includes("score"))).toEqual([]);
    }
  });

  test("worst first", async () => {
    const graph = scoredBatch(4);
    graph.top = node("RenoirTopK", { ...from("score"), count: 0, order: "worst first" });
    graph.save = node("RenoirSave", { ...from("top"), filename_prefix: fresh() });
    const told = totals((await comfyui.run(graph)).outputs.save!.renoir) as number[];
    expect(told).toEqual((await scoredByServer()).sort((a, b) => a - b));
  });

  test("a filter passes what reaches the limit, and gives the others apart", async () => {
    const scores = await scoredByServer();
    const limit = [...scores].sort((a, b) => b - a)[1]!;
    const graph = scoredBatch(4);
    // A little below: the widget's number and the score are not of one precision.
    graph.filter = node("RenoirFilter", { ...from("score"), limit: limit - 1e-6, if_none_passes: "block" });
    graph.passed = node("RenoirSave", { ...from("filter"), filename_prefix: fresh() });
    graph.rejected = node("RenoirSave", { images: ["filter", 3], scored: ["filter", 4], filename_prefix: fresh() });
    const { outputs } = await comfyui.run(graph);
    expect(totals(outputs.passed!.renoir)).toEqual(scores.filter((score) => score >= limit));
    expect(totals(outputs.rejected!.renoir)).toEqual(scores.filter((score) => score < limit));
  });

  test("where nothing passes, what follows is not run and nothing fails", async () => {
    const graph = scoredBatch(4);
    graph.filter = node("RenoirFilter", { ...from("score"), limit: 99, if_none_passes: "block" });
    graph.save = node("SaveImage", { images: ["filter", 0], filename_prefix: fresh() });
    graph.rejected = node("PreviewImage", { images: ["filter", 3] });
    const run = await comfyui.run(graph);
    expect(run.status.status_str).toBe("success");
    expect(run.outputs.save).toBeUndefined();
    expect(run.outputs.rejected!.images).toHaveLength(4);
    expect(run.outputs.filter!.renoir_note).toEqual(["0 of 4 reach 99: what follows is not run"]);
  });

  test("where nothing passes, the best one can be kept", async () => {
    const graph = scoredBatch(4);
    graph.filter = node("RenoirFilter", { ...from("score"), limit: 99, if_none_passes: "keep the best one" });
    graph.save = node("RenoirSave", { ...from("filter"), filename_prefix: fresh() });
    const { outputs } = await comfyui.run(graph);
    expect(totals(outputs.save!.renoir)).toEqual([Math.max(...(await scoredByServer()))]);
  });

  test("prompt and workflow are byte for byte those of Save Image; the score is where Renoir's own writer puts it", async () => {
    const workflow = { nodes: [{ id: 1, type: "Ünïcode 🙂" }], version: 0.4 };
    const graph = scoredBatch(1);
    graph.save = node("RenoirSave", { ...from("score"), filename_prefix: fresh() });
    graph.plain = node("SaveImage", { images: ["score", 0], filename_prefix: fresh() });
    const run = await comfyui.run(graph, workflow);
    const [saved] = await files(run, "save");
    const [plain] = await files(run, "plain");
    const [ours, theirs] = [textChunks(saved!), textChunks(plain!)];
    expect([...theirs.keys()]).toEqual(["prompt", "workflow"]);
    expect([...ours.keys()]).toEqual(["prompt", "workflow", "Shapes Score", "renoir"]);
    for (const key of theirs.keys()) expect(ours.get(key)!.equals(theirs.get(key)!)).toBe(true);
    const [score] = totals(run.outputs.save!.renoir);
    expect(Buffer.from(saved!).equals(await withScores(plain!, { Shapes: score! }))).toBe(true);
  });

  test("on a second run, with the score from the cache, it is in the file too", async () => {
    const graph = scoredBatch(1);
    graph.save = node("RenoirSave", { ...from("score"), filename_prefix: fresh() });
    await comfyui.run(graph);
    graph.save = node("RenoirSave", { ...from("score"), filename_prefix: fresh() });
    const run = await comfyui.run(graph);
    const cached = run.status.messages.find(([kind]) => kind === "execution_cached")![1].nodes;
    expect(cached).toContain("score");
    const [saved] = await files(run, "save");
    const [score] = await scoredByServer();
    expect((await readMetadata(saved!)).scores).toEqual({ Shapes: Number(score!.toFixed(4)) });
  });

  test("scores of another batch are refused with what to link", async () => {
    const graph = scoredBatch(2);
    graph.top = node("RenoirTopK", { ...from("score"), count: 1, order: "best first" });
    graph.save = node("RenoirSave", { images: ["score", 0], scored: ["top", 2], filename_prefix: fresh() });
    const run = await comfyui.run(graph);
    expect(comfyui.failure(run)).toMatch(/There are 2 pictures and scores for 1\. Link images and scored/);
  });

  const refine = (images: [string, number], more: Record<string, unknown>) =>
    node("RenoirRefine", {
      ...{ images, iterations: 4, mode: "refine", prompt: "", model: "", reward: ["reward", 0] },
      ...{ learning_rate: 5, regularization: 0.01, from_seed: -1, ...more },
    });

  test("a picture is refined from its own noise", async () => {
    const graph = scoredBatch(1);
    graph.refine = refine(["load0", 0], { iterations: 3 + Math.ceil(Math.random() * 3) });
    graph.save = node("SaveImage", { images: ["refine", 0], filename_prefix: fresh() });
    const run = await comfyui.run(graph);
    expect(comfyui.failure(run)).toBeUndefined();
    const [, before, after] = /^Shapes (-?[\d.]+) → (-?[\d.]+)$/.exec(run.outputs.refine!.renoir_note![0]!)!;
    expect(Number(after)).toBeGreaterThan(Number(before));
    const [made] = await files(run, "save");
    const { width, height } = await sharp(made!).metadata();
    expect({ width, height }).toEqual({ width: 64, height: 64 });
    expect((await pixels(made!)).equals(await pixels(await readFile(new URL(names[0]!, folder))))).toBe(false);
  });

  test("a refine that is interrupted ends on the server too", async () => {
    const graph = scoredBatch(1);
    graph.refine = refine(["load0", 0], { iterations: 5000 + Math.floor(Math.random() * 4000) });
    graph.save = node("PreviewImage", { images: ["refine", 0] });
    const id = await comfyui.queue(graph);
    const running = async () => {
      const { items } = (await (await fetch(`${address}/api/v1/jobs`)).json()) as { items: Job[] };
      return items.find(({ kind, state }) => kind === "refine" && state === "running")!;
    };
    await expect.poll(async () => (await running())?.progress?.done ?? 0, { timeout: 60_000 }).toBeGreaterThan(2);
    const job = await running();
    await comfyui.json("/interrupt", {});
    const run = await comfyui.ended(id);
    expect(run.status.messages.map(([kind]) => kind)).toContain("execution_interrupted");
    const state = async () => ((await (await fetch(`${address}/api/v1/jobs/${job.id}`)).json()) as Job).state;
    await expect.poll(state, { timeout: 20_000 }).toBe("cancelled");
  });

  test("what can not be refined says why", async () => {
    const graph = scoredBatch(1);
    graph.blank = node("EmptyImage", {
      width: 64,
      height: 64,
      batch_size: 1,
      color: Math.floor(Math.random() * 2 ** 24),
    });
    graph.refine = refine(["blank", 0], {});
    graph.save = node("PreviewImage", { images: ["refine", 0] });
    expect(comfyui.failure(await comfyui.run(graph))).toMatch(/The prompt is not known/);
  });

  test("the page's routes pass on what a page needs, from this page alone", async () => {
    const ask = (path: string, init?: RequestInit) => fetch(`${url}${path}`, init);
    expect((await ask("/renoir/api/v1/health")).status).toBe(200);
    expect((await ask("/renoir/api/v1/settings")).status).toBe(404);
    expect((await ask("/renoir/api/v1/library")).status).toBe(404);
    expect((await ask("/renoir/api/v1/score", { method: "POST", body: "{}" })).status).toBe(403);
    expect(await (await ask("/renoir/socket.io/socket.io.min.js")).text()).toContain("Socket.IO");
  });

  // Last: without the server, and with it again.
  test("with the server away pictures pass unscored, at once; with it back the same graph is scored", async (context) => {
    if (!own) return context.skip();
    await own.close();
    const graph = scoredBatch(1, `${prompt} ${fresh()}`);
    graph.save = node("RenoirSave", { ...from("score"), filename_prefix: fresh() });
    graph.filter = node("RenoirFilter", { ...from("score"), limit: 99, if_none_passes: "block" });
    graph.passed = node("SaveImage", { images: ["filter", 0], filename_prefix: fresh() });
    const started = performance.now();
    const away = await comfyui.run(graph);
    expect(performance.now() - started).toBeLessThan(2000);
    expect(away.status.status_str).toBe("success");
    expect(totals(away.outputs.score!.renoir)).toEqual([null]);
    expect(away.outputs.score!.renoir_note![0]).toContain(`No Renoir server answers at ${address}`);
    expect(away.outputs.passed!.images).toHaveLength(1);
    const [saved] = await files(away, "save");
    expect([...textChunks(saved!).keys()]).toEqual(["prompt", "workflow"]);
    const refining: Graph = { ...scoredBatch(1), refine: refine(["load0", 0], { iterations: 7 }) };
    refining.view = node("PreviewImage", { images: ["refine", 0] });
    expect(comfyui.failure(await comfyui.run(refining))).toMatch(
      /Refine is done by Renoir's server\. No Renoir server/,
    );

    await serve();
    const back = await comfyui.run(graph);
    expect(totals(back.outputs.score!.renoir)[0]).toBeTypeOf("number");
    expect((await readMetadata((await files(back, "save"))[0]!)).scores.Shapes).toBeTypeOf("number");
  });
});
