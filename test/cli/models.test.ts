import { createHash } from "node:crypto";
import { access, mkdtemp, readdir, readFile, realpath, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { describeProgress, progressLine } from "../../src/cli/models.ts";
import { findStored, modelFolder, removeStored } from "../../src/scoring/store.ts";
import { addModel, pullModel, reportModels } from "../../src/tasks/models.ts";

/** A safetensors file with one tensor of 20,000 float32 numbers. */
function checkpoint(): Buffer {
  const data = Buffer.from(new Float32Array(20_000).map((_, i) => i / 7).buffer);
  const header = JSON.stringify({ weight: { dtype: "F32", shape: [20_000], data_offsets: [0, data.length] } });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, Buffer.from(header), data]);
}

const content = checkpoint();
const sha256 = createHash("sha256").update(content).digest("hex");

let home: string;
let server: Server | undefined;
let asked: string[];

beforeEach(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), "renoir models ")));
  asked = [];
});
afterEach(() => {
  vi.unstubAllEnvs();
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

/** A hub on this machine: tells size and hash as the real one does, and sends the file as `send` does. */
async function hub(send: (response: ServerResponse, start: number, request: IncomingMessage) => void, etag = sha256) {
  server = createServer((request, response) => {
    const range = request.headers.range ?? "";
    asked.push(`${request.url} ${range}`);
    const start = Number(/bytes=(\d+)-/.exec(range)?.[1]);
    response.setHeader("x-linked-etag", `"${etag}"`);
    const end = range === "bytes=0-0" ? 0 : content.length - 1;
    response.setHeader("content-range", `bytes ${start}-${end}/${content.length}`);
    if (range === "bytes=0-0") response.writeHead(206).end(content.subarray(0, 1));
    else send(response, start, request);
  });
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  vi.stubEnv("HF_ENDPOINT", `http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => "",
    (error: Error & { hint?: string }) => `${error.message} ${error.hint}`,
  );
const gone = (file: string) =>
  access(file).then(
    () => false,
    () => true,
  );
const published = "/zai-org/ImageReward/resolve/main/ImageReward.pt";

test("pull fetches what is published, goes on where the line broke, and adds it with its hash and licence", async () => {
  await hub((response, start) => {
    response.writeHead(206);
    if (asked.length > 2) response.end(content.subarray(start));
    else response.write(content.subarray(start, start + 30_000), () => setTimeout(() => response.destroy(), 20));
  });
  const report = await pullModel("ImageReward", { home, pauseMs: 1 });
  expect(asked).toEqual([`${published} bytes=0-0`, `${published} bytes=0-`, `${published} bytes=30000-`]);
  const path = join(modelFolder("imagereward", home), "ImageReward.pt");
  expect(report).toMatchObject({
    name: "imagereward",
    state: "ready",
    path,
    size: content.length,
    license: "Apache-2.0",
  });
  expect((await readFile(path)).equals(content)).toBe(true);
  expect(await findStored("imagereward", home)).toMatchObject({
    path,
    sha256,
    pulled: true,
    source: "zai-org/ImageReward",
  });
  await removeStored("imagereward", home);
  expect(await gone(path)).toBe(true);
});

test("a file that does not have the published hash is not added and does not stay", async () => {
  await hub((response, start) => response.writeHead(206).end(content.subarray(start)), "0".repeat(64));
  expect(await failure(pullModel("imagereward", { home, pauseMs: 1 }))).toContain(
    `its sha256 is ${sha256}, and its publisher says ${"0".repeat(64)}`,
  );
  expect(await findStored("imagereward", home)).toBeUndefined();
  expect(await readdir(modelFolder("imagereward", home))).toEqual([]);
});

test("a network's sign-in page is told as one", async () => {
  await hub((response) => response.writeHead(200, { "content-type": "text/html" }).end("<html>"));
  expect(await failure(pullModel("imagereward", { home, pauseMs: 1 }))).toContain("a web page instead of the file");
});

test("a hub that can not be reached is named, with what else can be done", async () => {
  vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:9");
  const message = await failure(pullModel("imagereward", { home }));
  expect(message).toContain("zai-org/ImageReward could not be asked for ImageReward.pt: ");
  expect(message).toContain("renoir models add");
});

test.each(["shapes", "nonsense", "constructor"])("pull of %s says what can be fetched", async (name) => {
  expect(await failure(pullModel(name, { home }))).toContain(`"${name}" can not be fetched; what can is imagereward.`);
});

test("add takes a checkpoint that opens, leaves it in place, and list shows it ready", async () => {
  const path = join(home, "mine.safetensors");
  await writeFile(path, content);
  expect(await addModel("ImageReward", path, home)).toMatchObject({ name: "imagereward", state: "ready", path });
  const listed = (await reportModels(home)).find(({ name }) => name === "imagereward");
  expect(listed).toEqual({
    name: "imagereward",
    kind: "reward",
    state: "ready",
    builtIn: false,
    path,
    size: content.length,
    license: "Apache-2.0",
    source: undefined,
  });
});

test("add refuses a file that is no checkpoint, by name, and the registry stays as it was", async () => {
  const path = join(home, "page.pt");
  await writeFile(path, "<!doctype html><title>Sign in</title>");
  expect(await failure(addModel("imagereward", path, home))).toContain("page.pt");
  expect(await findStored("imagereward", home)).toBeUndefined();
});

test.each([
  ["shapes", "built in"],
  ["nonsense", "There is no reward"],
  ["constructor", "There is no reward"],
])("add refuses the name %s: %s", async (name, reason) => {
  const path = join(home, "mine.safetensors");
  await writeFile(path, content);
  expect(await failure(addModel(name, path, home))).toContain(reason);
});

test("list says what is absent, missing or damaged, and what to do", async () => {
  const stateOf = async () => (await reportModels(home)).find(({ name }) => name === "imagereward");
  expect(await stateOf()).toMatchObject({
    state: "absent",
    problem:
      "No checkpoint yet: `renoir models pull imagereward` fetches it, `renoir models add imagereward PATH` names one you have.",
  });
  const path = join(home, "mine.safetensors");
  await writeFile(path, content);
  await addModel("imagereward", path, home);
  await writeFile(path, content.subarray(0, 1000));
  expect(await stateOf()).toMatchObject({ state: "damaged", size: 1000 });
  await removeStored("imagereward", home);
  expect(await stateOf()).toMatchObject({ state: "absent" });
});

test("progress names share, size, rate and time left", () => {
  const at = { received: 0.41 * 1.79e9, total: 1.79e9, rate: 12.3e6, secondsLeft: 85 };
  expect(describeProgress(at)).toBe("41 % of 1.79 GB, 12.3 MB/s, 1 min 25 s left");
  expect(describeProgress({ ...at, received: 1.79e9, secondsLeft: 0 })).toBe("100 % of 1.79 GB, 12.3 MB/s");
});

test("progress off a terminal is a line for each tenth", () => {
  const lines: string[] = [];
  const { show, end } = progressLine({ write: (text) => lines.push(text) });
  for (let received = 0; received <= 1000; received++) show({ received, total: 1000, rate: 1e6, secondsLeft: 1 });
  end();
  expect(lines.map((line) => line.split(" ")[0])).toEqual(Array.from({ length: 11 }, (_, i) => String(10 * i)));
});
