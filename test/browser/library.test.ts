import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Facets, LibraryItem } from "../../src/server/api/library.ts";
import type { Settings } from "../../src/server/api/system.ts";
import { freshFolder } from "../cli/command.ts";
import { noBrowser, openBrowser, openPage } from "./chromium.ts";
import { allScored, drawPictures, get, library, prompt, type Served, serve } from "./serving.ts";

const drawn = 6;
const patience = { timeout: 30_000 };

describe.skipIf(noBrowser)("the library in a browser", () => {
  let server: Served;
  let browser: Browser;
  let page: Page;
  let complaints: string[];
  let folder: string;

  beforeAll(async () => {
    [server, browser, folder] = await Promise.all([serve(await freshFolder()), openBrowser(), drawPictures(drawn)]);
    ({ page, complaints } = await openPage(browser, server.url));
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await server?.kill("SIGTERM");
  });

  const cells = () => page.getByRole("gridcell");
  const count = () => page.getByText(/^\d+ pictures?$/).textContent();
  const cellOf = (name: string) => page.getByRole("gridcell").filter({ hasText: name });
  const bucket = async (name: string) =>
    Number(await page.getByRole("group", { name: "Show" }).getByRole("button", { name }).locator("strong").innerText());

  test("the first start shows a filled library, and its scores arrive", async () => {
    const asked = Date.now();
    await page.goto("/");
    await expect.poll(() => cells().count(), patience).toBe(12);
    await expect.poll(() => page.getByRole("img", { name: /^Shapes −?\d\.\d\d, / }).count(), patience).toBe(12);
    console.log(`a first start's scores stood on the page after ${((Date.now() - asked) / 1000).toFixed(1)} s`);
    const { items } = await allScored(server.url, 12);
    const first = cells().first();
    expect(await first.getByRole("img", { name: /^Shapes/ }).innerText()).toContain(
      items[0]!.scores.Shapes!.toFixed(2).replace("-", "−"),
    );
    expect(await page.getByRole("note", { name: "About these pictures" }).innerText()).toContain("built-in demo");
  });

  test("a folder is added, and its pictures are found and scored", async () => {
    await page.getByRole("button", { name: "Add folder" }).click();
    await page.getByRole("textbox", { name: "Folder" }).fill(folder);
    await page.getByRole("dialog").getByRole("button", { name: "Add folder" }).click();
    await expect.poll(count, patience).toBe(`${12 + drawn} pictures`);
    const scored = async () => (await bucket("Great")) + (await bucket("OK")) + (await bucket("Weak"));
    await expect.poll(scored, patience).toBe(12 + drawn);
    expect(await bucket("Unscored")).toBe(0);
    await page.getByRole("gridcell").filter({ hasText: "built-in demo" }).first().waitFor();
    expect(await page.getByRole("note", { name: "About these pictures" }).count()).toBe(0);
    const { items } = await library(server.url, `?folder=${encodeURIComponent(folder)}`);
    expect(items.map(({ prompt, host, seed }) => [prompt, host, Number(seed)])).toEqual(
      expect.arrayContaining(Array.from({ length: drawn }, (_, i) => [prompt, expect.any(String), 100 + i])),
    );
    expect(items).toHaveLength(drawn);
  });

  test("dragging a limit of the histogram filters what is shown, at once and on the server", async () => {
    const great = page.getByRole("slider", { name: "Great from" });
    await page.getByRole("group", { name: "Show" }).getByRole("button", { name: "Great" }).click();
    const before = await bucket("Great");
    const scores = (await library(server.url, "?limit=200")).items.map(({ scores }) => scores.Shapes!);
    const from = (await great.boundingBox())!;
    const track = (await page.getByRole("img", { name: /scores are spread between/ }).boundingBox())!;
    const y = from.y + from.height / 2;
    await page.mouse.move(from.x + from.width / 2, y);
    await page.mouse.down();
    for (let i = 1; i <= 5; i++)
      await page.mouse.move(from.x + ((track.x + track.width * 0.75 - from.x) * i) / 5, y, { steps: 2 });
    await page.mouse.up();
    const limit = Number(await great.getAttribute("aria-valuenow"));
    const expected = scores.filter((score) => score >= limit).length;
    expect([expected < drawn + 12, expected !== before]).toEqual([true, true]);
    await expect.poll(count, patience).toBe(`${expected} ${expected === 1 ? "picture" : "pictures"}`);
    await expect.poll(() => bucket("Great"), patience).toBe(expected);
    expect((await get<Settings>(server.url, "/settings")).limits.Shapes!.great).toBe(limit);
    await page.getByRole("button", { name: "Clear all filters" }).click();
    await expect.poll(count, patience).toBe(`${12 + drawn} pictures`);
  });

  test("written scores stand in the file, and the picture's page shows them as PNG info", async () => {
    await page.goto(`/?folder=${encodeURIComponent(folder)}&sort=name`);
    await expect.poll(() => cells().count(), patience).toBe(drawn);
    await cells().first().click();
    await page.keyboard.press("Control+a");
    await expect.poll(() => page.getByText(`${drawn} chosen`).count()).toBe(1);
    await page.getByRole("button", { name: "Write scores" }).click();
    await page.getByText(`The scores now stand in the files of ${drawn} pictures.`).waitFor();
    const [item] = (await library(server.url, `?folder=${encodeURIComponent(folder)}&sort=name`)).items as [
      LibraryItem,
    ];
    const value = item.scores.Shapes!.toFixed(4);

    await page.keyboard.press("Escape");
    await cells().first().dblclick();
    await page.getByRole("heading", { name: item.name }).waitFor();
    await page.getByRole("tab", { name: "PNG info" }).click();
    await expect
      .poll(() => page.locator("pre").innerText(), patience)
      .toMatch(new RegExp(`^${prompt}\\n[^]*Shapes Score: ${value.replace(".", "\\.")}`));
    expect(await page.getByText("in the file", { exact: true }).count()).toBe(1);

    const bytes = await readFile(item.path);
    expect(bytes.toString("latin1")).toContain(`Shapes Score: ${value}`);
    const told = await promisify(execFile)(process.execPath, ["bin/renoir.mjs", "info", item.path, "--json"]);
    expect(JSON.parse(told.stdout)).toMatchObject({ prompt, scores: { Shapes: Number(value) } });
  });

  test("with the keyboard alone a picture is opened, the next one shown, and one chosen", async () => {
    await page.goto(`/?folder=${encodeURIComponent(folder)}&sort=name`);
    const { items } = await library(server.url, `?folder=${encodeURIComponent(folder)}&sort=name`);
    await expect.poll(() => cells().count(), patience).toBe(drawn);
    for (let i = 0; i < 60 && !(await page.evaluate("document.activeElement?.role === 'gridcell'")); i++)
      await page.keyboard.press("Tab");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: items[1]!.name }).waitFor();
    await page.getByText(`2 of ${drawn}`).waitFor();
    await page.keyboard.press("ArrowRight");
    await page.getByRole("heading", { name: items[2]!.name }).waitFor();
    expect(page.url()).toContain(`/picture/${items[2]!.id}`);
    await page.goBack();
    await expect.poll(() => cells().count(), patience).toBe(drawn);
    for (let i = 0; i < 60 && !(await page.evaluate("document.activeElement?.role === 'gridcell'")); i++)
      await page.keyboard.press("Tab");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Space");
    await expect.poll(() => page.getByText("1 chosen").count()).toBe(1);
    const selected = page.locator('[role=gridcell][aria-selected="true"]');
    expect([await selected.count(), await selected.getAttribute("data-index")]).toEqual([1, "1"]);
    await page.keyboard.press("Escape");
    await expect.poll(() => selected.count()).toBe(0);
  });

  test("what is deleted goes from the disk, and undo brings it back, file and all", async () => {
    await page.goto(`/?folder=${encodeURIComponent(folder)}&sort=name`);
    const { items } = await library(server.url, `?folder=${encodeURIComponent(folder)}&sort=name`);
    const { path, name, scores } = items[2]!;
    const bytes = await readFile(path);
    await cellOf(name).click();
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByText("Deleted 1 picture.").waitFor();
    await expect.poll(() => cells().count(), patience).toBe(drawn - 1);
    expect(existsSync(path)).toBe(false);
    await page.getByRole("button", { name: "Undo" }).last().click();
    await expect.poll(() => cells().count(), patience).toBe(drawn);
    expect((await readFile(path)).equals(bytes)).toBe(true);
    expect(await cellOf(name).count()).toBe(1);
    const after = await library(server.url, `?folder=${encodeURIComponent(folder)}&sort=name`);
    expect(after.items[2]).toMatchObject({ path, scores });
  });

  test("a picture that is dropped is scored and its info shown, and nothing of it is stored", async () => {
    const before = (await get<Facets>(server.url, "/library/facets")).total;
    const { items } = await library(server.url, `?folder=${encodeURIComponent(folder)}&sort=name`);
    const bytes = [...(await readFile(items[0]!.path))];
    await page.goto("/drop");
    await page.getByText("Drop pictures, or paste one").waitFor();
    const transfer = await page.evaluateHandle(`(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(${JSON.stringify(bytes)})], "dropped.png", { type: "image/png" }));
      return transfer;
    })()`);
    for (const event of ["dragenter", "dragover", "drop"])
      await page.locator("body").dispatchEvent(event, { dataTransfer: transfer });
    const row = page.getByRole("list", { name: "Dropped pictures" }).getByRole("listitem");
    const expected = items[0]!.scores.Shapes!.toFixed(2).replace("-", "−");
    await expect
      .poll(() => row.getByRole("img", { name: /^Shapes/ }).getAttribute("aria-label"), patience)
      .toContain(`Shapes ${expected}, `);
    await row.getByRole("button", { name: "What the file says" }).click();
    await row.getByText(prompt).first().waitFor();
    expect((await get<Facets>(server.url, "/library/facets")).total).toBe(before);
  });

  test("in all this the page complained of nothing and asked nobody but its server", () => {
    expect([...new Set(complaints)]).toEqual([]);
  });
});
