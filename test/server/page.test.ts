import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import express from "express";
import { expect, onTestFinished, test } from "vitest";
import { createLog } from "../../src/server/log.ts";
import { page } from "../../src/server/page.ts";
import { freshFolder } from "../cli/command.ts";
import { ask } from "./serving.ts";

async function serve(folder: string): Promise<string> {
  const server = createServer(express().use(page(folder))).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("files with their hash in their names are kept for ever, the page is asked for anew, and every address of it is the page", async () => {
  const folder = join(await freshFolder(), ".hidden", "ui"); // the data folder may lie below ~/.local
  await mkdir(join(folder, "assets"), { recursive: true });
  await writeFile(join(folder, "index.html"), "<title>the page</title>");
  await writeFile(join(folder, "icon.svg"), "<svg/>");
  await writeFile(join(folder, "assets", "index-DfmnYt9A.js"), "1");
  const url = await serve(folder);
  const cached = async (path: string) => {
    const { status, headers, text } = await ask(url, path);
    return [status, headers["cache-control"], text];
  };
  expect(await cached("/assets/index-DfmnYt9A.js")).toEqual([200, "public, max-age=31536000, immutable", "1"]);
  expect(await cached("/icon.svg")).toEqual([200, "no-cache", "<svg/>"]);
  for (const path of ["/", "/refine", "/picture/0d334c14ae7a7f4d", "/settings?x=1"]) {
    expect(await cached(path)).toEqual([200, "no-cache", "<title>the page</title>"]);
  }
  for (const path of ["/assets/gone-123.js", "/gone.png", "/api/v1/gone", "/docs/gone"]) {
    expect([path, (await ask(url, path)).status]).toEqual([path, 404]);
  }
  expect((await ask(url, "/refine", { method: "POST" })).status).toBe(404);
});

test("without a page the server says so, and where the API is", async () => {
  const { status, text } = await ask(await serve(await freshFolder()), "/");
  expect([status, text.includes("was not built"), text.includes('href="/docs"')]).toEqual([200, true, true]);
});

test("the log is short lines for a person and JSON for everything else", () => {
  const said = (isTTY: boolean, json?: boolean) => {
    let text = "";
    const log = createLog({ json, stream: { isTTY, write: (line) => (text += line) } });
    log.info({ id: "x" }, "refine x: running");
    log.error({ err: new Error("the disk is full") }, "It failed.");
    log.debug("too much");
    return text;
  };
  expect(said(true)).toMatch(
    /^\d\d:\d\d:\d\d refine x: running\n\d\d:\d\d:\d\d Error: It failed\. the disk is full\n$/,
  );
  for (const text of [said(false), said(true, true)]) {
    const [first, second] = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect([first.id, first.msg, second.err.message]).toEqual(["x", "refine x: running", "the disk is full"]);
  }
});
