import { expect, test } from "vitest";
import { RequestError } from "../../../src/errors.ts";
import {
  type NoiseDType,
  type NoiseRequest,
  noise,
  type Rng,
  TorchCpuGenerator,
  TorchCudaGenerator,
} from "../../../src/reno/noise/index.ts";
import { largestDifference } from "../../support/compare.ts";
import {
  hashed,
  hosts,
  noiseDifferences,
  noiseHash,
  stored,
  storedOf,
  streamDifferences,
} from "../../support/storedNoise.ts";

for (const host of hosts) {
  test(`the noise of ${host ?? "torch.randn"} is the original's, to 1e-6`, () => {
    const cases = storedOf(host);
    expect(cases.length).toBeGreaterThan(12);
    for (const one of cases) {
      const { numbers, mean, meanSquare } = noiseDifferences(one);
      const about = JSON.stringify(one.request);
      expect(numbers, about).toBeLessThanOrEqual(1e-6);
      expect(mean, about).toBeLessThan(2e-7);
      expect(meanSquare, about).toBeLessThan(1e-6);
    }
  });
}

test("from 16 numbers on torch's CPU noise is equal bit for bit, in every dtype", () => {
  expect(new Set(hashed.map(({ request }) => request.dtype ?? "float32")).size).toBe(3);
  for (const one of hashed) expect(noiseHash(one), JSON.stringify(one.request)).toBe(one.sha256);
});

test.each(stored.streams)(
  "draw after draw from one $rng generator goes on as torch's does, across sizes and dtypes",
  (stream) => {
    for (const difference of streamDifferences(stream)) expect(difference).toBeLessThanOrEqual(1e-6);
  },
);

test("a generator draws by count as by shape, and says what it can not draw", () => {
  expect(new TorchCpuGenerator(3).randn(40)).toEqual(new TorchCpuGenerator(3).randn([2, 20]));
  expect(new TorchCpuGenerator(3).randn(0)).toEqual(new Float32Array());
  for (const size of [-1, 1.5, [2, -1], Number.NaN]) {
    expect(() => new TorchCudaGenerator(3).randn(size)).toThrow("numbers was asked for");
  }
  expect(() => new TorchCpuGenerator(3).randn(4, "float64" as NoiseDType)).toThrow('The dtype is "float64"');
});

const seedsAlike: Record<Rng, readonly (readonly (number | bigint)[])[]> = {
  cpu: [
    [-1, 2n ** 64n - 1n, 2n ** 32n - 1n, 4294967295],
    [2 ** 32 + 5, 5, 5n],
    [-(2n ** 63n), 0],
  ],
  cuda: [
    [-1, 2n ** 64n - 1n],
    [-(2n ** 63n), 2n ** 63n],
  ],
};

test("seeds count modulo 2^32 on the CPU and modulo 2^64 on CUDA", () => {
  for (const [rng, groups] of Object.entries(seedsAlike)) {
    for (const seeds of groups) {
      const draws = seeds.map((seed) => [...noise({ seed, shape: [20], rng: rng as Rng })]);
      for (const draw of draws) expect(draw).toEqual(draws[0]);
    }
  }
  const [low, high] = [5, 2 ** 32 + 5].map((seed) => noise({ seed, shape: [4], rng: "cuda" }));
  expect(low).not.toEqual(high);
});

test("A1111 counts seeds up in a batch, and with a variation subseeds instead", () => {
  const shape = [1, 4, 8, 8];
  const third = noise({ host: "a1111", seed: 100, shape, index: 2, rng: "cpu" });
  expect(third).toEqual(noise({ seed: 102, shape }));
  expect(noise({ host: "a1111", seed: 100, shape: [3, 4, 8, 8], rng: "cpu" }).subarray(2 * 256)).toEqual(third);
  const variation = { host: "a1111", seed: 100, shape, rng: "cpu", subseedStrength: 1 } as const;
  const full = noise({ ...variation, index: 2, subseed: 7 });
  expect(largestDifference(full, noise({ seed: 9, shape }))).toBeLessThan(1e-6);
});

test("A1111 keeps the middle of noise that was made for another size", () => {
  const shape = [1, 1, 4, 4];
  const larger = noise({ host: "a1111", seed: 1, shape, rng: "cpu", resizeFrom: { width: 64, height: 32 } });
  const made = noise({ seed: 1, shape: [1, 1, 4, 8] });
  const rows = [0, 1, 2, 3].flatMap((row) => [...made.subarray(8 * row + 2, 8 * row + 6)]);
  expect([...larger]).toEqual(rows);
});

test("a host takes being told what it does anyway", () => {
  const shape = [1, 4, 8, 8];
  const request = { seed: 5, shape, rng: "cpu", dtype: "float32" } as const;
  expect(noise({ host: "comfyui", ...request })).toEqual(noise(request));
  expect(noise({ host: "a1111", ...request })).toEqual(noise(request));
});

test("ComfyUI draws a batch in one, and by batch index one by one, which differ for sizes off 16", () => {
  const joint = noise({ host: "comfyui", seed: 1, shape: [2, 4, 3, 5] });
  const single = noise({ host: "comfyui", seed: 1, shape: [2, 4, 3, 5], index: [0, 1] });
  expect(joint).not.toEqual(single);
  const even = { host: "comfyui", seed: 1, shape: [2, 4, 8, 8] } as const;
  expect(noise(even)).toEqual(noise({ ...even, index: [0, 1] }));
});

/** Each slip with words of the sentence that answers it. */
const slips: [unknown, string[]][] = [
  [{ seed: 1.5, shape: [4] }, ["The seed is 1.5", "2^64 - 1"]],
  [{ seed: "5", shape: [4] }, ['The seed is "5"']],
  [{ seed: undefined, shape: [4] }, ["The seed is undefined"]],
  [{ seed: 2 ** 64, shape: [4] }, ["beyond 2^53"]],
  [{ seed: 2n ** 64n, shape: [4] }, ["The seed is 18446744073709551616"]],
  [{ seed: -(2n ** 63n) - 1n, shape: [4] }, ["The seed is -9223372036854775809"]],
  [{ seed: 1, shape: [] }, ["The shape is []"]],
  [{ seed: 1, shape: "1,4" }, ['The shape is "1,4"']],
  [{ seed: 1, shape: [1, 4, 0, 8] }, ["The shape is [1,4,0,8]", "from 1"]],
  [{ seed: 1, shape: [1, 4, 8.5, 8] }, ["The shape is [1,4,8.5,8]"]],
  [{ seed: 1, shape: [65536, 65536] }, ["4294967296 numbers", "at most 268435456"]],
  [{ seed: 1, shape: [4], rng: "gpu" }, ['no generator "gpu"', '"cpu" and "cuda"']],
  [{ seed: 1, shape: [4], dtype: "float64" }, ['"float64"', "bfloat16"]],
  [{ seed: 1, shape: [4], rng: "cuda", threads: 100 }, ['"threads" is 100', "multiple of 256"]],
  [{ seed: 1, shape: [4], subseed: 3 }, ['torch.randn knows no "subseed"']],
  [{ host: "comfyui", seed: 1, shape: [1, 4, 8, 8], rng: "cuda" }, ['comfyui always draws with rng "cpu"', '"cuda"']],
  [{ host: "a1111", seed: 1, shape: [1, 4, 8, 8], dtype: "float16" }, ['a1111 always draws with dtype "float32"']],
  [{ host: "a1111", seed: [1n, 2n], shape: [1, 4, 8, 8] }, ['The seed is ["1","2"]']],
  [{ host: "a1111", seed: 1, shape: [1, 4, 8, 8], subseed: 2, subseedStrength: "1" }, ['strength is "1"']],
  [
    { host: "a1111", seed: 1, shape: [1, 4, 8, 8], resizeFrom: { width: 2 ** 20, height: 2 ** 20 } },
    ["[4,131072,131072]", "at most"],
  ],
  [{ host: "comfyui", seed: 1, shape: [2, 4, 8, 8], index: 1 }, ["names 1 pictures", "has 2"]],
  [{ host: "comfyui", seed: 1, shape: [1, 4, 8, 8], index: -1 }, ["The batch index is -1"]],
  [{ host: "drawthings", seed: 1, shape: [4] }, ['"drawthings"', "a1111, comfyui, diffusers, reno"]],
  [{ host: "a1111", seed: 1, shape: [4, 8, 8] }, ["3 dimensions", "has 4"]],
  [{ host: "a1111", seed: 1, shape: [1, 4, 8, 8], index: 0.5 }, ["The index is 0.5"]],
  [
    { host: "a1111", seed: 2n ** 64n - 1n, shape: [1, 4, 8, 8], index: 1 },
    ["seed of picture 1", "18446744073709551616"],
  ],
  [{ host: "a1111", seed: 1, shape: [1, 4, 8, 8], subseed: 2, subseedStrength: 1.5 }, ["strength is 1.5", "0 to 1"]],
  [{ host: "a1111", seed: 1, shape: [1, 4, 8, 8], subseed: 2, subseedStrength: Number.NaN }, ["strength is NaN"]],
  [{ host: "a1111", seed: 1, shape: [1, 4, 8, 8], subseedStrength: 0.5 }, ["no subseed was given"]],
  [{ host: "a1111", seed: 1, shape: [1, 4, 8, 8], subseedStrength: 0.5, subseed: 0.1 }, ["The subseed is 0.1"]],
  [{ host: "a1111", seed: 1, shape: [1, 4, 8, 8], resizeFrom: { width: 512 } }, ["size to resize from"]],
  [{ host: "diffusers", seed: [1, 2], shape: [3, 4, 8, 8] }, ["2 seeds for the 3 pictures"]],
  [{ host: "reno", seed: 1, shape: [1, 4, 8, 8], skip: -1 }, ["prompts before is -1"]],
];

test("a request that can not be met says what was found and what is wanted", () => {
  for (const [request, words] of slips) {
    const error = (() => {
      try {
        noise(request as NoiseRequest);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error, JSON.stringify(words)).toBeInstanceOf(RequestError);
    const { message, hint } = error as RequestError;
    for (const word of words) expect(message).toContain(word);
    expect(hint).toBeTruthy();
  }
});
