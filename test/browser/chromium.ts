// Chromium for the tests and the screenshots: one that the machine has, since none is downloaded.

import { accessSync, constants } from "node:fs";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const usual = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

const canRun = (path: string) => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

const named = process.env.RENOIR_CHROMIUM;
const found = (named ? [named] : usual).find(canRun);

/** Undefined where there is a browser; else what is missing and how to get it. */
export const noBrowser = found
  ? undefined
  : `No browser: none of ${(named ? [named] : usual).join(", ")} can be run. Install one, on Debian or Ubuntu with \`apt-get install chromium\`, or name yours in RENOIR_CHROMIUM.`;

if (noBrowser) console.warn(`The tests in a browser are passed over. ${noBrowser}`);

/** Sandboxed unless this is root's, for whom Chromium has no sandbox: what it shows here is our own page alone. */
export function openBrowser(): Promise<Browser> {
  if (!found) throw new Error(noBrowser);
  return chromium.launch({ executablePath: found, chromiumSandbox: process.getuid?.() !== 0 });
}

/** A page that remembers what no page of ours may do: complain, fail, or ask anyone but its own server. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext({
    baseURL: url,
    viewport: { width: 1280, height: 800 },
    reducedMotion: "reduce",
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const asked = request.url();
    if (!/^(data|blob):/.test(asked) && new URL(asked).host !== new URL(url).host) complaints.push(`outside: ${asked}`);
  });
  return { page, complaints };
}
