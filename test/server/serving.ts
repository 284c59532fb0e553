// A real server on a free port, with a data folder of its own, and requests that say exactly what they are told to.

import { type IncomingHttpHeaders, type RequestOptions, request } from "node:http";
import { onTestFinished } from "vitest";
import { type RunningServer, type StartOptions, startServer } from "../../src/server/start.ts";
import { freshFolder } from "../cli/command.ts";

/** Ends with the test; given in `beforeAll`, close it yourself. */
export async function serve(options: StartOptions = {}): Promise<RunningServer> {
  const server = await startServer({ port: 0, home: await freshFolder(), demo: null, ...options });
  onTestFinished(() => server.close());
  return server;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says
  readonly json: any;
}

export interface Question {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array | object;
}

/** The path goes over the line as it is written here: fetch would clean it up. */
export function ask(url: string, path: string, { method, headers, body }: Question = {}): Promise<Reply> {
  const isJson = body !== undefined && typeof body !== "string" && !(body instanceof Uint8Array);
  const payload = isJson ? JSON.stringify(body) : (body as string | Uint8Array | undefined);
  const { hostname, port } = new URL(url);
  const options: RequestOptions = {
    hostname,
    port,
    path,
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers: {
      ...(isJson && { "content-type": "application/json" }),
      ...(payload !== undefined && { "content-length": Buffer.byteLength(payload) }),
      ...headers,
    },
  };
  return new Promise((resolve, reject) => {
    const asking = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = response.headers["content-type"]?.startsWith("application/json");
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          text,
          json: isJson ? JSON.parse(text) : null,
        });
      });
    });
    asking.on("error", reject);
    asking.end(payload);
  });
}
