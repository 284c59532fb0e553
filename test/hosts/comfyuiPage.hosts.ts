// The nodes in ComfyUI's page, through a browser: scores on nodes, the menu, the panel, and a workflow read from a file of ours.

import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readMetadata } from "../../src/metadata/index.ts";
import { type RunningServer, startServer } from "../../src/server/start.ts";
import { ComfyUI, type Run } from "./comfyuiApi.ts";

const url = process.env.RENOIR_COMFYUI;
const comfyui = new ComfyUI(url ?? "");
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
/** Where screenshots go; none are taken without. */
const shots = process.env.RENOIR_SHOTS;
if (url && !existsSync(executablePath)) console.warn(`SKIPPED: no browser at ${executablePath}; CHROMIUM names one.`);

const folder = new URL("../../assets/pictures/", import.meta.url);
const names = ["2-a-red-circle-left-of-a-blue-square.png", "3-a-red-circle-left-of-a-blue-square.png"];
const prompt = "a red circle left of a blue square";

describe.skipIf(!url || !existsSync(executablePath))("ComfyUI in a browser", () => {
  let browser: Browser;
  let page: Page;
  let home: string;
  let own: RunningServer | undefined;
  const problems: string[] = [];

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "renoir-hosts-"));
    const { state, address } = await comfyui.json<{ state: string; address: string }>("/renoir/state");
    if (state === "away") own = await startServer({ port: Number(new URL(address).port), home, demo: null });
    for (const name of names) await comfyui.upload(name, await readFile(new URL(name, folder)));
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
    page = await browser.newPage({ viewport: { width: 1360, height: 900 } });
    page.on("pageerror", (error) => problems.push(String(error)));
    await page.goto(url!, { waitUntil: "domcontentloaded" });
    await page.waitForFunction("window.app?.graph && window.renoir", null, { timeout: 120_000 });
    await page.waitForTimeout(3000); // node definitions, first-run dialog
    await page.keyboard.press("Escape");
    await page.evaluate('app.extensionManager.setting.set("Comfy.Minimap.Visible", false)');
    await page.evaluate(helpers);
  });

  afterAll(async () => {
    await browser?.close();
    await own?.close();
    if (home) await rm(home, { recursive: true, force: true });
  });

  const shot = async (name: string, clip?: { x: number; y: number; width: number; height: number }) => {
    if (!shots) return;
    await page.evaluate("app.canvas.setDirty(true, true)");
    await page.waitForTimeout(1500);
    await page.screenshot({ path: `${shots}/comfyui-${name}.png`, ...(clip && { clip }) });
  };

  /** A graph by a function in the page; its nodes are kept in `window.at`. */
  async function build(body: string): Promise<void> {
    await page.evaluate(`(() => { test.clear(); const { place, set, at } = test; ${body} })()`);
    await page.waitForTimeout(500); // clicks find what was drawn
  }

  async function queue(): Promise<Run> {
    const before = await comfyui.json<Record<string, Run>>("/history");
    await page.evaluate("app.queuePrompt(0)");
    const fresh = async () => Object.entries(await comfyui.json<Record<string, Run>>("/history"));
    await expect.poll(async () => (await fresh()).length, { timeout: 60_000 }).toBe(Object.keys(before).length + 1);
    return (await fresh()).find(([id]) => !before[id])![1];
  }

  async function openMenu(name: string): Promise<void> {
    const [x, y] = await page.evaluate<[number, number]>(`test.titleOf("${name}")`);
    await page.mouse.click(x, y, { button: "right" });
  }

  const scores = (name: string) => page.evaluate<string[]>(`test.scoresOn("${name}")`);

  test("the scores stand on the nodes, the best one marked", async () => {
    await build(`
      at.first = place("LoadImage", 20, 70, 250, 300); set(at.first, "image", "${names[0]}");
      at.second = place("LoadImage", 20, 420, 250, 300); set(at.second, "image", "${names[1]}");
      at.join = place("ImageBatch", 310, 70); at.first.connect(0, at.join, 0); at.second.connect(0, at.join, 1);
      at.reward = place("RenoirLoadReward", 310, 190); set(at.reward, "reward", "shapes");
      at.score = place("RenoirScore", 310, 340, 300); at.join.connect(0, at.score, 0);
      at.reward.connect(0, at.score, at.score.findInputSlot("reward")); set(at.score, "prompt", "${prompt}");
      at.filter = place("RenoirFilter", 640, 70, 250); at.score.connect(0, at.filter, 0); at.score.connect(2, at.filter, 1);
      set(at.filter, "limit", 1);
      at.top = place("RenoirTopK", 640, 450, 250); at.filter.connect(0, at.top, 0); at.filter.connect(2, at.top, 1);
      at.save = place("RenoirSave", 930, 70, 290, 380); at.top.connect(0, at.save, 0); at.top.connect(2, at.save, 1);
    `);
    const run = await queue();
    expect(comfyui.failure(run)).toBeUndefined();
    const id = await page.evaluate<number>("test.at.score.id");
    const told = run.outputs[id]!.renoir!.map(({ total }) => total!.toFixed(4));
    await expect.poll(() => scores("score"), { timeout: 10_000 }).toEqual(told);
    const best = Math.max(...told.map(Number)).toFixed(4);
    await expect.poll(() => scores("save")).toEqual([best]);
    expect(await page.locator(".renoir-top code").first().textContent()).toBe(best);
    await shot("nodes");
  });

  test("a file of ours brings its workflow back", async () => {
    const { outputs } = Object.values(await comfyui.json<Record<string, Run>>("/history")).at(-1)!;
    const id = await page.evaluate<number>("test.at.save.id");
    const file = Buffer.from(await comfyui.file(outputs[id]!.images![0]!)).toString("base64");
    const types = "app.graph._nodes.map(({ type }) => type).sort()";
    const before = await page.evaluate<string[]>(types);
    await page.evaluate("app.graph.clear()");
    await page.evaluate(
      `fetch("data:image/png;base64,${file}").then((data) => data.blob())
        .then((data) => app.handleFile(new File([data], "saved.png", { type: "image/png" })))`,
    );
    await expect.poll(() => page.evaluate<string[]>(types)).toEqual(before);
    expect(before).toContain("RenoirSave");
  });

  test("the menu of a node with a picture scores it", async () => {
    await build(`at.load = place("LoadImage", 60, 90, 300, 340); set(at.load, "image", "${names[0]}");`);
    await page.waitForFunction("test.at.load.imgs?.length > 0");
    await openMenu("load");
    expect(await page.getByText("Refine with ReNO", { exact: true }).count()).toBe(1);
    await shot("menu", { x: 40, y: 40, width: 760, height: 560 });
    await page.getByText("Score", { exact: true }).click();
    await page
      .locator(".p-toast")
      .getByText(/Shapes -?\d\.\d{4}/)
      .waitFor({ timeout: 30_000 });
  });

  test("a node without a picture has no such menu", async () => {
    await build('at.empty = place("EmptyImage", 60, 90);');
    await openMenu("empty");
    await page.getByText("Title", { exact: true }).waitFor();
    expect(await page.getByText("Refine with ReNO", { exact: true }).count()).toBe(0);
  });

  test("the panel refines before one's eyes, and what is kept is in the history and the output folder", async () => {
    await build(`at.load = place("LoadImage", 60, 90, 300, 340); set(at.load, "image", "${names[0]}");`);
    await page.waitForFunction("test.at.load.imgs?.length > 0");
    await openMenu("load");
    await page.getByText("Refine with ReNO", { exact: true }).click();
    const panel = page.locator("#renoir_panel");
    await expect.poll(() => panel.locator(".renoir-prompt").textContent()).toBe(prompt);
    await panel.locator("summary").click();
    await panel.locator("[name=iterations]").fill("12");
    await panel.locator("summary").click();
    await panel.locator(".renoir-go").click();
    await page.waitForSelector("#renoir_panel[data-state=running] .renoir-curve polyline", { timeout: 120_000 });
    await page.waitForSelector("#renoir_panel[data-state=done]", { timeout: 120_000 });
    await shot("panel");
    const before = Object.keys(await comfyui.json<Record<string, Run>>("/history"));
    await panel.locator(".renoir-keep").click();
    await page.waitForSelector("#renoir_panel[data-state=kept]", { timeout: 60_000 });
    const [, kept] = Object.entries(await comfyui.json<Record<string, Run>>("/history")).find(
      ([id]) => !before.includes(id),
    )!;
    const [image] = Object.values(kept.outputs)[0]!.images!;
    expect(await panel.locator(".renoir-message").textContent()).toContain(image!.filename);
    const said = await readMetadata(await comfyui.file(image!));
    expect(said.prompt).toBe(prompt);
    expect(said.scores.Shapes).toBeTypeOf("number");
    await panel.locator(".renoir-close").click();
    expect(await panel.count()).toBe(0);
  });

  test("the node refines with progress and previews", async () => {
    await build(`
      at.load = place("LoadImage", 40, 90, 260, 320); set(at.load, "image", "${names[1]}");
      at.reward = place("RenoirLoadReward", 40, 470); set(at.reward, "reward", "shapes");
      at.refine = place("RenoirRefine", 350, 90, 400); at.load.connect(0, at.refine, 0);
      at.reward.connect(0, at.refine, at.refine.findInputSlot("reward")); set(at.refine, "iterations", 20 + Math.floor(Math.random() * 9));
      at.save = place("SaveImage", 800, 90, 320, 380); at.refine.connect(0, at.save, 0);
      window.heard = { progress: [], previews: 0 };
      const { api } = app;
      api.addEventListener("progress", ({ detail }) => heard.progress.push([detail.value, detail.max]));
      api.addEventListener("b_preview", () => heard.previews++);
    `);
    await page.evaluate("app.queuePrompt(0)");
    await page.waitForFunction("heard.previews > 0", null, { timeout: 60_000 });
    await shot("refine");
    await page.waitForFunction("test.at.save.imgs?.length > 0", null, { timeout: 120_000 });
    const { progress } = await page.evaluate<{ progress: [number, number][] }>("heard");
    const [last, max] = progress.at(-1)!;
    expect(last).toBe(max);
    expect(progress.length).toBeGreaterThan(3);
    await expect.poll(() => page.evaluate<string>('test.noteOn("refine")')).toMatch(/^Shapes -?[\d.]+ → -?[\d.]+$/);
  });

  test("ComfyUI's own menu tells how the server is", async () => {
    await page.evaluate('app.extensionManager.command.execute("Renoir.State")');
    await page
      .locator(".p-toast")
      .getByText(/Renoir \d.* runs at http/)
      .waitFor({ timeout: 10_000 });
    await page.evaluate('app.extensionManager.command.execute("Renoir.Unload")');
    await page
      .locator(".p-toast")
      .getByText(/left memory|No model is loaded/)
      .waitFor({ timeout: 10_000 });
  });

  test("the page has no errors of ours", () => {
    // ComfyUI's own, after a graph was cleared.
    expect(problems.filter((problem) => !/reading '(id|length)'/.test(problem))).toEqual([]);
  });
});

/** What the tests do in the page: as a text, since these are the page's own objects. */
const helpers = `window.test = {
  at: {},
  clear() { LiteGraph.closeAllContextMenus(window); app.graph.clear(); app.nodeOutputs = {}; test.at = {}; app.canvas.ds.offset = [60, 20]; app.canvas.ds.scale = 1; },
  place(type, x, y, width, height) {
    const node = LiteGraph.createNode(type);
    node.pos = [x, y];
    app.graph.add(node);
    node.setSize([width ?? node.size[0], height ?? node.size[1]]);
    return node;
  },
  set(node, name, value) {
    const widget = node.widgets.find((widget) => widget.name === name);
    widget.value = value;
    widget.callback?.(value);
  },
  titleOf(name) {
    const node = test.at[name];
    const [x, y] = app.canvas.ds.convertOffsetToCanvas([node.pos[0] + 60, node.pos[1] - 12]);
    const { left, top } = app.canvas.canvas.getBoundingClientRect();
    return [x + left, y + top];
  },
  placeOn: (name) => test.at[name].widgets?.find((widget) => widget.name === "renoir_scores")?.element,
  scoresOn: (name) => [...(test.placeOn(name)?.querySelectorAll("code") ?? [])].map((code) => code.textContent),
  noteOn: (name) => test.placeOn(name)?.querySelector("p")?.textContent ?? "",
};`;
