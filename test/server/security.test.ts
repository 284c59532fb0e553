import { connect } from "node:net";
import { io } from "socket.io-client";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { checkHost, checkOrigin, isAuthorised, type Policy, parseOrigin } from "../../src/server/security.ts";
import { type RunningServer, startServer } from "../../src/server/start.ts";
import { freshFolder } from "../cli/command.ts";
import { ask, serve } from "./serving.ts";

const token = "a-long-secret-of-my-own";
const host = "http://127.0.0.1:7860";
let open: RunningServer;
let locked: RunningServer;

beforeAll(async () => {
  open = await startServer({ port: 0, home: await freshFolder(), allowOrigins: [host], demo: null });
  locked = await startServer({ port: 0, home: await freshFolder(), host: "0.0.0.0", token, demo: null });
});
afterAll(() => Promise.all([open, locked].map((server) => server?.close())));

const here = () => new URL(open.url).host;
const settings = "/api/v1/settings";
const patch = (headers: Record<string, string>) =>
  ask(open.url, settings, { method: "PATCH", headers, body: { idleMinutes: 9 } });

// ---- Host

test("a name that was made to point here gets nothing: API, page, documentation and figures", async () => {
  for (const path of ["/health", settings, "/", "/docs/", "/metrics", "/api/v1/library"]) {
    for (const name of [
      "evil.example",
      "127.0.0.1.evil.example:7861",
      "localhost.evil.example",
      "local host",
      "127.0.0.1@evil.example",
    ]) {
      const { status, json } = await ask(open.url, path, { headers: { host: name } });
      expect([path, name, status, json?.error.code]).toEqual([path, name, 403, "forbidden"]);
    }
  }
});

test("this machine's own names are right, whatever the port", async () => {
  for (const name of ["localhost", "LOCALHOST:1", "127.0.0.1:7861", "[::1]:99", "127.0.0.1"]) {
    expect((await ask(open.url, "/health", { headers: { host: name } })).status).toBe(200);
  }
});

const policy = (given: Partial<Policy>): Policy => ({ host: "127.0.0.1", origins: [], port: 7861, ...given });

test("which names are ours follows from where the server listens", () => {
  const allowed = (name: string, given: Partial<Policy>) => {
    try {
      checkHost({ host: name }, policy(given));
      return true;
    } catch {
      return false;
    }
  };
  expect(allowed("192.168.0.7:7861", {})).toBe(false);
  expect(allowed("192.168.0.7:7861", { host: "192.168.0.7" })).toBe(true);
  expect(allowed("192.168.0.8:7861", { host: "0.0.0.0" })).toBe(true); // an address can not be made to point elsewhere
  expect(allowed("[fe80::1]:7861", { host: "::" })).toBe(true);
  expect(allowed("evil.example", { host: "0.0.0.0" })).toBe(false);
  expect(allowed("box.example", { origins: ["https://box.example"] })).toBe(true);
  expect(allowed("renoir.local:7861", { host: "renoir.local" })).toBe(true);
});

// ---- Origin

test("a stranger's page changes nothing: by Origin, or by what the browser says of the site", async () => {
  const strangers: Record<string, string>[] = [
    { origin: "http://evil.example" },
    { origin: "null" },
    { origin: `http://${here()}.evil.example` },
    { origin: "http://127.0.0.1:7862" }, // another server of this machine
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
  ];
  for (const headers of strangers) {
    const { status, json } = await patch(headers);
    expect([headers, status, json.error.code]).toEqual([headers, 403, "forbidden"]);
  }
  expect((await ask(open.url, settings)).json.idleMinutes).toBe(15);
});

test("our own page, programs, and the pages that were named may", async () => {
  for (const headers of [{}, { origin: `http://${here()}` }, { "sec-fetch-site": "same-origin" }, { origin: host }]) {
    expect((await patch(headers as Record<string, string>)).status).toBe(200);
  }
});

test("a form of a stranger's page, which asks nobody before it is sent, is no JSON", async () => {
  const body = '{"idleMinutes": 1}';
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]) {
    const { status, json } = await ask(open.url, settings, {
      method: "PATCH",
      headers: { "content-type": type },
      body,
    });
    expect([status, json.error.code]).toEqual([415, "media-type"]);
  }
});

test("there is no word of CORS for anyone but the pages that were named", async () => {
  const preflight = (origin: string) =>
    ask(open.url, settings, { method: "OPTIONS", headers: { origin, "access-control-request-method": "PATCH" } });
  const corsOf = ({ headers }: { headers: object }) =>
    Object.keys(headers).filter((name) => name.startsWith("access-control"));
  expect(corsOf(await preflight("http://evil.example"))).toEqual([]);
  expect(corsOf(await ask(open.url, settings, { headers: { origin: "http://evil.example" } }))).toEqual([]);
  expect((await preflight(host)).headers).toMatchObject({
    "access-control-allow-origin": host,
    "access-control-allow-methods": "GET, POST, PATCH, PUT, DELETE",
  });
  expect((await ask(open.url, settings, { headers: { origin: host } })).headers["access-control-allow-origin"]).toBe(
    host,
  );
});

test("an origin is scheme, host and port; anything else is told at the start", () => {
  expect(parseOrigin("http://LOCALHOST:7860/")).toBe("http://localhost:7860");
  for (const text of ["localhost:7860", "*", "null", "http://a.example/path", "file:///x"]) {
    expect(() => parseOrigin(text)).toThrow(`"${text}" is no origin`);
  }
});

// ---- the token

test("no address that others can reach is opened without a token", async () => {
  for (const address of ["0.0.0.0", "::", "192.168.0.7", "renoir.local", ""]) {
    await expect(startServer({ host: address, port: 0 })).rejects.toThrow("no token was given");
  }
});

test("everything wants the token: API, health, figures, documentation, page", async () => {
  for (const path of ["/health", settings, "/api/v1/openapi.json", "/metrics", "/docs/", "/", "/nothing"]) {
    const { status, json, headers } = await ask(locked.url, path);
    expect([path, status, json.error.code]).toEqual([path, 401, "unauthorized"]);
    expect(headers["www-authenticate"]).toContain("Bearer");
  }
});

test("the token in the header opens, and one that is nearly right does not", async () => {
  const status = async (authorization: string) =>
    (await ask(locked.url, "/health", { headers: { authorization } })).status;
  expect(await status(`Bearer ${token}`)).toBe(200);
  expect(await status(`bearer   ${token}`)).toBe(200);
  for (const wrong of [
    `Bearer ${token}x`,
    `Bearer ${token.slice(1)}`,
    "Bearer",
    `Basic ${token}`,
    token,
    "Bearer ",
    `Bearer ${token.toUpperCase()}`,
  ]) {
    expect(await status(wrong)).toBe(401);
  }
});

test("a browser says it once in the address, gets a cookie that is not the token, and an address without it", async () => {
  const first = await ask(locked.url, `/library?sort=name&token=${token}`, { headers: { accept: "text/html" } });
  expect(first.status).toBe(303);
  expect(first.headers.location).toBe("/library?sort=name");
  const [cookie] = first.headers["set-cookie"]!;
  expect(cookie).toMatch(
    new RegExp(`^renoir-${new URL(locked.url).port}=[0-9a-f]{64}; Path=/; HttpOnly; SameSite=Strict$`),
  );
  expect(cookie).not.toContain(token);
  const pair = cookie!.split(";")[0]!;
  expect((await ask(locked.url, "/health", { headers: { cookie: `other=1; ${pair}` } })).status).toBe(200);
  expect((await ask(locked.url, "/health", { headers: { cookie: pair.slice(0, -1) } })).status).toBe(401);
  expect((await ask(locked.url, "/?token=wrong", { headers: { accept: "text/html" } })).status).toBe(401);
  const elsewhere = await ask(locked.url, `//evil.example/?token=${token}`, { headers: { accept: "text/html" } });
  expect(elsewhere.headers.location).toMatch(/^\/(?!\/)/);
});

test("an unset token lets everybody in, an empty one nobody", () => {
  expect(isAuthorised({}, policy({}))).toBe(true);
  expect(isAuthorised({ authorization: "Bearer " }, policy({ token: "x" }))).toBe(false);
  expect(isAuthorised({}, policy({ token: "x" }), undefined)).toBe(false);
  expect(isAuthorised({}, policy({ token: "x" }), { toString: () => "x" })).toBe(false);
});

// ---- sockets

const joined = (url: string, options: object): Promise<string> =>
  new Promise((resolve) => {
    const socket = io(url, { reconnection: false, timeout: 3000, forceNew: true, ...options });
    onTestFinished(() => void socket.close());
    socket.on("connect", () => resolve("connected"));
    socket.on("connect_error", (error) => resolve(error.message));
  });

test("sockets are guarded as requests are: Host, Origin, token", async () => {
  for (const transports of [["websocket"], ["polling"]]) {
    const with_ = (extraHeaders: Record<string, string>) => joined(open.url, { transports, extraHeaders });
    expect(await with_({})).toBe("connected");
    expect(await with_({ origin: host })).toBe("connected");
    expect(await with_({ origin: "http://evil.example" })).not.toBe("connected");
    expect(await joined(locked.url, { transports })).toContain("token");
    expect(await joined(locked.url, { transports, auth: { token: "wrong" } })).toContain("token");
    expect(await joined(locked.url, { transports, auth: { token } })).toBe("connected");
    expect(await joined(locked.url, { transports, extraHeaders: { authorization: `Bearer ${token}` } })).toBe(
      "connected",
    );
  }
});

test("a name that was made to point here gets no socket", async () => {
  const polling = "/socket.io/?EIO=4&transport=polling";
  expect((await ask(open.url, polling, { headers: { host: "evil.example" } })).status).toBe(403);
  expect((await ask(open.url, polling)).status).toBe(200);
  const upgrade = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" };
  const headers = { ...upgrade, "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", host: "evil.example" };
  expect((await ask(open.url, "/socket.io/?EIO=4&transport=websocket", { headers })).status).toBe(400);
});

test("pages that were not named are told apart for sockets too", () => {
  expect(() => checkOrigin({ origin: "http://a.example", host: "127.0.0.1:1" }, policy({}))).toThrow("may not ask");
});

// ---- what a browser may do with the answers

test("every answer says that nothing but our own files may run, and that no page may frame it", async () => {
  for (const path of ["/", "/health", "/docs/", "/nothing", settings]) {
    const { headers } = await ask(open.url, path);
    const csp = headers["content-security-policy"] as string;
    expect(csp).toContain("script-src 'self';");
    expect(csp).toContain("frame-ancestors 'none'");
    expect(csp).not.toMatch(/unsafe-eval|script-src[^;]*unsafe|https?:/);
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["x-powered-by"]).toBeUndefined();
  }
});

// ---- those who do not behave

test("who does not finish a request is sent away, and the others are answered meanwhile", {
  timeout: 20_000,
}, async () => {
  const server = await serve({ timeouts: { headersMs: 600, requestMs: 1200 } });
  const { port } = new URL(server.url);
  const slow = [
    "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    "POST /api/v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{",
  ];
  const ended = slow.flatMap((start) =>
    Array.from({ length: 25 }, () => {
      const socket = connect(Number(port), "127.0.0.1", () => socket.write(start));
      const dripping = setInterval(() => socket.writable && socket.write("a"), 100);
      return new Promise((resolve) => {
        socket.on("error", () => {});
        socket.on("close", () => {
          clearInterval(dripping);
          resolve(true);
        });
        socket.resume();
      });
    }),
  );
  const began = performance.now();
  expect((await ask(server.url, "/health")).status).toBe(200);
  expect(performance.now() - began).toBeLessThan(500);
  await Promise.all(ended);
  expect((await ask(server.url, "/health")).status).toBe(200);
});
