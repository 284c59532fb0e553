// The gateway: with a WebUI behind it, every address that is not Renoir's own is that WebUI's, on the same port.

import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import type { RequestHandler, Response } from "express";
import { ownPrefix } from "../api/paths.ts";
import { toRenoirError } from "../errors.ts";
import { checkHost, checkOrigin, isAuthorised } from "../security.ts";
import type { Services } from "../services.ts";
import { isGeneration, passGeneration } from "./generation.ts";
import { ask, passBack, passUpgrade, refuse } from "./pass.ts";
import { passedHeader } from "./upstream.ts";

const ownPaths = ["/api/v1", "/socket.io", ownPrefix];

const isOwn = (path: string) =>
  ownPaths.some((own) => path.toLowerCase() === own || path.toLowerCase().startsWith(`${own}/`));

/** Whether a request goes on to the WebUI. */
export const isPassed = ({ upstream }: Services, path: string): boolean => upstream() !== undefined && !isOwn(path);

export const gateway =
  (services: Services): RequestHandler =>
  async (request, response, next) => {
    const upstream = services.upstream();
    if (!upstream || isOwn(request.path)) return next();
    response.locals.route = "gateway";
    if (request.headers[passedHeader] !== undefined) return void failed(response, 508, circle(upstream));
    const passing = { upstream, policy: services.policy };
    try {
      if (isGeneration(request)) await passGeneration(request, response, services, passing);
      else await passBack(await ask(request, response, passing), response);
    } catch (error) {
      if (response.destroyed) return;
      if (response.headersSent) return void response.destroy();
      const ours = toRenoirError(error);
      if (ours.code === "too-large") failed(response, 413, ours.message);
      else
        failed(
          response,
          502,
          `No WebUI answers at ${upstream.origin} (${(error as Error).message}). Start it, or start Renoir with another --upstream.`,
          error,
        );
    }
  };

const circle = (upstream: URL) =>
  `The upstream ${upstream.origin} leads back to a gateway of Renoir. Start Renoir with the WebUI's own address as --upstream.`;

/** As A1111's API tells of its errors: what a client of it shows. */
function failed(response: Response, status: number, detail: string, error?: unknown): void {
  const errors =
    error instanceof Error ? `${(error as NodeJS.ErrnoException).code ?? error.name}: ${error.message}` : "";
  response.status(status).set("X-Renoir", "gateway").json({ error: "UpstreamError", detail, body: "", errors });
}

/**
 * Socket.IO takes its own upgrades; the others are the WebUI's, after the same questions as for a request that changes something.
 * What comes back ends them all: a server that closes waits for them, but does not know them any more.
 */
export function passUpgrades(server: Server, services: Services): () => void {
  const open = new Set<Duplex>();
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const url = new URL(request.url ?? "/", "http://x");
    if (isOwn(url.pathname) && url.pathname.toLowerCase().startsWith("/socket.io")) return;
    const upstream = services.upstream();
    if (!upstream || isOwn(url.pathname)) return refuse(socket, 404, "Not Found");
    if (request.headers[passedHeader] !== undefined) return refuse(socket, 508, "Loop Detected");
    const { policy } = services;
    try {
      checkHost(request.headers, policy);
      checkOrigin(request.headers, policy);
    } catch {
      return refuse(socket, 403, "Forbidden");
    }
    if (!isAuthorised(request.headers, policy, url.searchParams.get("token")))
      return refuse(socket, 401, "Unauthorized");
    request.url = request.url!.replace(/([?&])token=[^&]*&?/, "$1").replace(/[?&]$/, "");
    open.add(socket.once("close", () => open.delete(socket)));
    passUpgrade(request, socket, head, { upstream, policy });
  });
  return () => {
    for (const socket of open) socket.destroy();
  };
}
