import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { io } from "socket.io-client";
import { expect, onTestFinished, test } from "vitest";
import { RequestError } from "../../src/errors.ts";
import { headersFor, parseUpstream, withoutHops } from "../../src/server/gateway/upstream.ts";
import { startServer } from "../../src/server/start.ts";
import { freshFolder } from "../cli/command.ts";
import { ask, serve } from "./serving.ts";
import { large, sha, startUpstream, type Upstream } from "./upstream.ts";

/** What came over the line, byte by byte; headers as they were written. */
function exactly(url: string, path: string, options: { method?: string; headers?: string[]; body?: Buffer } = {}) {
  const { hostname, port } = new URL(url);
  const given = ["Host", new URL(url).host, ...(options.headers ?? [])] as never;
  return new Promise<{ status: number; words: string; headers: string[]; body: Buffer }>((resolve, reject) => {
    const asking = httpRequest(
      { hostname, port, path, method: options.method ?? "GET", headers: given },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const { statusCode, statusMessage, rawHeaders } = response;
          resolve({ status: statusCode!, words: statusMessage!, headers: rawHeaders, body: Buffer.concat(chunks) });
        });
      },
    );
    asking.on("error", reject);
    asking.end(options.body);
  });
}

async function both() {
  const upstream = await startUpstream();
  const server = await serve({ upstream: upstream.url });
  return { upstream, url: server.url, server };
}

const headerOf = (upstream: Upstream, name: string) => {
  const { rawHeaders } = upstream.asked.at(-1)!;
  return rawHeaders.flatMap((key, i) => (i % 2 === 0 && key.toLowerCase() === name ? [rawHeaders[i + 1]] : []));
};

test("status, words, headers and bytes come through as they are; what belongs to a connection does not", async () => {
  const { upstream, url } = await both();
  const theirs = await exactly(upstream.url, "/odd");
  const ours = await exactly(url, "/odd");
  const bare = (headers: string[]) => {
    const pairs = headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1]!]] : []));
    return pairs.filter(([name]) => !/^(connection|keep-alive|x-hop)$/i.test(name!));
  };
  expect([ours.status, ours.words, ours.body.toString()]).toEqual([207, "Quite Odd", "odd"]);
  expect(bare(ours.headers)).toEqual(bare(theirs.headers));
  expect(bare(ours.headers)).toContainEqual(["X-MiXed-Case", "1"]);
  expect(ours.headers).not.toContain("X-Hop");
});

test.each(["/gzip", "/large", "/empty", "/nowhere", "/docs"])(
  "%s is the same with and without the gateway",
  async (path) => {
    const { upstream, url } = await both();
    const [theirs, ours] = [await exactly(upstream.url, path), await exactly(url, path)];
    expect([ours.status, sha(ours.body)]).toEqual([theirs.status, sha(theirs.body)]);
    const [head, direct] = [
      await exactly(url, path, { method: "HEAD" }),
      await exactly(upstream.url, path, { method: "HEAD" }),
    ];
    expect([head.status, head.body.length]).toEqual([direct.status, 0]);
  },
);

test("a body goes up as it is, with its length or in chunks, small and large", async () => {
  const { upstream, url } = await both();
  for (const body of [Buffer.from("{}"), large]) {
    for (const framing of [
      ["Content-Length", String(body.length)],
      ["Transfer-Encoding", "chunked"],
    ]) {
      for (const method of ["POST", "PUT", "DELETE"]) {
        const reply = await exactly(url, "/echo?q=%2F..//x&y", { method, headers: ["X-Mine", "é", ...framing], body });
        expect([reply.status, sha(reply.body)]).toEqual([200, sha(body)]);
        const { url: path, method: asked } = upstream.asked.at(-1)!;
        expect([asked, path]).toEqual([method, "/echo?q=%2F..//x&y"]);
        expect(headerOf(upstream, framing[0]!.toLowerCase())).toEqual([framing[1]]);
      }
    }
  }
  await talk(url, ["POST /echo HTTP/1.1", `Host: ${new URL(url).host}`, "Connection: close"], "never");
  expect([headerOf(upstream, "content-length"), headerOf(upstream, "transfer-encoding")]).toEqual([["0"], []]);
});

test("the WebUI sees the name that the browser knows, and the browser's own credentials, but not Renoir's", async () => {
  const upstream = await startUpstream();
  const token = "a-long-secret";
  const { url, services } = await serve({ upstream: upstream.url, token });
  expect((await exactly(url, "/echo")).status).toBe(401);
  const bearer = ["Authorization", `Bearer ${token}`];
  await exactly(url, "/echo", { headers: [...bearer, "Cookie", "mine=1"] });
  expect([headerOf(upstream, "authorization"), headerOf(upstream, "cookie")]).toEqual([[], ["mine=1"]]);
  expect(headerOf(upstream, "host")).toEqual([new URL(url).host]);
  const { headers } = await exactly(url, `/echo?token=${token}&a=1`, { headers: ["Authorization", "Basic abc"] });
  expect(upstream.asked.at(-1)!.url).toBe("/echo?a=1");
  expect(headerOf(upstream, "authorization")).toEqual(["Basic abc"]);
  const cookie = headers[headers.findIndex((name) => name.toLowerCase() === "set-cookie") + 1]!.split(";")[0]!;
  expect(cookie).toMatch(new RegExp(`^renoir-${services.policy.port}=`));
  expect((await exactly(url, "/echo", { headers: ["Cookie", `a=1; ${cookie}; b=2`] })).status).toBe(200);
  expect(headerOf(upstream, "cookie")).toEqual(["a=1; b=2"]);
});

test("strangers' names and pages are kept from the WebUI too", async () => {
  const { upstream, url } = await both();
  const asked = upstream.asked.length;
  expect((await ask(url, "/", { headers: { host: "evil.example" } })).status).toBe(403);
  const headers = { origin: "http://evil.example" };
  expect((await ask(url, "/sdapi/v1/txt2img", { body: {}, headers })).status).toBe(403);
  expect(upstream.asked.length).toBe(asked);
});

test("a page that was named at the start may ask the WebUI as well", async () => {
  const upstream = await startUpstream();
  const origin = "http://app.example:3000";
  const { url } = await serve({ upstream: upstream.url, allowOrigins: [origin] });
  const { status, headers } = await ask(url, "/sdapi/v1/scripts", { headers: { origin } });
  expect([status, headers["access-control-allow-origin"]]).toEqual([200, origin]);
});

test("with a WebUI behind it Renoir's page has its own address, and the API keeps its", async () => {
  const { url } = await both();
  expect((await ask(url, "/")).text).toBe("<title>the WebUI</title>");
  expect((await ask(url, "/assets/index.js")).text).toBe("gradio's own");
  expect((await ask(url, "/docs")).text).toBe("FastAPI's own");
  expect((await ask(url, "/")).headers["content-security-policy"]).toBeUndefined();
  expect((await ask(url, "/api/v1/health")).json.status).toBe("ok");
  for (const path of ["/renoir-ui", "/renoir-ui/", "/renoir-ui/refine"]) {
    const { text, headers } = await ask(url, path);
    expect(text).toMatch(/<title>Renoir<\/title>/);
    expect(headers["content-security-policy"]).toContain("default-src 'self'");
    for (const [, file] of text.matchAll(/(?:src|href)="([^"]+)"/g)) {
      if (!file!.startsWith("/renoir-ui/")) continue; // without a built page there is but a link to the documentation
      expect([file, (await ask(url, file!)).status]).toEqual([file, 200]);
    }
  }
  const docs = await ask(url, "/renoir-ui/docs/");
  expect(docs.text).toContain('src="/renoir-ui/docs/start.js"');
  expect((await ask(url, "/renoir-ui/docs/start.js")).text).toContain('"/api/v1/openapi.json"');
  expect((await ask(url, "/renoir-ui/metrics")).status).toBe(200);
});

test("events come one by one, and end with whoever listened", async () => {
  const { url } = await both();
  const { hostname, port } = new URL(url);
  const first = await new Promise<[string, number]>((resolve) => {
    const began = performance.now();
    const asking = httpRequest({ hostname, port, path: "/events" }, (response) => {
      response.once("data", (chunk) => {
        resolve([String(chunk), performance.now() - began]);
        asking.destroy();
      });
    });
    asking.end();
  });
  expect(first[0]).toContain("data: 0");
  expect(first[1]).toBeLessThan(5000); // all of them take 10 s
});

test("an answer that breaks off breaks off", async () => {
  const { url } = await both();
  await expect(exactly(url, "/broken")).rejects.toThrow();
});

test("a WebUI that is away is told of in its own API's form, and found again when it is back", async () => {
  const { upstream, url } = await both();
  await upstream.close();
  for (const path of ["/", "/sdapi/v1/txt2img"]) {
    const { status, json } = await ask(url, path, path === "/" ? {} : { body: { prompt: "x" } });
    expect(status).toBe(502);
    expect(json).toEqual({
      error: "UpstreamError",
      detail: expect.stringMatching(/^No WebUI answers at http:\/\/127\.0\.0\.1:\d+ \(.+\)\. Start it, or/),
      body: "",
      errors: expect.stringContaining("ECONNREFUSED"),
    });
  }
  expect((await ask(url, "/api/v1/health")).status).toBe(200);
});

test("a gateway that is its own upstream says so", async () => {
  const server = await serve();
  await server.services.settings.change({ upstream: server.url });
  const { status, json } = await ask(server.url, "/");
  expect([status, json.detail]).toEqual([508, expect.stringContaining("leads back to a gateway of Renoir")]);
});

test("the settings' WebUI counts from when it is chosen until it is taken back", async () => {
  const upstream = await startUpstream();
  const { url } = await serve();
  const choose = (value: string | null) =>
    ask(url, "/api/v1/settings", { method: "PATCH", body: { upstream: value } }).then(({ status }) => status);
  expect((await ask(url, "/echo")).text).not.toBe("");
  expect(await choose(upstream.url)).toBe(200);
  expect((await ask(url, "/")).text).toBe("<title>the WebUI</title>");
  expect(await choose("ftp://x")).toBe(400);
  expect(await choose(null)).toBe(200);
  expect((await ask(url, "/")).text).not.toBe("<title>the WebUI</title>");
});

// ---- websockets

/** Sends text over a raw connection; what came back until `until` was said, or the end. */
function talk(url: string, lines: string[], until: string, then = ""): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let text = "";
    let said = false;
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (!said && text.includes("\r\n\r\n")) {
        said = true;
        socket.write(then);
      }
      if (text.endsWith(until)) socket.destroy();
    });
    socket.on("error", () => {});
    socket.once("close", () => resolve(text));
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  });
}

const upgrade = (url: string, path: string, headers: string[] = []) => [
  `GET ${path} HTTP/1.1`,
  `Host: ${new URL(url).host}`,
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==",
  "Sec-WebSocket-Version: 13",
  ...headers,
];

test("a websocket of the WebUI speaks through the gateway, both ways", async () => {
  const { upstream, url } = await both();
  const said = await talk(url, upgrade(url, "/queue/join?a=1", [`Origin: ${url}`]), "hello ping", "ping");
  expect(said).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
  expect(said).toContain("X-Socket: Yes");
  expect(upstream.asked.at(-1)).toMatchObject({ method: "UPGRADE", url: "/queue/join?a=1" });
  expect(headerOf(upstream, "sec-websocket-key")).toEqual(["x3JJHMbDL1EzLkh9GBhXDw=="]);
  expect(await talk(url, upgrade(url, "/no-socket"), "no")).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n.*\r\n\r\nno$/s);
});

test("a websocket that is open does not hold up the server's end", async () => {
  const { url, server } = await both();
  let ended = false;
  const talking = talk(url, upgrade(url, "/queue/join"), "never").then(() => {
    ended = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(ended).toBe(false);
  const began = performance.now();
  await server.close();
  expect(performance.now() - began).toBeLessThan(3000);
  await talking;
});

test("a stranger's page gets no websocket, nor does anyone without the token, nor where there is no WebUI", async () => {
  const { upstream, url } = await both();
  expect(await talk(url, upgrade(url, "/ws", ["Origin: http://evil.example"]), "never")).toContain("403 Forbidden");
  await upstream.close();
  expect(await talk(url, upgrade(url, "/ws"), "never")).toContain("502 Bad Gateway");
  const alone = await serve();
  expect(await talk(alone.url, upgrade(alone.url, "/ws"), "never")).toContain("404 Not Found");
  const other = await startUpstream();
  const locked = await serve({ upstream: other.url, token: "secret" });
  expect(await talk(locked.url, upgrade(locked.url, "/ws"), "never")).toContain("401 Unauthorized");
  const open = await talk(locked.url, upgrade(locked.url, "/ws?token=secret&a=1"), "hello ping", "ping");
  expect(open).toContain("101 Switching Protocols");
  expect(other.asked.at(-1)!.url).toBe("/ws?a=1");
});

test("Renoir's own sockets work beside the WebUI's", async () => {
  const { url } = await both();
  const socket = io(url, { transports: ["websocket"], forceNew: true });
  onTestFinished(() => void socket.close());
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("connect_error", reject));
  expect(socket.connected).toBe(true);
});

// ---- addresses and headers

test("an upstream is scheme, host and port", async () => {
  expect(parseUpstream("http://127.0.0.1:7860/").href).toBe("http://127.0.0.1:7860/");
  for (const text of ["127.0.0.1:7860", "ftp://x", "http://x/y", "http://x?y", "http://me:pw@x", ""]) {
    expect(() => parseUpstream(text)).toThrow(RequestError);
  }
  await expect(startServer({ port: 0, home: await freshFolder(), demo: null, upstream: "nonsense" })).rejects.toThrow(
    '"nonsense" is no address of a WebUI',
  );
});

test("a WebUI behind a name is asked by its own name, with the browser's beside it", () => {
  const rawHeaders = ["Host", "127.0.0.1:7861", "Origin", "http://127.0.0.1:7861", "X-A", "1", "X-A", "2"];
  const request = { rawHeaders, headers: { host: "127.0.0.1:7861" } } as never;
  const policy = { host: "127.0.0.1", origins: [], port: 7861 };
  expect(headersFor(new URL("https://ui.example"), request, policy)).toEqual([
    ...["Host", "ui.example", "Origin", "https://ui.example", "X-A", "1", "X-A", "2"],
    ...["X-Forwarded-Host", "127.0.0.1:7861", "X-Forwarded-Proto", "http", "X-Renoir-Gateway", "1"],
  ]);
  expect(headersFor(new URL("http://localhost:7860"), request, policy).slice(0, 8)).toEqual(rawHeaders);
});

test("what a Connection header names goes with it", () => {
  expect(withoutHops(["Connection", "close, X-One", "X-One", "1", "TE", "gzip", "X-Two", "2"])).toEqual(["X-Two", "2"]);
});
