// Opening the port, and saying why where that fails.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { isIP } from "node:net";
import { RequestError, SystemError } from "../errors.ts";

export interface Timeouts {
  /** To send a request's headers. */
  readonly headersMs: number;
  /** To send all of a request: 256 MiB over a slow line. */
  readonly requestMs: number;
}

export const usualTimeouts: Timeouts = { headersMs: 15_000, requestMs: 300_000 };
const connectionLimit = 2000;

export function createHttpServer({ headersMs, requestMs }: Timeouts = usualTimeouts): Server {
  const server = createServer({
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    connectionsCheckingInterval: Math.min(5000, headersMs / 2),
    keepAliveTimeout: 10_000,
  });
  server.maxConnections = connectionLimit;
  return server;
}

export async function listen(server: Server, host: string, port: number): Promise<number> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host.replace(/^\[|\]$/g, ""), () => {
        server.removeListener("error", reject);
        resolve();
      });
    });
  } catch (error) {
    throw await whyNot(error as NodeJS.ErrnoException, host, port);
  }
  return (server.address() as AddressInfo).port;
}

/** Where a person's browser finds it: an address that means every address is no place to go to. */
export function urlOf(host: string, port: number): string {
  const bare = host.replace(/^\[|\]$/g, "");
  if (bare === "0.0.0.0" || bare === "") return `http://127.0.0.1:${port}`;
  if (bare === "::") return `http://[::1]:${port}`;
  return `http://${isIP(bare) === 6 ? `[${bare}]` : bare}:${port}`;
}

async function whyNot(error: NodeJS.ErrnoException, host: string, port: number): Promise<Error> {
  const hint = `Choose another, as in --port ${port < 65_535 ? port + 1 : 7861}.`;
  if (error.code === "EADDRINUSE") {
    const url = urlOf(host, port);
    if (await isRenoir(url)) {
      return new SystemError(`Renoir is running already, at ${url}.`, {
        hint: `Open that address, or stop that one first; a second one needs a port and a data folder of its own (--port, RENOIR_HOME).`,
      });
    }
    return new SystemError(`Port ${port} of ${host} is taken by another program.`, { hint, cause: error });
  }
  if (error.code === "EACCES") {
    return new SystemError(`Port ${port} may not be opened by this user.`, {
      hint: "Choose one from 1024 on.",
      cause: error,
    });
  }
  if (error.code === "EADDRNOTAVAIL" || error.code === "ENOTFOUND") {
    const here = "Give an address of this machine, or 0.0.0.0 for all of them; without --host it is 127.0.0.1.";
    return new RequestError(`${host} is no address of this machine.`, { hint: here, cause: error });
  }
  return new SystemError(`Renoir can not listen on ${host}, port ${port}: ${error.message}.`, { hint, cause: error });
}

/** One that wants a token says so in words of ours. */
async function isRenoir(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/api/v1/health`, { signal: AbortSignal.timeout(2000) });
    const reply = (await response.json()) as Record<string, unknown>;
    if (response.status === 401) return response.headers.get("www-authenticate")?.includes("Renoir") === true;
    return reply.status === "ok" && "uptimeSeconds" in reply && "engine" in reply;
  } catch {
    return false;
  }
}
