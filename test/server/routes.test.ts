import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { z } from "zod";
import { type Operation, operations } from "../../src/server/api/operations.ts";
import { createApi } from "../../src/server/app.ts";
import { type RunningServer, startServer } from "../../src/server/start.ts";
import { freshFolder, picture } from "../cli/command.ts";
import { ask, type Question } from "./serving.ts";

const prompt = "a red circle left of a blue square";
let server: RunningServer;
let pictures: string;
let red: Buffer;
let blue: Buffer;

beforeAll(async () => {
  const folder = await freshFolder();
  pictures = join(folder, "pictures");
  await mkdir(pictures);
  [red, blue] = await Promise.all([picture("red", prompt), picture("blue", "a blue square")]);
  await writeFile(join(pictures, "red.png"), red);
  await writeFile(join(pictures, "blue.png"), blue);
  await writeFile(join(folder, "secret.png"), red);
  await symlink(join(folder, "secret.png"), join(pictures, "link.png"));
  server = await startServer({ port: 0, home: join(folder, "home"), demo: null, folders: [pictures] });
  await server.services.settings.change({ scoreNew: false });
  await server.services.library.scan();
}, 60_000);
afterAll(() => server?.close());

const api = (path: string, question?: Question) => ask(server.url, `/api/v1${path}`, question);
const idOf = (name: string) =>
  server.services.library.page({ sort: "name", limit: 10 }).items.find((item) => item.name === name)!.id;

function form(parts: readonly { name: string; value: string | Uint8Array; file?: string }[]): Question {
  const chunks = parts.flatMap(({ name, value, file }) => [
    Buffer.from(`--x\r\nContent-Disposition: form-data; name="${name}"${file ? `; filename="${file}"` : ""}\r\n\r\n`),
    Buffer.from(value),
    Buffer.from("\r\n"),
  ]);
  const body = Buffer.concat([...chunks, Buffer.from("--x--\r\n")]);
  return { method: "POST", headers: { "content-type": "multipart/form-data; boundary=x" }, body };
}

// ---- the description

test("the API's routes are the operations, all of them and nothing else", () => {
  const router = createApi(server.services) as unknown as {
    stack: { route?: { path: string; methods: Record<string, boolean> } }[];
  };
  const routes = router.stack.flatMap(({ route }) =>
    route ? Object.keys(route.methods).map((method) => `${method} ${route.path}`) : [],
  );
  const wanted = Object.values(operations).map(({ method, path }) => `${method} ${path}`);
  expect(routes.sort()).toEqual([...wanted, "get /openapi.json"].sort());
});

test("the description names every operation, with what it takes and gives", async () => {
  const { json, status } = await api("/openapi.json");
  expect(status).toBe(200);
  expect(json.openapi).toBe("3.1.0");
  const described = Object.entries<Record<string, { operationId: string }>>(json.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId }]) => [operationId, `${method} ${path}`]),
  );
  expect(Object.fromEntries(described)).toEqual(
    Object.fromEntries(
      Object.entries(operations).map(([name, { method, path }]) => [
        name,
        `${method} ${path.replace(/:(\w+)/g, "{$1}")}`,
      ]),
    ),
  );
  const { score, library, refine } = {
    score: json.paths["/score"].post,
    library: json.paths["/library"].get,
    refine: json.paths["/refine"].post,
  };
  expect(Object.keys(score.requestBody.content)).toEqual(["application/json", "multipart/form-data"]);
  expect(score.requestBody.content["application/json"].schema.required).toEqual(["images"]);
  expect(library.parameters.find((parameter: { name: string }) => parameter.name === "scores").schema.type).toBe(
    "array",
  );
  expect(refine.requestBody.content["application/json"].schema.properties.iterations).toMatchObject({
    default: 50,
    minimum: 1,
  });
  expect(refine.responses["202"].content["application/json"].schema.properties.id.type).toBe("string");
  expect(JSON.stringify(json)).not.toContain('"$ref"');
});

test("the documentation comes from this machine alone", async () => {
  const { text, status } = await ask(server.url, "/docs/");
  const sources = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!);
  expect([status, sources.length]).toEqual([200, 4]);
  for (const path of sources) expect([path, (await ask(server.url, path)).status]).toEqual([path, 200]);
  expect((await ask(server.url, "/docs/package.json")).status).toBe(404);
});

test("what is answered is what the schemas say", async () => {
  const asked: [keyof typeof operations, string][] = [
    ["health", "/health"],
    ["jobs", "/jobs"],
    ["library", "/library?sort=name&limit=1"],
    ["histogram", "/library/histogram?bins=4"],
    ["facets", "/library/facets"],
    ["folders", "/library/folders"],
    ["operations", "/library/operations"],
    ["picture", `/library/${idOf("red.png")}`],
    ["models", "/models"],
    ["hosts", "/hosts"],
    ["settings", "/settings"],
  ];
  for (const [name, path] of asked) {
    const { status, json, headers } = await api(path);
    expect([path, status]).toEqual([path, 200]);
    expect(headers["cache-control"]).toBe("no-store");
    const answer = (operations[name] as Operation).answers[200] as z.ZodType;
    expect([path, answer.safeParse(json).error?.issues]).toEqual([path, undefined]);
  }
  expect((await api("/library?sort=name&limit=1")).json.items[0].name).toBe("blue.png");
  expect((await ask(server.url, "/health")).json.status).toBe("ok");
  expect((await ask(server.url, "/metrics")).text).toContain("renoir_library_pictures 2\n");
});

// ---- what is refused, and how

test("what is wrong with a request is said in a sentence that names the field", async () => {
  const refused: [string, Question | undefined, string][] = [
    ["/score", { body: {} }, '"images" of the body: '],
    ["/score", { body: { images: [] } }, '"images" of the body: '],
    ["/score", { body: { images: ["x"], colour: 1 } }, "colour"],
    ["/score", { body: { images: ["x"], min: "much" } }, '"min" of the body: '],
    ["/score", { body: { images: ["x"], min: 2, max: 1 } }, "lowest score to keep is 2"],
    ["/score", { body: { images: ["x"], prompts: ["a", "b"] } }, '"prompts" has 2 texts for 1 pictures'],
    ["/score", { body: { images: [{ path: 3 }] } }, '"images.0.path" of the body'],
    ["/score", { body: { images: ["x"], rewards: ["shapes=much"] } }, 'has the weight "much"'],
    ["/score", { body: { images: Array(257).fill("x") } }, '"images" of the body: '],
    ["/score", { body: "{nope", headers: { "content-type": "application/json" } }, "is not JSON"],
    ["/score", { body: "[1]", headers: { "content-type": "application/json" } }, "The body: "],
    ["/refine", { body: { prompt: "x", iterations: 0 } }, '"iterations" of the body: '],
    ["/refine", { body: { prompt: "x", seed: -1 } }, '"seed" of the body'],
    ["/refine", { body: {} }, "Neither a picture nor infotext nor a prompt"],
    ["/generate", { body: {} }, '"prompt" of the body: '],
    ["/library?limit=0", undefined, '"limit" of the query: '],
    ["/library?limit=1&limit=2", undefined, '"limit" of the query: '],
    ["/library?sort=colour", undefined, '"sort" of the query: '],
    ["/library?colour=red", undefined, "colour"],
    ["/library?scores=best", undefined, "a range such as ImageReward:0.5..2 was wanted"],
    ["/library?text[a]=b", undefined, "text[a]"],
    ["/settings", { method: "PATCH", body: { idleMinutes: "long" } }, '"idleMinutes" of the body: '],
    ["/models", { body: { name: "x", path: "/nowhere/at/all" } }, "/nowhere/at/all"],
    ["/models/shapes/pull", { method: "POST" }, '"shapes" can not be fetched'],
    ["/library/folders", { body: { path: "/nowhere/at/all" } }, "there is no such folder"],
  ];
  for (const [path, question, words] of refused) {
    const { status, json } = await api(path, question);
    expect([path, status, json.error.code]).toEqual([path, 400, "request"]);
    expect(json.error.message).toContain(words);
    expect(JSON.stringify(json)).not.toMatch(/ at .*\.ts:\d/);
  }
});

test("what is not there is told as JSON, whatever the address looks like", async () => {
  const paths = [
    "/nope",
    "/jobs/none",
    "/library/none",
    "/library/none/file",
    "/library/none/thumbnail",
    "/models/none",
    "/jobs/none/steps/x/preview",
  ];
  for (const path of paths) {
    const { status, json } = await api(path, path === "/models/none" ? { method: "DELETE" } : undefined);
    expect([path, status, json.error.code]).toEqual([path, 404, "not-found"]);
  }
  expect((await api("/settings", { method: "DELETE" })).json.error.code).toBe("not-found");
  expect((await api("/library/%zz")).json.error.code).toBe("request");
  expect((await api(`/library/${"x".repeat(500)}`)).status).toBe(400);
});

test("a body of another kind is refused, and says which was wanted", async () => {
  const bodies: [string, string, Record<string, string>][] = [
    ["/score", "text/plain", {}],
    ["/score", "image/png", {}],
    ["/generate", "multipart/form-data; boundary=x", {}],
    ["/score", "application/json", { "content-encoding": "gzip" }],
    ["/info", "application/x-www-form-urlencoded", {}],
  ];
  for (const [path, type, more] of bodies) {
    const { status, json } = await api(path, { body: '{"a": 1}', headers: { "content-type": type, ...more } });
    expect([path, type, status, json.error.code]).toEqual([path, type, 415, "media-type"]);
  }
  for (const body of [
    "--x\r\n",
    "--x--",
    "nothing of the kind",
    '--x\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\ncut off',
  ]) {
    const { status, json } = await api("/score", {
      body,
      headers: { "content-type": "multipart/form-data; boundary=x" },
    });
    expect([body, status, json.error.code]).toEqual([body, 400, "request"]);
  }
  const other = await api("/score", form([{ name: "pictures", value: red, file: "a.png" }]));
  expect([other.status, other.json.error.hint]).toEqual([
    400,
    "Send files in fields named images, or one named image.",
  ]);
});

test("too much is refused while it comes, and the reply arrives", async () => {
  const long = await api("/score", { body: { images: ["x"], prompt: "a b ".repeat(2_500_000) } });
  expect([long.status, long.json.error.code]).toEqual([413, "too-large"]);
  const ids = await api("/library", {
    method: "PATCH",
    body: { action: "write", ids: ["long enough ".repeat(800_000)] },
  });
  expect([ids.status, ids.json.error.code]).toEqual([413, "too-large"]);
  const bytes = Buffer.alloc(64 * 2 ** 20 + 1);
  for (const question of [
    { body: bytes, headers: { "content-type": "image/png" } },
    form([{ name: "image", value: bytes, file: "big.png" }]),
  ]) {
    const { status, json } = await api("/info", question);
    expect([status, json.error.message]).toEqual([413, "A picture of the request is larger than 64 MiB."]);
  }
  expect(await readdir(join(server.services.home, "uploads"))).toEqual([]);
});

// ---- pictures

test("what a picture says is the same however it comes", async () => {
  const ways: Question[] = [
    { body: red, headers: { "content-type": "image/png" } },
    { body: red, headers: { "content-type": "application/octet-stream" } },
    { body: { image: red.toString("base64") } },
    { body: { image: `data:image/png;base64,${red.toString("base64")}` } },
    { body: { image: { path: join(pictures, "red.png") } } },
    { body: { image: { id: idOf("red.png") } } },
    form([{ name: "image", value: red, file: "red.png" }]),
  ];
  for (const way of ways) {
    const { status, json } = await api("/info", way);
    expect([status, json]).toMatchObject([
      200,
      { prompt, seed: "7", negativePrompt: "blurry", width: 96, height: 64, settings: { Sampler: "Euler a" } },
    ]);
    expect(json.infotext).toMatch(/^a red circle left of a blue square\nNegative prompt: blurry\nSteps: 1, /);
  }
  for (const body of ["no picture", "x".repeat(100_000)]) {
    const { status, json } = await api("/info", { body, headers: { "content-type": "image/png" } });
    expect([status, json.error.code]).toEqual([422, "image"]);
  }
});

test("pictures are scored in the order given; a bad one is an error of its own", { timeout: 60_000 }, async () => {
  const images = [
    red.toString("base64"),
    Buffer.from("this is no picture").toString("base64"),
    { path: join(pictures, "blue.png") },
    `data:image/png;base64,${blue.toString("base64")}`,
    { id: idOf("red.png") },
    bomb().toString("base64"),
    { path: join(pictures, "link.png") },
  ];
  const { status, json } = await api("/score", { body: { images, prompt } });
  expect(status).toBe(200);
  expect(json.results.map(({ error }: { error?: { code: string } }) => error?.code)).toEqual([
    undefined,
    "image",
    undefined,
    undefined,
    undefined,
    "image",
    "forbidden",
  ]);
  const [first, , second, third, fourth] = json.results;
  expect(first.scores.Shapes).toBe(fourth.scores.Shapes);
  expect(second.scores.Shapes).toBe(third.scores.Shapes);
  expect(first.total).not.toBe(second.total);
  const better = first.total > second.total;
  expect([first.rank, fourth.rank, second.rank, third.rank]).toEqual(better ? [1, 2, 3, 4] : [3, 4, 1, 2]);
  expect(json.results[1]).toMatchObject({ scores: {}, total: null, rank: null, kept: false });
  expect(first.infotext).toMatch(
    new RegExp(`^${prompt}\nNegative prompt: blurry\nSteps: 1, [^\n]*, Shapes Score: -?\\d\\.\\d{4}$`),
  );

  const middle = (first.total + second.total) / 2;
  const parts = [red, blue].map((value) => ({ name: "images", value, file: "x.png" }));
  const infotexts = JSON.stringify([`${prompt}\nSteps: 4, Seed: 1, Size: 8x8, Version: v1.10.1`, "no settings at all"]);
  const fields = [
    { name: "prompt", value: prompt },
    { name: "min", value: String(middle) },
    { name: "infotexts", value: infotexts },
  ];
  const { json: sent } = await api("/score", form([...parts, ...fields]));
  expect(sent.results.map(({ kept }: { kept: boolean }) => kept)).toEqual([better, !better]);
  expect(sent.results[0].infotext).toBe(
    `${prompt}\nSteps: 4, Seed: 1, Size: 8x8, Version: v1.10.1, Shapes Score: ${first.total.toFixed(4)}`,
  );
  expect(sent.results[1].infotext).toBe("no settings at all"); // a score of its own line would be a part of the prompt to every host
});

/** A PNG that says it has 60,000 x 60,000 pixels. */
function bomb(): Buffer {
  const chunk = (name: string, data: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    const body = Buffer.concat([Buffer.from(name), data]);
    const crc = Buffer.alloc(4);
    crc.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, crc]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(60_000, 0);
  header.writeUInt32BE(60_000, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const data = deflateSync(Buffer.alloc(1_000_000));
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    chunk("IDAT", data),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function crc32(bytes: Buffer): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

test("a picture in another format is scored, and one without a prompt is not", { timeout: 60_000 }, async () => {
  const plain = await sharp({ create: { width: 40, height: 40, channels: 3, background: "red" } })
    .jpeg()
    .toBuffer();
  const body = {
    images: [plain.toString("base64"), plain.toString("base64"), red.toString("base64")],
    prompts: ["a red square", "", "x"],
  };
  const { json } = await api("/score", { body });
  expect(json.results.map(({ prompt }: { prompt: string }) => prompt)).toEqual(["a red square", "", "x"]);
  expect(json.results[0].infotext).toBeNull();
  const { json: without } = await api("/score", { body: { images: [plain.toString("base64")] } });
  expect(without.results[0].error.message).toContain("does not say which prompt");
});

// ---- files

test("paths out of the library lead nowhere", async () => {
  const secret = join(pictures, "..", "secret.png");
  for (const path of [
    secret,
    join(pictures, "link.png"),
    `${pictures}/../secret.png`,
    "/etc/passwd",
    "../../etc/passwd",
    join(pictures, "%2e%2e", "secret.png"),
  ]) {
    const { status } = await api("/info", { body: { image: { path } } });
    expect([path, [403, 404].includes(status)]).toEqual([path, true]);
  }
  const id = idOf("red.png");
  for (const path of [
    "/api/v1/library/..%2f..%2f..%2fetc%2fpasswd/file",
    `/api/v1/library/${id}/../../../../etc/passwd`,
    "/api/v1/jobs/..%2f..%2fsettings/pictures/result.png",
    "/api/v1/jobs/x/pictures/..%2f..%2f..%2frenoir.db",
    "/assets/..%2f..%2f..%2fpackage.json",
    "/assets/../../../package.json",
    "/..%2f..%2fpackage.json",
    "/docs/..%2f..%2fpackage.json",
    "/docs/%2e%2e/%2e%2e/package.json",
    "/.stamp",
  ]) {
    const { status, text } = await ask(server.url, path);
    expect([path, status >= 400 && status < 500, /devDependencies|root:/.test(text)]).toEqual([path, true, false]);
  }
});

test("a picture's file and its thumbnail are pictures to a browser, and are asked for once", async () => {
  const { json } = await api(`/library/${idOf("red.png")}`);
  const thumbnail = await ask(server.url, json.thumbnail);
  expect(thumbnail.headers).toMatchObject({
    "content-type": "image/webp",
    "cache-control": "private, max-age=31536000, immutable",
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
  });
  const again = await ask(server.url, json.thumbnail, {
    headers: { "if-none-match": thumbnail.headers.etag as string },
  });
  expect(again.status).toBe(304);
  const file = await ask(server.url, json.file);
  expect(file.headers).toMatchObject({
    "content-type": "image/png",
    "content-length": String(red.length),
    "cache-control": "private, no-cache",
  });
});

test("the export is a file to save, row by row", async () => {
  const csv = await api("/library/export?sort=name");
  expect(csv.headers).toMatchObject({
    "content-type": "text/csv; charset=utf-8",
    "content-disposition": "attachment; filename=renoir-library.csv",
  });
  const rows = csv.text.trim().split("\r\n");
  expect(rows).toHaveLength(3);
  expect(rows[1]).toContain("blue.png");
  const list = await api("/library/export?format=json&sort=name");
  expect(list.json.map(({ name }: { name: string }) => name)).toEqual(["blue.png", "red.png"]);
});

// ---- many at once

test("a hundred requests of one client at once: it is told to wait, and another is answered meanwhile", {
  timeout: 60_000,
}, async () => {
  const other = await startServer({
    port: 0,
    home: await freshFolder(),
    demo: null,
    limits: { perClient: 4, altogether: 8 },
  });
  try {
    const score = (client: string) =>
      ask(other.url, "/api/v1/score", {
        body: { images: [red.toString("base64")], prompt },
        headers: { "x-renoir-client": client },
      });
    await score("first"); // the model is loaded
    const greedy = Array.from({ length: 100 }, () => score("greedy"));
    let served = 0;
    for (const reply of greedy) reply.then(({ status }) => (served += Number(status === 200)));
    const modest = await score("modest");
    expect(served).toBeLessThan(50); // the hundred came first
    const replies = await Promise.all(greedy);
    expect(modest.status).toBe(200);
    const done = replies.filter(({ status }) => status === 200).length;
    const busy = replies.filter(({ status }) => status === 429);
    expect([done + busy.length, done >= 4]).toEqual([100, true]);
    expect(busy.length).toBeGreaterThan(0);
    expect(busy[0]!.headers["retry-after"]).toBe("1");
    expect(busy[0]!.json.error.code).toBe("busy");
    expect((await score("greedy")).status).toBe(200); // and later it may again
  } finally {
    await other.close();
  }
});
