import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { readJson } from "../../src/server/jsonBody.ts";
import { Uploads } from "../../src/server/uploads.ts";
import { freshFolder } from "../cli/command.ts";

const limits = { picture: 300_000, request: 500_000 };
const uploads = async () => new Uploads(await freshFolder(), limits);

async function* pieces(text: string, size: number) {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const bytesOf = (length: number) => Buffer.from(Array.from({ length }, (_, i) => (i * 7919) % 251));

test("JSON comes out as it is, however its bytes are cut", async () => {
  const value = {
    a: 'quotes " and \\ and \\" at the end\\',
    'k"ey': ["ü", "日本", "", " x ".repeat(20_000)],
    n: -1.5e3,
    t: [true, null, {}],
  };
  const text = JSON.stringify(value);
  for (const size of [1, 2, 3, 7, 64, 65_536]) {
    if (size < 64)
      expect(
        await readJson(pieces(JSON.stringify({ ...value, 'k"ey': ["ü", "日本\\\\", '\\"'] }), size), await uploads()),
      ).toEqual({ ...value, 'k"ey': ["ü", "日本\\\\", '\\"'] });
    else expect(await readJson(pieces(text, size), await uploads())).toEqual(value);
  }
});

test("a picture in base64 goes to the disk, with and without the words of a data URL, and the text says which it is", async () => {
  for (const length of [30_000, 30_001, 30_002, 200_000]) {
    const bytes = bytesOf(length);
    const base64 = bytes.toString("base64");
    const given = { images: [`data:image/png;base64,${base64}`, base64, base64.replaceAll("=", "")], prompt: "a cat" };
    for (const size of [1000, 65_536]) {
      const taken = new Uploads(await freshFolder(), { picture: 300_000, request: 700_000 });
      const read = (await readJson(pieces(JSON.stringify(given), size), taken)) as typeof given;
      expect(read.prompt).toBe("a cat");
      expect(read.images.every((text) => text.length < 64)).toBe(true);
      for (const text of read.images) expect(bytes.equals(await readFile(taken.pathOf(text)!))).toBe(true);
      await taken.dispose();
      await expect(readFile(taken.pathOf(read.images[0]!)!)).rejects.toThrow("ENOENT");
    }
  }
});

test("short base64 and long texts with spaces stay in the JSON", async () => {
  const given = { images: [bytesOf(1000).toString("base64")], text: "a red fox in the snow ".repeat(3000) };
  const taken = await uploads();
  expect(await readJson(pieces(JSON.stringify(given), 5000), taken)).toEqual(given);
  expect(taken.pathOf(given.images[0]!)).toBeUndefined();
});

test("pictures and texts that are too large are refused before they are whole", async () => {
  let taken = 0;
  async function* endless(start: string, more: string) {
    yield Buffer.from(start);
    for (; taken < 1000; taken++) yield Buffer.from(more);
  }
  const letters = bytesOf(30_000).toString("base64").replaceAll("=", "");
  await expect(readJson(endless('{"images":["', letters), await uploads())).rejects.toThrow(
    "A picture of the request is larger than 293 KiB.",
  );
  expect(taken).toBeLessThan(12);
  taken = 0;
  await expect(readJson(endless('{"text":"', "a b ".repeat(10_000)), await uploads(), 100_000)).rejects.toThrow(
    "is longer than 98 KiB",
  );
  expect(taken).toBeLessThan(4);
  taken = 0;
  await expect(readJson(endless("[", "1,".repeat(10_000)), await uploads(), 100_000)).rejects.toMatchObject({
    code: "too-large",
  });
  const many = { images: Array(3).fill(bytesOf(200_000).toString("base64")) };
  await expect(readJson(pieces(JSON.stringify(many), 65_536), await uploads())).rejects.toThrow(
    "pictures together are larger than 488 KiB",
  );
});

test("what is no JSON is told with the parser's words", async () => {
  await expect(readJson(pieces('{"a": nope}', 4), await uploads())).rejects.toThrow(
    /^The request's body is not JSON: .*nope/,
  );
  await expect(readJson(pieces('{"a": "never closed', 4), await uploads())).rejects.toThrow("it ends within a text");
  expect(await readJson(pieces("", 4), await uploads())).toBeUndefined();
});

test("a text of eight megabytes full of backslashes is read in less than a second", async () => {
  const text = JSON.stringify({ a: '\\"'.repeat(1_500_000) });
  const began = performance.now();
  expect(await readJson(pieces(text, 65_536), await uploads())).toEqual({ a: '\\"'.repeat(1_500_000) });
  expect(performance.now() - began).toBeLessThan(1000);
});
