import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshFolder, start } from "../cli/command.ts";
import { startUpstream } from "../server/upstream.ts";
import { noBrowser, openBrowser, openPage } from "./chromium.ts";

describe.skipIf(noBrowser)("the page beside a WebUI", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  test("has its own address, with every page and file of it below, and the WebUI has the rest", async () => {
    const upstream = await startUpstream();
    const args = ["start", "--port", "0", "--json", "--upstream", upstream.url];
    const running = start(args, { env: { RENOIR_HOME: await freshFolder() } });
    await running.says('"listening"');
    const url = /"url":"([^"]+)"/.exec(running.said())![1]!;
    const { page, complaints } = await openPage(browser, url);
    await page.goto("/renoir-ui/");
    await page.getByRole("link", { name: "Models", exact: true }).click();
    await page.getByText("comes with Renoir").first().waitFor();
    expect(new URL(page.url()).pathname).toBe("/renoir-ui/models");
    await page.reload();
    await page.getByText("comes with Renoir").first().waitFor();
    await page.getByRole("link", { name: "Renoir, to the library" }).click();
    await page.waitForURL(/\/renoir-ui\/?(\?.*)?$/);
    expect(upstream.asked.map(({ url }) => url)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.goto("/");
    expect(await page.title()).toBe("the WebUI");
    running.kill("SIGTERM");
    await running.ended;
  }, 120_000);
});
