import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { download, type RemoteFile } from "../../src/scoring/download.ts";

const content = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) & 255));
const sha256 = createHash("sha256").update(content).digest("hex");

type Handler = (request: IncomingMessage, response: ServerResponse, start: number) => void;

let folder: string;
let target: string;
let server: Server;
let asked: (string | undefined)[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "renoir download "));
  target = join(folder, "weights.pt");
  asked = [];
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function serve(handler: Handler): Promise<RemoteFile> {
  server = createServer((request, response) => {
    asked.push(request.headers.range);
    handler(request, response, Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/weights.pt`, size: content.length, etag: "v1", sha256 };
}

const rangeHeaders = (start: number, total = content.length) => ({
  "content-range": `bytes ${start}-${total - 1}/${total}`,
});
const whole: Handler = (_, response, start) =>
  response.writeHead(206, rangeHeaders(start)).end(content.subarray(start));

/** Sends `bytes` more, then cuts the line. */
const piece =
  (bytes: number): Handler =>
  (_, response, start) => {
    response.writeHead(206, { ...rangeHeaders(start), "content-length": content.length - start });
    response.write(content.subarray(start, start + bytes), () => setTimeout(() => response.destroy(), 20));
  };

const quick = { pauseMs: 1 };
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => "",
    (error: Error) => error.message,
  );

test("a file comes whole, with its hash, and nothing is left beside it", async () => {
  const seen: number[] = [];
  const remote = await serve(whole);
  const found = await download(remote, target, { ...quick, onProgress: ({ received }) => seen.push(received) });
  expect(found).toBe(sha256);
  expect((await readFile(target)).equals(content)).toBe(true);
  expect(await readdir(folder)).toEqual(["weights.pt"]);
  expect(seen.at(-1)).toBe(content.length);
});

test("a line that breaks again and again is taken up where it broke, each time", async () => {
  const remote = await serve((...at) => (asked.length < 4 ? piece(60_000)(...at) : whole(...at)));
  await download(remote, target, quick);
  expect((await readFile(target)).equals(content)).toBe(true);
  expect(asked).toEqual(["bytes=0-", "bytes=60000-", "bytes=120000-", "bytes=180000-"]);
});

test("what has arrived is kept when a download is given up, and the next one goes on from there", async () => {
  const remote = await serve((...at) => (asked.length === 1 ? piece(100_000)(...at) : at[1].destroy()));
  const message = await failure(download(remote, target, { ...quick, attempts: 2 }));
  expect(message).toContain(`broke off at 100000 of ${content.length} bytes`);
  expect((await readdir(folder)).sort()).toEqual(["weights.pt.part", "weights.pt.part.json"]);
  server.close();
  asked = [];
  const again = await serve(whole);
  // The same address as before: the part belongs to it.
  await writeFile(
    join(folder, "weights.pt.part.json"),
    JSON.stringify({ url: again.url, size: again.size, etag: "v1" }),
  );
  await download(again, target, quick);
  expect(asked).toEqual(["bytes=100000-"]);
  expect((await readFile(target)).equals(content)).toBe(true);
});

test("a part of an older version of the file is not continued", async () => {
  const remote = await serve(whole);
  await writeFile(`${target}.part`, Buffer.alloc(5_000));
  await writeFile(`${target}.part.json`, JSON.stringify({ url: remote.url, size: remote.size, etag: "v0" }));
  await download(remote, target, quick);
  expect(asked).toEqual(["bytes=0-"]);
  expect((await readFile(target)).equals(content)).toBe(true);
});

test("a server that can not resume sends all again, and the file is right", async () => {
  const remote = await serve((_, response) =>
    asked.length === 1 ? piece(50_000)(_, response, 0) : response.writeHead(200).end(content),
  );
  await download(remote, target, quick);
  expect((await readFile(target)).equals(content)).toBe(true);
});

test("a server that answers with another range than asked is not believed", async () => {
  const remote = await serve((...at) =>
    asked.length === 1 ? piece(50_000)(...at) : at[1].writeHead(206, rangeHeaders(0)).end(content),
  );
  expect(await failure(download(remote, target, quick))).toContain(
    `was asked for bytes 50000 and on of ${content.length}, and answered with "bytes 0-`,
  );
  expect(await readdir(folder)).not.toContain("weights.pt");
});

test("a web page in place of the file is told as such and not saved", async () => {
  const remote = await serve((_, response) =>
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end("<html>Sign in</html>"),
  );
  expect(await failure(download(remote, target, quick))).toContain("answered with a web page instead of the file");
  expect(await readdir(folder)).toEqual(["weights.pt.part.json"]);
});

test("a file with the wrong hash is deleted, and both hashes are said", async () => {
  const wrong = Buffer.from(content);
  wrong[1234]! ^= 1;
  const remote = await serve((_, response) => response.writeHead(206, rangeHeaders(0)).end(wrong));
  const message = await failure(download(remote, target, quick));
  expect(message).toContain(createHash("sha256").update(wrong).digest("hex"));
  expect(message).toContain(sha256);
  expect(await readdir(folder)).toEqual([]);
});

test("more bytes than announced are refused", async () => {
  const remote = await serve((_, response, start) =>
    response.writeHead(206, rangeHeaders(start)).end(Buffer.concat([content, content])),
  );
  expect(await failure(download(remote, target, quick))).toContain(`sends more than the ${content.length} bytes`);
});

test("a missing file and a forbidden one say so at once, without more attempts", async () => {
  const remote = await serve((_, response) => response.writeHead(404).end());
  expect(await failure(download(remote, target, quick))).toContain("answered with status 404");
  expect(asked).toHaveLength(1);
});

test("a server that is busy is asked again", async () => {
  const remote = await serve((...at) => (asked.length < 3 ? at[1].writeHead(503).end() : whole(...at)));
  await download(remote, target, quick);
  expect(asked).toHaveLength(3);
});

test("a line that goes silent is cut and taken up", async () => {
  const remote = await serve((...at) => {
    if (asked.length > 1) return whole(...at);
    at[1].writeHead(206, rangeHeaders(0));
    at[1].write(content.subarray(0, 10_000));
  });
  await download(remote, target, { ...quick, silenceMs: 200 });
  expect(asked).toEqual(["bytes=0-", "bytes=10000-"]);
});

test("a full disk is told before anything is asked", async () => {
  const remote = await serve(whole);
  const message = await failure(download(remote, target, { ...quick, freeSpace: async () => 1_000_000 }));
  expect(message).toContain("has 1.0 MB free, and weights.pt needs 0.3 MB");
  expect(asked).toEqual([]);
});

test("a download that is stopped keeps what it has", async () => {
  const stop = new AbortController();
  const remote = await serve((_, response) => {
    response.writeHead(206, rangeHeaders(0));
    response.write(content.subarray(0, 70_000), () => setTimeout(() => stop.abort(), 50));
  });
  await expect(download(remote, target, { ...quick, signal: stop.signal })).rejects.toThrow(/abort/i);
  expect((await readFile(`${target}.part`)).length).toBe(70_000);
});

test("two downloads of one file at once bring it once", async () => {
  const remote = await serve(whole);
  const found = await Promise.all([download(remote, target, quick), download(remote, target, quick)]);
  expect(found).toEqual([sha256, sha256]);
  expect(asked).toEqual(["bytes=0-"]);
});
