// A WebUI for the gateway's tests: answers as A1111's API does, with real PNGs, and tells what it was asked.

import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { onTestFinished } from "vitest";
import { picture } from "../cli/command.ts";

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

export interface Upstream {
  readonly url: string;
  /** Every request, in order. */
  readonly asked: Asked[];
  /** Titles of its scripts, as /sdapi/v1/scripts lists them. */
  scripts: string[];
  /** What txt2img answers in place of pictures it has drawn. */
  answer: string | undefined;
  close(): Promise<void>;
}

export const colours = ["red", "green", "blue", "white", "black"];
export const large = Buffer.alloc(5_000_000, "0123456789abcdef\n");
export const sha = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");

export async function startUpstream(): Promise<Upstream> {
  const upstream = { asked: [] as Asked[], scripts: ["adetailer"], answer: undefined as string | undefined };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const { method = "", url = "", rawHeaders } = request;
    upstream.asked.push({ method, url, rawHeaders, body });
    const path = url.split("?")[0]!;
    const answer = answers[path] ?? answers[`${method} ${path}`];
    if (answer) await answer(response, request, body, upstream);
    else response.writeHead(404, { "Content-Type": "application/json" }).end('{"detail":"Not Found"}');
  });
  server.on("upgrade", (request, socket, head) => {
    upstream.asked.push({ method: "UPGRADE", url: request.url!, rawHeaders: request.rawHeaders, body: head });
    if (request.url === "/no-socket") return void socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    socket.on("error", () => {});
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Socket: Yes\r\n\r\nhello ",
    );
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => void server.close(() => resolve()));
  };
  onTestFinished(close);
  return Object.assign(upstream, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close });
}

type Answer = (
  response: ServerResponse,
  request: IncomingMessage,
  body: Buffer,
  upstream: Omit<Upstream, "url" | "close">,
) => unknown;

const json = (response: ServerResponse, text: string, status = 200) => {
  response.writeHead(status, { "content-type": "application/json" }).end(text);
};

const answers: Readonly<Record<string, Answer>> = {
  "/": (response) => response.setHeader("Content-Type", "text/html").end("<title>the WebUI</title>"),
  "/assets/index.js": (response) => response.end("gradio's own"),
  "/docs": (response) => response.end("FastAPI's own"),
  "/echo": (response, _request, body) => response.end(body),
  "/odd": (response) => {
    response.sendDate = false;
    response.writeHead(207, "Quite Odd", [
      ["X-MiXed-Case", "1"],
      ["Set-Cookie", "a=1"],
      ["Set-Cookie", "b=2; Path=/"],
      ["x-latin", "caf\xe9"],
      ["Connection", "X-Hop"],
      ["X-Hop", "only here"],
      ["Content-Length", "3"],
    ] as unknown as string[]);
    response.end("odd");
  },
  "/gzip": (response) => response.setHeader("Content-Encoding", "gzip").end(gzipSync(large)),
  "/large": (response) => response.end(large),
  "/empty": (response) => response.writeHead(204).end(),
  "/events": async (response, request) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    let open = true;
    request.once("close", () => {
      open = false;
    });
    for (let i = 0; open && i < 200; i++) {
      response.write(`data: ${i}\n\n`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    response.end();
  },
  "/broken": (response) => {
    response.writeHead(200, { "Content-Length": "1000" });
    response.write("only this", () => response.destroy());
  },
  "GET /sdapi/v1/scripts": (response, _request, _body, { scripts }) =>
    json(response, JSON.stringify({ txt2img: scripts, img2img: scripts })),
  "POST /sdapi/v1/txt2img": async (response, _request, body, { answer, scripts }) => {
    const payload = JSON.parse(body.toString());
    const unknown = Object.keys(payload.alwayson_scripts ?? {}).find((name) => !scripts.includes(name.toLowerCase()));
    if (unknown)
      return json(
        response,
        `{"error":"HTTPException","detail":"always on script ${unknown} not found","body":"","errors":""}`,
        422,
      );
    json(response, answer ?? (await generate(payload)));
  },
};

interface Payload {
  readonly prompt: string;
  readonly seed: number;
  readonly batch_size: number;
  readonly grid?: boolean;
  readonly mask?: boolean;
}

/** Python writes 7.0 where JavaScript would write 7, and a space behind each colon and comma. */
export async function generate({ prompt, seed, batch_size: count, grid, mask }: Payload): Promise<string> {
  const images = await Promise.all(colours.slice(0, count).map((colour) => picture(colour, prompt)));
  const list = (values: readonly (string | number)[]) => `[${values.map((value) => JSON.stringify(value)).join(", ")}]`;
  const seeds = images.map((_, i) => seed + i);
  const texts = seeds.map((each) => infotext(prompt, each));
  const first = grid ? 1 : 0;
  const gridText = grid ? [`${prompt}, the grid`] : [];
  const info = `{"prompt": ${JSON.stringify(prompt)}, "all_prompts": ${list(images.map(() => prompt))}, "seed": ${seed}, "all_seeds": ${list(seeds)}, "subseed": 7, "all_subseeds": ${list(seeds.map((_, i) => 7 + i))}, "cfg_scale": 7.0, "index_of_first_image": ${first}, "infotexts": ${list([...gridText, ...texts])}, "styles": [], "version": "f2.0.1"}`;
  const encoded = images.map((image) => image.toString("base64"));
  const extra = await picture("yellow");
  const all = [...(grid ? [extra.toString("base64")] : []), ...encoded, ...(mask ? [extra.toString("base64")] : [])];
  return `{"images": ${list(all)}, "parameters": {"cfg_scale": 7.0, "seed": 18446744073709551615, "prompt": ${JSON.stringify(prompt)}}, "info": ${JSON.stringify(info)}}`;
}

export const infotext = (prompt: string, seed: number) =>
  `${prompt}\nNegative prompt: blurry\nSteps: 1, Sampler: Euler a, CFG scale: 7.0, Seed: ${seed}, Size: 96x64, Version: f2.0.1`;
