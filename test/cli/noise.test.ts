import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { main } from "../../src/cli/index.ts";
import { type NoiseRequest, noise } from "../../src/reno/noise/index.ts";
import { openCheckpoint } from "../../src/weights/checkpoint.ts";
import { readFloat32 } from "../../src/weights/read.ts";

let file: string;
let printed: { stdout: string; stderr: string };

beforeEach(async () => {
  file = join(await mkdtemp(join(tmpdir(), "renoir noise ")), "noise.safetensors");
  printed = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    vi.spyOn(process[stream], "write").mockImplementation((text) => {
      printed[stream] += text;
      return true;
    });
  }
});
afterEach(() => {
  vi.restoreAllMocks();
});

const run = (line: string) => main(["noise", ...line.split(" "), "--out", file]);

async function written() {
  const { tensors, metadata } = await openCheckpoint(file);
  const tensor = tensors.get("noise")!;
  return { names: [...tensors.keys()], shape: tensor.shape, metadata, data: await readFloat32(tensor) };
}

/** Each line of flags with the request that it stands for. */
const lines: [string, NoiseRequest][] = [
  ["--seed 42 --shape 1,4,8,8", { seed: 42, shape: [1, 4, 8, 8] }],
  ["--seed -1 --shape 3 --rng cuda", { seed: 2n ** 64n - 1n, shape: [3], rng: "cuda" }],
  ["--seed 18446744073709551615 --shape 1,4,9,7 --dtype float16", { seed: -1, shape: [1, 4, 9, 7], dtype: "float16" }],
  [
    "--seed 7 --shape 1,4,6,6 --host a1111 --rng cpu --index 2 --subseed 9 --subseed-strength 0.3 --resize-from 64x32",
    {
      host: "a1111",
      seed: 7,
      shape: [1, 4, 6, 6],
      index: 2,
      rng: "cpu",
      subseed: 9,
      subseedStrength: 0.3,
      resizeFrom: { width: 64, height: 32 },
    },
  ],
  [
    "--seed 7 --shape 2,4,3,5 --host comfyui --index 5,2",
    { host: "comfyui", seed: 7, shape: [2, 4, 3, 5], index: [5, 2] },
  ],
  ["--seed 1,2 --shape 2,4,3,5 --host diffusers", { host: "diffusers", seed: [1, 2], shape: [2, 4, 3, 5] }],
  ["--seed 0 --shape 1,4,8,8 --host reno --index 1", { host: "reno", seed: 0, shape: [1, 4, 8, 8], skip: 1 }],
  ["--seed 0 --shape 1024 --rng cuda --gpu-threads 256", { seed: 0, shape: [1024], rng: "cuda", threads: 256 }],
];

test("the file holds the noise that the library makes of the same request", async () => {
  for (const [line, request] of lines) {
    expect(await run(line), line).toBe(0);
    const { names, shape, data } = await written();
    expect(names).toEqual(["noise"]);
    expect(shape).toEqual(request.shape);
    expect(data, line).toEqual(noise(request));
  }
});

test("--json prints one line that names the file and what made it; the file's header names it too", async () => {
  expect(await run("--seed 9007199254740993 --shape 1,4,8,8 --host a1111 --rng cpu --index 1 --json")).toBe(0);
  expect(printed.stdout).toMatch(/^\{.*\}\n$/);
  expect(printed.stdout).toContain("9007199254740993");
  expect(JSON.parse(printed.stdout)).toMatchObject({
    file,
    tensor: "noise",
    shape: [1, 4, 8, 8],
    host: "a1111",
    index: 1,
  });
  const { metadata } = await written();
  expect(metadata).toEqual({ seed: "9007199254740993", shape: "1,4,8,8", host: "a1111", rng: "cpu", index: "1" });
});

/** Each slip with words of the sentence that answers it. */
const slips: [string, string][] = [
  ["--shape 1,4,8,8", "--seed"],
  ["--seed 4.5 --shape 1,4,8,8", "no whole number"],
  ["--seed 99999999999999999999 --shape 1,4,8,8", "The seed is 99999999999999999999"],
  ["--seed 1 --shape 1,4,0,8", "whole numbers from 1"],
  ["--seed 1 --shape 1x4", "Write it as in 1,4,64,64"],
  ["--seed 1 --shape 1,4,8,8 --rng gpu", "Allowed choices are cpu, cuda"],
  ["--seed 1 --shape 1,4,8,8 --host comfyui --rng cuda", 'comfyui always draws with rng "cpu"'],
  ["--seed 1 --shape 1,4,8,8 --subseed 3", 'knows no "subseed"'],
  ["--seed 1 --shape 1,4,8,8 --host a1111 --subseed 3 --subseed-strength 2", "from 0 to 1"],
  ["--seed 1 --shape 1,4,8,8 --host a1111 --resize-from 64", "no size in pixels"],
  ["--seed 1,2 --shape 1,4,8,8", "The seed is"],
];

test("wrong usage ends with status 2 and a sentence that says what is wanted", async () => {
  for (const [line, words] of slips) {
    printed.stderr = "";
    expect(await run(line), line).toBe(2);
    expect(printed.stderr, line).toContain(words);
  }
});

test("a file that can not be written ends with status 1", async () => {
  file = join(file, "not", "there.safetensors");
  expect(await run("--seed 1 --shape 4")).toBe(1);
  expect(printed.stderr).toContain("could not be written");
});

test("--help shows an example", async () => {
  expect(await main(["noise", "--help"])).toBe(0);
  expect(printed.stdout).toContain("$ renoir noise --seed 42 --shape 1,4,64,64 --out noise.safetensors");
});
