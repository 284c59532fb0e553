// A request passed on and its answer passed back as they are, byte by byte, as they come.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Policy } from "../security.ts";
import { askUpstream, headersFor, type RawHeaders, withoutHops } from "./upstream.ts";

export interface Passing {
  readonly upstream: URL;
  readonly policy: Policy;
}

/** Where the body was read already, or is another than the one that came. */
export interface Changed {
  readonly body?: Buffer;
  readonly headers?: (raw: RawHeaders) => RawHeaders;
}

/** The upstream's answer, its body not read yet. Who asked and goes takes the question with him. */
export async function ask(
  request: IncomingMessage,
  response: ServerResponse,
  { upstream, policy }: Passing,
  { body, headers = (raw) => raw }: Changed = {},
): Promise<IncomingMessage> {
  const method = request.method ?? "GET";
  const raw = framed(headers(headersFor(upstream, request, policy)), method);
  const asking = askUpstream(upstream, { method, path: request.url ?? "/", headers: raw });
  response.once("close", () => {
    if (!response.writableFinished) asking.destroy();
  });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    asking.once("response", resolve);
    asking.on("error", reject);
  });
  // The upstream may answer, and stop listening, before it has been told everything.
  if (body) asking.end(body);
  else pipeline(request, asking).catch(() => {});
  return await answer;
}

const bodiless = new Set(["GET", "HEAD", "OPTIONS", "DELETE", "TRACE"]);

/** Without either of the two, Node would add the second. */
const framed = (raw: RawHeaders, method: string): RawHeaders =>
  bodiless.has(method) || raw.some((name, i) => i % 2 === 0 && /^(content-length|transfer-encoding)$/i.test(name))
    ? raw
    : [...raw, "Content-Length", "0"];

const noBytes = Buffer.alloc(0);

export async function passBack(answer: IncomingMessage, response: ServerResponse): Promise<void> {
  writeHead(answer, response, withoutHops(answer.rawHeaders, ["transfer-encoding"]));
  response.write(noBytes); // the headers go now, whenever the body comes; flushHeaders would write them as UTF-8
  // An answer that breaks off must not look like one that has ended: the connection breaks too.
  await pipeline(answer, response).catch(() => response.destroy());
}

export function writeHead(answer: IncomingMessage, response: ServerResponse, headers: RawHeaders): void {
  response.sendDate = false; // the upstream says its own, or none
  const cookies = [response.getHeader("set-cookie") ?? []].flat().flatMap((cookie) => ["Set-Cookie", String(cookie)]);
  response.writeHead(answer.statusCode!, answer.statusMessage, [...headers, ...cookies]);
}

// ---- websockets

/** From here on the two sides talk to each other. */
export function passUpgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  { upstream, policy }: Passing,
): void {
  const headers = [
    ...headersFor(upstream, request, policy),
    "Connection",
    "Upgrade",
    "Upgrade",
    request.headers.upgrade!,
  ];
  const asking = askUpstream(upstream, { method: request.method ?? "GET", path: request.url ?? "/", headers });
  socket.on("error", () => asking.destroy());
  socket.once("close", () => asking.destroy());
  asking.once("upgrade", (answer, other, first) => {
    socket.write(headOf(answer, answer.rawHeaders));
    if (first.length > 0) socket.write(first);
    if (head.length > 0) other.write(head);
    for (const [from, to] of [
      [other, socket],
      [socket, other],
    ] as const) {
      from.on("error", () => to.destroy());
      from.once("close", () => to.destroy());
      from.pipe(to);
    }
  });
  asking.once("response", (answer) => {
    const raw = [...withoutHops(answer.rawHeaders, ["transfer-encoding"]), "Connection", "close"];
    socket.write(headOf(answer, raw));
    pipeline(answer, socket).catch(() => socket.destroy());
  });
  asking.on("error", () => refuse(socket, 502, "Bad Gateway"));
  asking.end();
}

const headOf = ({ statusCode, statusMessage }: IncomingMessage, raw: RawHeaders) => {
  const lines = raw.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${raw[i + 1]}`] : []));
  return Buffer.from(`HTTP/1.1 ${statusCode} ${statusMessage}\r\n${lines.join("\r\n")}\r\n\r\n`, "latin1");
};

export function refuse(socket: Duplex, status: number, words: string): void {
  if (socket.writable) socket.end(`HTTP/1.1 ${status} ${words}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  else socket.destroy();
}
