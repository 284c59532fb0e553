// The plugin in a running Forge, through a browser: the accordion, the gallery, and a picture that is refined and kept.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Forge, scoresOf } from "./forgeApi.ts";

const url = process.env.RENOIR_FORGE;
const forge = new Forge(url ?? "");
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
/** Where screenshots go; none are taken without. */
const shots = process.env.RENOIR_SHOTS;
if (url && !existsSync(executablePath)) console.warn(`SKIPPED: no browser at ${executablePath}; CHROMIUM names one.`);

describe.skipIf(!url || !existsSync(executablePath))("Forge in a browser", () => {
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
    page = await opened("light");
    page.on("pageerror", (error) => problems.push(String(error)));
  });

  afterAll(async () => {
    await browser?.close();
  });

  async function opened(theme: "light" | "dark"): Promise<Page> {
    const made = await browser.newPage({ viewport: { width: 1360, height: 1180 } });
    await made.goto(`${url}/?__theme=${theme}`, { waitUntil: "domcontentloaded" });
    await made.waitForSelector("#renoir_refine_txt2img", { timeout: 120_000 });
    return made;
  }

  const setting = (name: string) => page.locator(`#script_txt2img_renoir_${name}`);
  const shot = async (name: string, place: { screenshot(options: { path: string }): Promise<unknown> } = page) => {
    if (shots) await place.screenshot({ path: `${shots}/forge-${name}.png` });
  };

  async function set(selector: string, value: number): Promise<void> {
    const field = page.locator(selector).first();
    await field.fill(String(value));
    await field.press("Tab"); // gradio takes a number when the field is left
  }

  async function generate(): Promise<void> {
    const info = page.locator("#generation_info_txt2img textarea");
    const before = await info.inputValue();
    await page.locator("#txt2img_generate").click();
    // It holds the time of the job, so that it changes even where the pictures are the same.
    await expect.poll(() => info.inputValue(), { timeout: 240_000 }).not.toBe(before);
    await page.waitForTimeout(1500);
  }

  const thumbnails = () => page.locator("#txt2img_gallery .thumbnail-item.thumbnail-small");
  const texts = async () =>
    (JSON.parse(await page.locator("#generation_info_txt2img textarea").inputValue()) as { infotexts: string[] })
      .infotexts;

  test("the accordion tells how the server is", async () => {
    await page.locator("#script_txt2img_renoir_enabled .label-wrap").click();
    await expect.poll(() => setting("state").innerText(), { timeout: 10_000 }).toMatch(/^Renoir \d.* runs at http/);
    expect(await setting("start").isVisible()).toBe(false);
    await setting("enabled").scrollIntoViewIfNeeded();
    await shot("accordion", setting("enabled"));
  });

  test("a batch comes best first, with the score in the gallery's text", async () => {
    await page.locator("#txt2img_prompt textarea").fill("a red circle left of a blue square");
    for (const [name, value] of [
      ["steps", 1],
      ["width", 64],
      ["height", 64],
      ["cfg_scale", 1],
      ["batch_count", 2],
      ["batch_size", 2],
    ] as const) {
      await set(`#txt2img_${name} input[type=number]`, value);
    }
    await set("#txt2img_seed input", 42);
    await generate();
    const found = (await texts()).flatMap(scoresOf);
    expect(found).toHaveLength(4);
    expect(found).toEqual([...found].sort((a, b) => b - a));
    await thumbnails().last().click();
    await expect
      .poll(() => page.locator("#html_info_txt2img").innerText())
      .toContain(`Shapes Score: ${found.at(-1)!.toFixed(4)}`);
    await shot("gallery");
  });

  test("pasting a picture's text leaves Renoir's settings as they are", async () => {
    await setting("limit").locator("input").fill("0.25");
    await setting("limit").locator("input").press("Tab");
    await page.locator("#txt2img_prompt textarea").fill((await texts()).at(-1)!);
    await page.locator("#paste").first().click();
    await expect
      .poll(() => page.locator("#txt2img_prompt textarea").inputValue())
      .toBe("a red circle left of a blue square");
    await page.waitForTimeout(1500);
    expect(await setting("limit").locator("input").inputValue()).toBe("0.25");
    expect(await page.locator("#script_txt2img_renoir_enabled-visible-checkbox").isChecked()).toBe(true);
    expect(
      await page.locator("#setting_override_settings input, #txt2img_override_settings .token").count(),
    ).toBeLessThan(3);
  });

  test("a picture is refined, kept, and in the gallery behind its original", async () => {
    // Pasting a text sets its seed, and the batch stays as it was.
    const before = await thumbnails().count();
    await thumbnails().last().click();
    const texted = (await texts()).at(-1)!;
    await page.locator("#renoir_refine_txt2img").click();
    const panel = page.locator("#renoir_panel");
    await expect.poll(() => panel.locator(".renoir-message").innerText(), { timeout: 20_000 }).toMatch(/^Ready/);
    expect(await panel.locator(".renoir-prompt").innerText()).toBe("a red circle left of a blue square");
    expect(await panel.locator(".renoir-score-before").innerText()).toContain(scoresOf(texted)[0]!.toFixed(4));
    await panel.locator(".renoir-options summary").click();
    // The host's model is not one of one step, or not one that Renoir has: the built-in one draws in its place.
    await panel.locator("[name=model]").fill("shapes");
    await panel.locator("[name=iterations]").fill("12");
    await panel.locator(".renoir-go").click();
    await expect.poll(() => panel.locator(".renoir-message").innerText(), { timeout: 60_000 }).toMatch(/^Look [1-9]/);
    expect(await panel.locator(".renoir-after").getAttribute("src")).toMatch(/^blob:|preview$/);
    await expect.poll(() => panel.locator(".renoir-message").innerText(), { timeout: 120_000 }).toMatch(/^Done: /);
    await shot("refine");
    await panel.locator(".renoir-keep").click();
    await expect
      .poll(() => panel.locator(".renoir-message").innerText(), { timeout: 20_000 })
      .toMatch(/^Kept as .*-refined.*\.png/);
    const path = /^Kept as (.*\.png)/.exec(await panel.locator(".renoir-message").innerText())![1]!;
    await expect.poll(() => thumbnails().count(), { timeout: 20_000 }).toBe(before + 1);
    const { info } = await forge.read((await readFile(path)).toString("base64"));
    expect((await texts()).at(-1)).toBe(info);
    expect(scoresOf(info)).toHaveLength(1);
    await panel.locator(".renoir-close").click();
    await thumbnails().last().click();
    await expect.poll(() => page.locator("#html_info_txt2img").innerText()).toContain(scoresOf(info)[0]!.toFixed(4));
    await shot("kept");
  });

  test("a refine can be cancelled, and the best so far stays", async () => {
    await thumbnails().nth(1).click(); // behind the grid
    await page.locator("#renoir_refine_txt2img").click();
    const panel = page.locator("#renoir_panel");
    await expect.poll(() => panel.locator(".renoir-message").innerText(), { timeout: 20_000 }).toMatch(/^Ready/);
    await panel.locator(".renoir-options summary").click();
    await panel.locator("[name=model]").fill("shapes");
    await panel.locator("[name=iterations]").fill("500");
    await panel.locator(".renoir-go").click();
    await expect.poll(() => panel.locator(".renoir-message").innerText(), { timeout: 60_000 }).toMatch(/^Look [1-9]/);
    await panel.locator(".renoir-cancel").click();
    await expect.poll(() => panel.locator(".renoir-message").innerText(), { timeout: 20_000 }).toMatch(/^Cancelled/);
    await panel.locator(".renoir-close").click();
  });

  test("everything filtered: a picture that says so", async () => {
    await page.locator("#script_txt2img_renoir_filter input").check();
    await setting("limit").locator("input").fill("90");
    await setting("limit").locator("input").press("Tab");
    await page.waitForTimeout(500);
    await generate();
    expect(await thumbnails().count()).toBeLessThanOrEqual(1);
    expect(await page.locator("#html_log_txt2img").innerText()).toContain(
      "4 of 4 pictures were filtered out: scored below 90.",
    );
    await shot("filtered");
  });

  test("nothing of it made the page complain", () => {
    expect(problems).toEqual([]);
  });
});
