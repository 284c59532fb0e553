// renoir generate on a small model with random weights: what its pictures' files say, and that they are made again.

import { readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { readMetadata } from "../../src/metadata/index.ts";
import { noise } from "../../src/reno/noise/index.ts";
import { readLatents } from "../../src/reno/resultFile.ts";
import { writeSafetensors } from "../../src/weights/safetensors.ts";
import { freshFolder, jsonLines } from "./command.ts";
import { pictureSaying, pixelsOf, runIn, tinyModel } from "./making.ts";

const prompt = "a red circle, (left) of a blue square";
let model: string;
let folder: string;

beforeAll(async () => {
  model = await tinyModel();
}, 300_000);
afterAll(() => rm(dirname(model), { recursive: true }));
beforeEach(async () => {
  folder = await freshFolder();
});
afterEach(() => rm(folder, { recursive: true }));

const generate = (...flags: string[]) => runIn(folder, ["generate", "--threads", "1", ...flags]);

test("each picture says how it was made, and is made again from that exactly", async () => {
  const made = await generate(
    "--prompt",
    prompt,
    "--seed",
    "18446744073709551615",
    "--count",
    "2",
    "--model",
    model,
    "--json",
  );
  expect(made.code).toBe(0);
  const files = ["18446744073709551615", "0"].map((seed) =>
    join("outputs", `${seed}-a-red-circle-left-of-a-blue-square.png`),
  );
  expect(jsonLines(made.stdout).map(({ file }) => file)).toEqual(files);
  expect(made.stdout).toMatch(/"seed":"?18446744073709551615"?,"width":32,"height":32,"model":"tiny-turbo"}/);
  const [first, second] = files.map((file) => join(folder, file)) as [string, string];
  expect(await readMetadata(first)).toMatchObject({
    host: "renoir",
    prompt,
    seed: 2n ** 64n - 1n,
    width: 32,
    height: 32,
  });
  expect((await pixelsOf(first)).equals(await pixelsOf(second))).toBe(false);

  const again = await generate("--from", second, "--model", model, "--out", "again", "--json");
  expect(jsonLines(again.stdout)).toEqual([
    {
      file: join("again", "0-a-red-circle-left-of-a-blue-square-again.png"),
      prompt,
      seed: 0,
      width: 32,
      height: 32,
      model: "tiny-turbo",
      candidate: "noise of its seed",
      difference: 0,
    },
  ]);
  expect(await pixelsOf(join(folder, jsonLines(again.stdout)[0].file))).toEqual(await pixelsOf(second));
  expect((await readMetadata(join(folder, jsonLines(again.stdout)[0].file))).infotext).toBe(
    (await readMetadata(second)).infotext,
  );
});

test("noise from a file takes the seed's place, is kept in the picture, and gives it again", async () => {
  const data = noise({ host: "diffusers", seed: 3, shape: [1, 4, 8, 12] });
  await writeSafetensors(join(folder, "noise.safetensors"), {
    latents: { dtype: "float32", shape: [1, 4, 8, 12], data },
  });
  const given = ["--prompt", prompt, "--model", model, "--guidance", "2", "--negative-prompt", "dull", "--json"];
  const [made] = jsonLines((await generate(...given, "--latents", "noise.safetensors")).stdout);
  expect(made).not.toHaveProperty("seed");
  expect(made).toMatchObject({ width: 48, height: 32 });
  const stored = readLatents(await readFile(join(folder, made.file)))!;
  expect(stored).toEqual({ data, shape: [1, 4, 8, 12] });
  const [seeded] = jsonLines((await generate(...given, "--seed", "3", "--size", "48x32")).stdout);
  expect(await pixelsOf(join(folder, seeded.file))).toEqual(await pixelsOf(join(folder, made.file)));
  const [again] = jsonLines((await generate("--from", made.file, "--model", model, "--json")).stdout);
  expect(again).toMatchObject({ candidate: "the noise given", difference: 0 });
});

test("a picture of many steps is refused, unless a model is chosen: then its prompt and noise are taken, and that is said", async () => {
  const file = await pictureSaying(
    join(folder, "fox.png"),
    "a fox\nNegative prompt: dull\nSteps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 5, Size: 32x32, Model: dreamer, Version: v1.10.1",
  );
  const refused = await generate("--from", file);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toMatch(
    /fox\.png: .*20 steps.* With --model NAME-OR-PATH a one-step model draws the same prompt/,
  );
  const drawn = await generate("--from", file, "--model", model, "--json");
  expect(drawn.stderr).toContain("drawn in one step by tiny-turbo: step 0 is another picture than the file's");
  const [line] = jsonLines(drawn.stdout);
  expect(line).toMatchObject({ prompt: "a fox", seed: 5, model: "tiny-turbo" });
  expect(line).not.toHaveProperty("difference");
  const { settings, host } = await readMetadata(join(folder, line.file));
  expect(settings).toMatchObject({ Steps: 1, Sampler: "Euler", "CFG scale": 1, Model: "tiny-turbo" });
  expect(host).toBe("a1111"); // whose way to read prompts and draw noise it keeps
});

test.each<[string, string[], RegExp]>([
  ["nothing", [], /Neither a picture nor --prompt was given/],
  ["a seed of -1", ["--seed", "-1"], /no whole number from 0 to 2\^64 - 1.*leave --seed out/],
  ["a seed too large", ["--seed", "18446744073709551616"], /no whole number from 0 to 2\^64 - 1/],
  ["a size of one number", ["--size", "512"], /no size in pixels. Write it as in 512x768/],
  ["several of one", ["--from", "a.png", "--count", "2"], /--from is of one picture, but --count asks for 2/],
  ["an unknown model", ["--prompt", "a cat", "--model", "nosuch"], /There is no model "nosuch"/],
])("wrong usage, %s, is told in a sentence with exit status 2", async (_, flags, message) => {
  const { code, stdout, stderr } = await generate(...flags);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/\n\s+at /);
});

test("a size that the model can not draw, and a file without seed, model or words, are told in a sentence", async () => {
  const odd = await generate("--prompt", "a cat", "--model", model, "--size", "33x32");
  expect(odd.stderr).toContain("The width is 33; a multiple of 4 was wanted");
  const huge = await generate("--prompt", "a cat", "--model", model, "--size", "8192x4096");
  expect(huge.stderr).toContain("The width is 8192;");
  const large = await generate("--prompt", "a cat", "--model", model, "--size", "4096x4096");
  expect(large).toMatchObject({ code: 1, stdout: "" });
  expect(large.stderr).toMatch(
    /A picture of 4096x4096 takes \d+\.\d GB with tiny-turbo, but \d+\.\d GB are free\..*smaller --size/,
  );
  const seedless = await pictureSaying(join(folder, "a.png"), "a cat\nSteps: 1, Sampler: Euler, Seed: -1, Size: 32x32");
  expect((await generate("--from", seedless, "--model", model)).stderr).toMatch(/a\.png: .*seed/);
  const stranger = await pictureSaying(
    join(folder, "b.png"),
    "a cat\nSteps: 1, Sampler: Euler, CFG scale: 1, Seed: 4, Size: 32x32, Model: dreamer",
  );
  expect((await generate("--from", stranger)).stderr).toMatch(
    /was made by "dreamer", which is no model that Renoir knows/,
  );
  const wordless = await pictureSaying(join(folder, "c.png"), "");
  expect((await generate("--from", wordless, "--model", model)).stderr).toMatch(/c\.png: The file says nothing/);
});
