import sharp from "sharp";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { manifest } from "../../src/extension/manifest.ts";
import { pixelDigest } from "../../src/metadata/carriers/carrier.ts";
import { readMetadata } from "../../src/metadata/index.ts";
import { orderOf, readAnswer } from "../../src/server/gateway/answer.ts";
import { type RunningServer, startServer } from "../../src/server/start.ts";
import { freshFolder, picture } from "../cli/command.ts";
import { ask } from "./serving.ts";
import { colours, generate, infotext, startUpstream, type Upstream } from "./upstream.ts";

const prompt = "a red circle";
const count = 4;
const route = "/sdapi/v1/txt2img";

let server: RunningServer;
let upstream: Upstream;
/** By the colours' order, as POST /score gives them. */
let scores: number[];

beforeAll(async () => {
  server = await startServer({ port: 0, home: await freshFolder(), demo: null });
  const images = await Promise.all(
    colours.slice(0, count).map(async (colour) => (await picture(colour, prompt)).toString("base64")),
  );
  const { json } = await ask(server.url, "/api/v1/score", { body: { images, rewards: ["shapes"] } });
  scores = json.results.map(({ total }: { total: number }) => total);
}, 60_000);
afterAll(() => server?.close());
beforeEach(async () => {
  upstream = await startUpstream();
  await server.services.settings.change({
    upstream: upstream.url,
    gateway: { enabled: false, rewards: "", filter: false, limit: 0, sort: true },
  });
});

const payload = (renoir?: unknown, more: object = {}) => ({
  ...{ prompt, seed: 100, batch_size: count, ...more },
  ...(renoir !== undefined && { alwayson_scripts: { Renoir: renoir } }),
});
const generated = (body: object) => ask(server.url, route, { body });
const received = () => JSON.parse(upstream.asked.at(-1)!.body.toString());
const best = () => scores.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]!);

test("the test's pictures have scores that tell them apart", () => {
  expect(new Set(scores.map((score) => score.toFixed(4))).size).toBe(count);
  expect(best()).not.toEqual([0, 1, 2, 3]);
});

test("without a wish both ways are untouched, byte by byte", async () => {
  const body = `{ "prompt" : "a red circle", "seed": 18446744073709551615, "cfg_scale": 7.0, "batch_size": 2 }`;
  const { text, headers } = await ask(server.url, route, { body, headers: { "content-type": "application/json" } });
  expect(upstream.asked.at(-1)!.body.toString()).toBe(body);
  expect(text).toBe(await generate(JSON.parse(body)));
  expect(headers["x-renoir"]).toBeUndefined();
});

test("scored and sorted: pictures, seeds and texts stand in one new order, each with its own score", async () => {
  const plain = JSON.parse(await generate(payload() as never));
  const { json, headers, text } = await generated(payload({ enabled: true, rewards: "shapes" }));
  expect(headers["x-renoir"]).toBe("4 pictures were scored.");
  const info = JSON.parse(json.info);
  const order = best();
  expect(info.all_seeds).toEqual(order.map((i) => 100 + i));
  expect(info.all_subseeds).toEqual(order.map((i) => 7 + i));
  expect([info.seed, info.subseed]).toEqual([100 + order[0]!, 7 + order[0]!]);
  for (const [place, i] of order.entries()) {
    expect(info.infotexts[place]).toContain(
      `Seed: ${100 + i}, Size: 96x64, Version: f2.0.1, Shapes Score: ${scores[i]!.toFixed(4)}`,
    );
    const [before, after] = [plain.images[i], json.images[place]].map((image) => Buffer.from(image, "base64"));
    expect(pixelDigest(after!)).toBe(pixelDigest(before!));
    const { prompt: said, scores: told, seed } = await readMetadata(after!);
    expect({ said, told, seed }).toEqual({ said: prompt, told: { Shapes: Number(scores[i]!.toFixed(4)) }, seed: 7 });
  }
  expect(info.renoir.scores.map(({ Shapes }: { Shapes: number }) => Shapes)).toEqual(order.map((i) => scores[i]));
  expect(json.parameters).toEqual(plain.parameters);
  expect(text).toContain(`"parameters": {"cfg_scale": 7.0, "seed": 18446744073709551615,`); // digits and points are as Python wrote them
  expect(json.info).toContain('"cfg_scale": 7.0,');
});

test("the entry is taken out of what the WebUI is asked, and nothing else is", async () => {
  await generated({
    ...payload(),
    alwayson_scripts: { adetailer: { args: [true, { a: 7 }] }, RENOIR: { args: [true, "shapes"] } },
  });
  expect(received()).toEqual({ ...payload(), alwayson_scripts: { adetailer: { args: [true, { a: 7 }] } } });
  const { headers } = await generated(payload({ args: [false] }));
  expect([received().alwayson_scripts, headers["x-renoir"]]).toEqual([{}, undefined]);
});

test("a WebUI that has the plugin does the work itself, and gets the arguments in its order", async () => {
  upstream.scripts = ["adetailer", "renoir"];
  const { json, headers } = await generated(payload({ enabled: true, limit: "0.5", filter: 1 }));
  expect(headers["x-renoir"]).toBeUndefined();
  const args = [true, "", true, 0.5, true, "keep", ""];
  expect(args.length).toBe(manifest.settings.length);
  expect(received().alwayson_scripts).toEqual({ Renoir: { args } });
  expect(JSON.parse(json.info).all_seeds).toEqual([100, 101, 102, 103]);
});

test("the settings' wish counts where a request has none, and a request's own goes before it", async () => {
  await server.services.settings.change({
    gateway: { enabled: true, rewards: "shapes", filter: false, limit: 0, sort: false },
  });
  const { json, headers } = await generated(payload());
  expect(headers["x-renoir"]).toBe("4 pictures were scored.");
  expect(JSON.parse(json.info).all_seeds).toEqual([100, 101, 102, 103]);
  expect((await generated(payload({ args: [false] }))).headers["x-renoir"]).toBeUndefined();
  expect(JSON.parse((await generated(payload({ sort: true }))).json.info).all_seeds).toEqual(
    best().map((i) => 100 + i),
  );
});

test("below the limit a picture is left out with all that goes by it; one at the limit stays; the grid goes, a mask stays", async () => {
  const order = best();
  const limit = scores[order[1]!]!;
  const { json, headers } = await generated(
    payload({ filter: true, limit, rewards: "shapes" }, { grid: true, mask: true }),
  );
  const info = JSON.parse(json.info);
  expect(headers["x-renoir"]).toBe(`4 pictures were scored, 2 of them filtered out below ${limit}.`);
  expect([json.images.length, info.infotexts.length, info.all_prompts.length, info.index_of_first_image]).toEqual([
    3, 2, 2, 0,
  ]);
  expect(info.all_seeds).toEqual(order.slice(0, 2).map((i) => 100 + i));
  expect(json.images[2]).toBe((await picture("yellow")).toString("base64"));
  expect(info.renoir.filtered.length).toBe(2);
});

test("the grid stays where it is, unscored, while all pictures stay", async () => {
  const { json } = await generated(payload({ rewards: "shapes" }, { grid: true, mask: true }));
  const info = JSON.parse(json.info);
  expect([json.images.length, info.index_of_first_image]).toEqual([6, 1]);
  expect(json.images[0]).toBe((await picture("yellow")).toString("base64"));
  expect(info.infotexts[0]).toBe("a red circle, the grid");
  expect(info.all_seeds).toEqual(best().map((i) => 100 + i));
});

test("with everything left out there are no pictures and a note, and nothing fails", async () => {
  const { status, json } = await generated(
    payload({ filter: true, limit: 99, rewards: "shapes" }, { grid: true, mask: true }),
  );
  const info = JSON.parse(json.info);
  expect([status, json.images, info.infotexts, info.all_seeds, info.seed]).toEqual([200, [], [], [], 100]);
  expect(info.renoir.note).toBe("4 pictures were scored, all of them filtered out below 99.");
  expect(info.renoir.filtered.length).toBe(count);
});

test("where scoring fails the answer is the WebUI's own, and a header says why", async () => {
  const { text, headers } = await generated(payload({ rewards: "beauty" }));
  expect(text).toBe(await generate(payload() as never));
  expect(headers["x-renoir"]).toMatch(/^Not scored: There is no reward "beauty"/);
  upstream.answer = `{"images": [], "parameters": {}, "info": "{\\"infotexts\\": []}"}`;
  const empty = await generated(payload({ enabled: true }));
  expect([empty.text, empty.headers["x-renoir"]]).toEqual([
    upstream.answer,
    "Not scored: the answer has no pictures with infotext.",
  ]);
});

test("a picture that can not be scored stays, last and as it was", async () => {
  const answer = JSON.parse(await generate(payload() as never));
  answer.images[0] = Buffer.from("no picture").toString("base64");
  upstream.answer = JSON.stringify(answer);
  const { json } = await generated(payload({ filter: true, limit: -99, rewards: "shapes" }));
  expect(json.images.at(-1)).toBe(answer.images[0]);
  expect(JSON.parse(json.info).infotexts.at(-1)).toBe(JSON.parse(answer.info).infotexts[0]);
});

test("JPEG and WebP carry their scores in their EXIF, their pixels untouched", async () => {
  const exif = { IFD2: { UserComment: infotext(prompt, 7) } };
  const formats = await Promise.all(
    (["jpeg", "webp"] as const).map((format) =>
      sharp({ create: { width: 64, height: 64, channels: 3, background: "red" } })
        .withExif(exif)
        .toFormat(format)
        .toBuffer(),
    ),
  );
  const answer = JSON.parse(await generate({ prompt, seed: 100, batch_size: 2 }));
  answer.images = formats.map((bytes) => bytes.toString("base64"));
  upstream.answer = JSON.stringify(answer);
  const { json } = await generated(payload({ sort: false, rewards: "shapes" }));
  for (const [i, image] of json.images.entries()) {
    const bytes = Buffer.from(image, "base64");
    expect(pixelDigest(bytes)).toBe(pixelDigest(formats[i]!));
    const { scores: told, seed, infotext: text } = await readMetadata(bytes);
    expect([Object.keys(told), seed]).toEqual([["Shapes"], 7]);
    expect(text).toContain(infotext(prompt, 7));
  }
  expect(JSON.parse(json.info).infotexts[0]).toMatch(/Shapes Score: /);
});

test("an error of the WebUI's passes as it is", async () => {
  const { status, json } = await generated({
    ...payload({ enabled: true }),
    alwayson_scripts: { renoir: {}, other: {} },
  });
  expect([status, json.detail]).toEqual([422, "always on script other not found"]);
});

test("order: best first, those without a score behind, equal ones as they came; without sorting as they came", () => {
  const score = (total: number) => ({ scores: {}, total });
  const mixed = [score(0.5), undefined, score(2), score(0.5), score(-1)];
  expect(orderOf(mixed, { sort: true, limit: undefined })).toEqual([2, 0, 3, 4, 1]);
  expect(orderOf(mixed, { sort: false, limit: 0.5 })).toEqual([0, 1, 2, 3]);
});

test("answers of another form are no answers with pictures", () => {
  for (const text of [
    "",
    "[]",
    '{"images": 1}',
    '{"images": ["x"], "info": "{}"}',
    '{"images": [], "info": "{\\"infotexts\\": [\\"a\\"]}"}',
  ]) {
    expect(readAnswer(text)).toBeUndefined();
  }
});
