import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JobSummary } from "../../src/server/api/jobs.ts";
import type { LibraryItem, LibraryPicture } from "../../src/server/api/library.ts";
import type { Health } from "../../src/server/api/system.ts";
import { freshFolder } from "../cli/command.ts";
import { noBrowser, openBrowser, openPage } from "./chromium.ts";
import { allScored, get, job, type Served, serve, until } from "./serving.ts";

const patience = { timeout: 45_000 };

describe.skipIf(noBrowser)("refining in a browser", () => {
  let server: Served;
  let browser: Browser;
  let page: Page;
  let complaints: string[];
  let weakest: LibraryItem;

  beforeAll(async () => {
    [server, browser] = await Promise.all([serve(await freshFolder()), openBrowser()]);
    ({ page, complaints } = await openPage(browser, server.url));
    const { items } = await allScored(server.url, 12);
    weakest = items.toSorted((a, b) => a.scores.Shapes! - b.scores.Shapes!)[0]!;
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await server?.kill("SIGTERM");
  });

  const jobId = () => /\/refine\/([\w-]+)$/.exec(page.url())![1]!;
  const tiles = () => page.getByRole("list", { name: "Film strip of the steps" }).getByRole("button");
  const curve = () => page.getByRole("img", { name: /^optimised: / });

  /** The steps that the film strip shows, by their numbers. */
  const shownSteps = async () => {
    const labels = await tiles().evaluateAll((buttons) => buttons.map((button) => String(button.ariaLabel)));
    return labels.map((label) => Number(/\d+/.exec(label)![0]));
  };

  async function beginRefine(iterations: number) {
    await page.goto(`/picture/${weakest.id}`);
    await page.locator("main").getByRole("link", { name: "Refine", exact: true }).click();
    await page.getByLabel("Iterations").fill(String(iterations));
    await page.getByRole("button", { name: "Refine", exact: true }).click();
    await page.waitForURL(/\/refine\/[\w-]+$/);
  }

  test("a refine draws its curve while it runs; what is kept is in the library", async () => {
    await beginRefine(8);
    const id = jobId();
    await expect.poll(() => curve().count(), patience).toBe(1);
    const early = await curve().getAttribute("aria-label");
    expect((await job(server.url, id)).state).toBe("running");
    await page.getByRole("button", { name: "Keep", exact: true }).waitFor();
    const ended = await job(server.url, id);
    expect([ended.state, ended.steps.map(({ step }) => step)]).toEqual(["done", [0, 1, 2, 3, 4, 5, 6, 7]]);
    await expect.poll(shownSteps).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(await curve().getAttribute("aria-label")).not.toBe(early);
    const best = ended.steps.reduce((a, b) => (b.loss! < a.loss! ? b : a));
    expect(ended.result!.best).toBe(best.step);
    expect(best.rewards!.Shapes!).toBeGreaterThan(ended.steps[0]!.rewards!.Shapes!);
    await page.getByText(`Of 8 steps, step ${best.step} pleased`).waitFor();

    await page.getByRole("button", { name: "Keep", exact: true }).click();
    await page.getByRole("link", { name: "Show it in the library" }).click();
    await page.waitForURL(/\/picture\/[\w-]+$/);
    const kept = await get<LibraryPicture>(server.url, `/library/${page.url().split("/").at(-1)}`);
    expect(kept).toMatchObject({ prompt: weakest.prompt, seed: weakest.seed, folder: weakest.folder });
    expect(kept.path).not.toBe(weakest.path);
    expect((await readFile(kept.path)).toString("latin1")).toContain(`ReNO best: ${best.step}`);
    expect(existsSync(weakest.path)).toBe(true);
    await page.getByRole("heading", { name: kept.name }).waitFor();
  });

  test("a server that is killed in the middle comes back, and each step is there once", {
    timeout: 120_000,
  }, async () => {
    await beginRefine(9);
    const id = jobId();
    await expect.poll(async () => (await tiles().count()) >= 3, patience).toBe(true);
    const { port } = new URL(server.url);
    await server.kill("SIGKILL");
    await page.getByText("Renoir’s server does not answer.").waitFor();
    const before = await shownSteps();
    server = await serve(server.home, Number(port));
    await expect.poll(() => page.getByText("Renoir’s server does not answer.").count(), patience).toBe(0);
    const during = await shownSteps();
    expect(during.slice(0, before.length)).toEqual(before);
    await page.getByRole("button", { name: "Keep", exact: true }).waitFor({ timeout: 60_000 });
    const all = Array.from({ length: 9 }, (_, step) => step);
    expect((await job(server.url, id)).steps.map(({ step }) => step)).toEqual(all);
    await expect.poll(async () => curve().getAttribute("aria-label"), patience).toContain("over 9 steps");
    expect(
      (await get<{ items: JobSummary[] }>(server.url, "/jobs")).items.filter(({ kind }) => kind === "refine"),
    ).toHaveLength(2);
  });

  test("a line that is cut for a few steps leaves no gap and doubles nothing", async () => {
    const lines: { close(): Promise<void> }[] = [];
    await page.routeWebSocket(/socket\.io/, (line) => void lines.push(line, line.connectToServer()));
    await beginRefine(8);
    const id = jobId();
    await expect.poll(async () => (await tiles().count()) >= 2, patience).toBe(true);
    expect(lines).toHaveLength(2); // the page's end of one socket, and the server's
    await page.context().setOffline(true); // so that no new one is made at once
    for (const line of lines) await line.close();
    const seen = (await job(server.url, id)).steps.length;
    await until(
      () => job(server.url, id),
      ({ steps }) => steps.length >= seen + 2,
    );
    expect((await tiles().count()) <= seen + 1).toBe(true);
    await page.context().setOffline(false);
    await page.getByRole("button", { name: "Keep", exact: true }).waitFor({ timeout: 60_000 });
    const { steps } = await job(server.url, id);
    const all = Array.from({ length: 8 }, (_, step) => step);
    expect(steps.map(({ step }) => step)).toEqual(all);
    await expect.poll(shownSteps).toEqual(all);
  });

  test("a run that is discarded goes from every page that is open", async () => {
    const id = jobId();
    const other = await page.context().newPage();
    await other.goto("/refine");
    const link = other.locator(`a[href="/refine/${id}"]`);
    await expect.poll(() => link.count(), patience).toBe(1);
    await page.getByRole("button", { name: "Discard" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Discard it" }).click();
    await page.waitForURL(`**/picture/${weakest.id}`);
    await expect.poll(() => link.count(), patience).toBe(0);
    expect(await get(server.url, `/jobs/${id}`)).toMatchObject({ error: { code: "not-found" } });
    await other.close();
  });

  test("a model is unloaded by its button, and its memory is given back", async () => {
    await page.goto("/models");
    const unload = page.getByRole("button", { name: "Unload the pipeline shapes" });
    await unload.click();
    await page.getByRole("button", { name: "Load the pipeline shapes", exact: true }).waitFor();
    const { items } = await get<{ items: { name: string; kind: string; memory: string }[] }>(server.url, "/models");
    const memory = (kind: string) => items.find((model) => model.name === "shapes" && model.kind === kind)!.memory;
    expect(memory("pipeline")).toBe("unloaded");
    if (memory("reward") === "loaded") {
      await page.getByRole("button", { name: "Unload the reward shapes" }).click();
      await page.getByRole("button", { name: "Load the reward shapes", exact: true }).waitFor();
    }
    const health = await until(
      () => get<Health>(server.url, "/health"),
      ({ models }) => models.length === 0,
    );
    expect(health.engine).toMatchObject({ state: "stopped", residentBytes: 0 });
    await page.getByText("No model is in memory").waitFor();
  });

  test("in all this the page complained of nothing but the times when there was no server", () => {
    const expected =
      /ERR_CONNECTION_REFUSED|ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_RESET|WebSocket is closed|ERR_EMPTY_RESPONSE/;
    expect(complaints.filter((text) => !expected.test(text))).toEqual([]);
  });
});
