// `npm run screenshots`: the README's pictures of the page, taken from the running product.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { noBrowser, openBrowser, openPage } from "../browser/chromium.ts";
import { allScored, job, library, type Served, serve, until } from "../browser/serving.ts";
import { freshFolder } from "../cli/command.ts";
import { ask } from "../server/serving.ts";

const folder = process.env.RENOIR_SCREENSHOTS ?? "docs/images";
/** Bytes of a picture, since every clone fetches them. */
const most = 250_000;

const light = { colorScheme: "light" } as const;
const dark = { colorScheme: "dark" } as const;

let server: Served;
let browser: Browser;

beforeAll(async () => {
  if (noBrowser) throw new Error(noBrowser);
  [server, browser] = await Promise.all([serve(await freshFolder()), openBrowser()]);
  await allScored(server.url, 12);
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await server?.kill("SIGTERM");
});

/** The page at `path` once `ready` has seen what belongs on it. */
async function shoot(
  name: string,
  path: string,
  look: BrowserContextOptions,
  ready: (page: Page) => Promise<unknown>,
): Promise<void> {
  const { page, complaints } = await openPage(browser, server.url, { ...look, locale: "en-GB" });
  await page.goto(path);
  await ready(page);
  await page.waitForLoadState("networkidle");
  await page.evaluate("Promise.all([...document.images].map((image) => image.decode().catch(() => {})))");
  await page.waitForTimeout(400); // what fades in has come
  const taken = await page.screenshot();
  await page.context().close();
  const small = await sharp(taken).png({ palette: true, colours: 256, dither: 0.4, effort: 10 }).toBuffer();
  expect(small.length).toBeLessThan(most);
  expect(complaints).toEqual([]);
  await writeFile(join(folder, `${name}.png`), small);
}

const begin = async (path: string, body: object): Promise<string> => (await ask(server.url, path, { body })).json.id;

const done = (id: string) =>
  until(
    () => job(server.url, id),
    ({ ended }) => ended !== null,
    180_000,
  );

const weakest = async () => (await library(server.url, "?sort=score")).items[0]!;

test("the library", async () => {
  await shoot("library", "/?sort=-score", light, async (page) => {
    await expect.poll(() => page.getByRole("gridcell").count()).toBe(12);
    await page.getByRole("gridcell").first().hover();
  });
});

test("a picture", async () => {
  const { id, name } = (await library(server.url, "?sort=-score")).items[0]!;
  await shoot("picture", `/picture/${id}?sort=-score`, dark, (page) => page.getByRole("heading", { name }).waitFor());
});

test("a refine, and the two pictures beside each other", async () => {
  const { id } = await weakest();
  const body = { image: { id }, model: "shapes", rewards: ["shapes"], iterations: 16 };
  const refining = await begin("/api/v1/refine", body);
  await done(refining);
  await shoot("refine", `/refine/${refining}`, dark, async (page) => {
    await page.getByText("Did it get better?").waitFor();
    await page.getByRole("slider", { name: /^Compare before/ }).fill("68"); // through the square that goes
  });
  const { json } = await ask(server.url, `/api/v1/jobs/${refining}/keep`, { body: {} });
  await shoot("compare", `/compare/${id}/${json.result.kept.id}`, light, (page) =>
    expect.poll(() => page.locator("main img").count()).toBeGreaterThan(1),
  );
});

test("pictures that were generated", async () => {
  const body = { prompt: "two blue squares", seed: 21, count: 8, model: "shapes", rewards: ["shapes"] };
  const generating = await begin("/api/v1/generate", body);
  await done(generating);
  await shoot("generate", `/generate/${generating}`, light, (page) =>
    expect.poll(() => page.locator("main img").count()).toBeGreaterThanOrEqual(8),
  );
});

test("the models", async () => {
  await shoot("models", "/models", light, (page) => page.getByText("comes with Renoir").first().waitFor());
});
