// The web page's files, as Vite has built them into dist/ui. Their names have their hashes in them, except index.html's.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type RequestHandler, Router, static as serveFolder } from "express";

/** From src/server/ and from dist/server/ alike. */
const built = fileURLToPath(new URL("../../dist/ui", import.meta.url));

export function page(folder = built): RequestHandler {
  if (!existsSync(join(folder, "index.html"))) return withoutPage;
  const router = Router();
  router.use(
    "/assets",
    serveFolder(join(folder, "assets"), { immutable: true, maxAge: "1y", index: false, redirect: false }),
  );
  router.use(
    serveFolder(folder, {
      index: false,
      redirect: false,
      setHeaders: (response) => void response.set("Cache-Control", "no-cache"),
    }),
  );
  router.use(async (request, response, next) => {
    if (!isPage(request)) return next();
    const text = await readFile(join(folder, "index.html"), "utf8");
    response.set("Cache-Control", "no-cache").type("html").send(below(request.baseUrl, text));
  });
  return router;
}

/** Vite names the page's files from where the page lies, which its deeper addresses would read as from there. */
const below = (base: string, text: string) => text.replaceAll('="./', `="${base}/`);

/** The page has addresses of its own, /refine or /settings, which a browser may begin at; files it would not ask for by that. */
const isPage = ({ method, path }: Parameters<RequestHandler>[0]) =>
  (method === "GET" || method === "HEAD") && !/^\/(api|docs|socket\.io|assets)\//.test(path) && !/\.\w+$/.test(path);

const withoutPage: RequestHandler = (request, response, next) => {
  if (request.method !== "GET" || request.path !== "/") return next();
  response.type("html").send(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Renoir</title>
<h1>Renoir is running</h1><p>Its web page was not built; in a checkout, <code>npm start</code> builds it. The API is described at <a href="/docs">/docs</a>.</p></html>`);
};
