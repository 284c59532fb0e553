// /docs: the API to read and to try, by Swagger UI, from files of this machine.

import { createRequire } from "node:module";
import { dirname } from "node:path";
import { type RequestHandler, Router, static as serveFolder } from "express";

const folder = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
const files = ["swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"];

const page = (base: string) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Renoir's API</title>
    <link rel="stylesheet" href="${base}/swagger-ui.css" />
    <link rel="icon" href="${base}/favicon-32x32.png" />
  </head>
  <body>
    <div id="docs"></div>
    <script src="${base}/swagger-ui-bundle.js"></script>
    <script src="${base}/start.js"></script>
  </body>
</html>
`;

const script = (description: string) =>
  `SwaggerUIBundle(${JSON.stringify({ url: description, dom_id: "#docs", deepLinking: true, validatorUrl: null })});\n`;

export function docs(description: string): Router {
  const router = Router();
  router.get("/", (request, response) => void response.type("html").send(page(request.baseUrl)));
  router.get("/start.js", (_request, response) => void response.type("js").send(script(description)));
  const serve: RequestHandler = serveFolder(folder, { index: false, redirect: false });
  return router.use((request, response, next) => {
    if (files.includes(request.path.slice(1))) serve(request, response, next);
    else next();
  });
}
