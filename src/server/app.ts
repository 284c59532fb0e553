// The HTTP side put together: guard, API, documentation, page, and every failure's reply.

import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from "express";
import helmet from "helmet";
import { type Operation, type OperationName, operations } from "./api/operations.ts";
import { ownPrefix } from "./api/paths.ts";
import { type Asked, parseRequest } from "./asked.ts";
import { docs } from "./docs.ts";
import { BusyError, NotFoundError, replyOf, statusOf, toRenoirError } from "./errors.ts";
import { clientOf } from "./fairness.ts";
import { gateway, isPassed } from "./gateway/gateway.ts";
import { isSend } from "./handler.ts";
import { metrics } from "./metrics.ts";
import { openApi } from "./openapi.ts";
import { page } from "./page.ts";
import { handlers, heavy } from "./routes/index.ts";
import { healthOf } from "./routes/system.ts";
import { allowOrigins, guard } from "./security.ts";
import type { Services } from "./services.ts";
import { Uploads } from "./uploads.ts";

export const apiPath = "/api/v1";

export function createApp(services: Services): Express {
  const app = express();
  app.disable("x-powered-by").disable("etag"); // of JSON; files have theirs
  app.use(observe(services), ownHeaders(services), allowOrigins(services.policy), guard(services.policy));
  app.use(gateway(services));
  app.use(apiPath, createApi(services));
  const surface = createSurface(services);
  app.use(ownPrefix, surface);
  app.use(surface);
  app.use(unknownRoute, failed(services));
  return app;
}

/** What is not the API: at the root, and where an upstream has that, below the prefix. */
function createSurface(services: Services): express.Router {
  const router = express.Router();
  router.get("/health", (_request, response) => void response.json(healthOf(services)));
  router.get("/metrics", metrics(services));
  router.use("/docs", docs(`${apiPath}/openapi.json`));
  return router.use(page());
}

export function createApi(services: Services): express.Router {
  const router = express.Router();
  const description = openApi(services.version, apiPath);
  router.get("/openapi.json", (_request, response) => void response.json(description));
  for (const [name, operation] of Object.entries(operations) as [OperationName, Operation][]) {
    router[operation.method](operation.path, answer(name, operation, services));
  }
  return router.use(unknownRoute);
}

/** Everything that all operations have in common: whose turn it is, what was asked, what is replied. */
function answer(name: OperationName, operation: Operation, services: Services): RequestHandler {
  const handle = handlers[name](services) as (
    asked: Asked<OperationName>,
  ) => ReturnType<ReturnType<(typeof handlers)[OperationName]>>;
  const [status] = Object.keys(operation.answers).map(Number);
  return async (request, response) => {
    response.locals.route = `${apiPath}${operation.path}`;
    const client = clientOf(request);
    const end = heavy.has(name) ? services.fairness.begin(client) : () => {};
    const uploads = new Uploads(services.home);
    try {
      await services.fairness.turn(client);
      const parsed = await parseRequest(name, operation, request, uploads);
      const asked = { ...parsed, uploads, client, signal: goneSignal(response) };
      const reply = await handle(asked as Asked<OperationName>);
      if (isSend(reply)) await reply(response);
      else response.status(status!).set("Cache-Control", "no-store").json(reply);
    } finally {
      end();
      await uploads.dispose();
    }
  };
}

function goneSignal(response: Response): AbortSignal {
  const controller = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}

/** What comes from an upstream has its own. */
const ownHeaders =
  (services: Services): RequestHandler =>
  (request, response, next) => {
    if (isPassed(services, request.path)) next();
    else headers(request, response, next);
  };

/** Scripts are our own files only; Mantine puts its sizes into style attributes. No upgrade to https: there is none on localhost. */
const headers = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'", "'unsafe-inline'"],
      imgSrc: ["'self'", "data:", "blob:"],
      fontSrc: ["'self'"],
      connectSrc: ["'self'"],
      objectSrc: ["'none'"],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
    },
  },
  strictTransportSecurity: false,
  crossOriginOpenerPolicy: false, // browsers complain of it on an address that is neither https nor localhost
  originAgentCluster: false,
  xFrameOptions: { action: "deny" },
});

/** A line in the log and a count in the metrics for each answer. Of the address only the route's pattern: a query holds prompts. */
const observe =
  ({ log, metrics }: Services): RequestHandler =>
  (request, response, next) => {
    const began = performance.now();
    response.once("close", () => {
      const seconds = (performance.now() - began) / 1000;
      const { method } = request;
      const route = (response.locals.route as string | undefined) ?? "other";
      const status = response.writableFinished ? response.statusCode : 499;
      metrics.answered({ method, route, status }, seconds);
      log.debug({ method, route, status, ms: Math.round(seconds * 1000) }, `${method} ${route} ${status}`);
    });
    next();
  };

const unknownRoute: RequestHandler = (request) => {
  throw new NotFoundError(`There is no ${request.method} ${request.baseUrl}${request.path} here.`, {
    hint: "See /docs for what there is.",
  });
};

/** The one place where failures become replies. */
const failed =
  ({ log }: Services): ErrorRequestHandler =>
  (error, request, response, _next) => {
    if (response.destroyed) return; // nobody waits for the reply any more
    const ours = toRenoirError(error);
    const status = statusOf(ours);
    const route = response.locals.route ?? "other";
    if (status >= 500)
      log.error({ err: ours.cause ?? ours, route }, `${request.method} ${route} failed: ${ours.message}`);
    if (response.headersSent) return void response.destroy();
    if (ours instanceof BusyError) response.set("Retry-After", String(ours.retryAfterSeconds));
    if (status === 401) response.set("WWW-Authenticate", 'Bearer realm="Renoir"');
    response.status(status).set("Cache-Control", "no-store").json(replyOf(ours));
    discardRest(request);
  };

/** What is still on its way is read and forgotten: a connection that is closed instead can take the reply with it. */
function discardRest(request: Request): void {
  if (request.complete || request.destroyed) return;
  request.resume();
  setTimeout(() => request.destroy(), 10_000).unref();
}
