// Pictures and gradients in float16 against float32's, from a small model with random weights.

import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadPipeline } from "../../src/reno/loadPipeline.ts";
import { type PlanName, planned } from "../../src/reno/memoryPlan.ts";
import { noise } from "../../src/reno/noise/index.ts";
import type { Pipeline } from "../../src/reno/pipeline.ts";
import { StepGraph, type StepValues } from "../../src/reno/stepGraph.ts";
import { loadReward } from "../../src/scoring/loadReward.ts";
import { openCheckpoint } from "../../src/weights/checkpoint.ts";
import { writeSafetensors } from "../../src/weights/safetensors.ts";
import { Weights } from "../../src/weights/weights.ts";
import { cosine, largestDifference } from "../support/compare.ts";
import { writeDiffusersFolder } from "../support/tinyPipelines.ts";

const prompt = "a red circle left of a blue square";
const request = { prompt, guidance: 2, seed: 6, width: 24, height: 16 };
const onCpu = { provider: "cpu", threads: 1 } as const;
let home: string;
const open = (dtype?: string) => loadPipeline(join(home, "turbo"), { ...onCpu, dtype });
let exact: Pipeline;
let half: Pipeline;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "renoir-float16-"));
  await writeDiffusersFolder(join(home, "turbo"), "turbo");
  exact = await open("float32");
  half = await open("float16");
}, 60_000);
afterAll(async () => {
  for (const pipeline of [exact, half]) await pipeline.unload();
  await rm(home, { recursive: true });
});

test("the picture is within a hundredth of float32's, guided too", async () => {
  const [a, b] = [await exact.generate(request), await half.generate(request)];
  expect(b.latents).toEqual(a.latents);
  expect(largestDifference(b.pixels, a.pixels)).toBeLessThan(1e-2);
  expect(largestDifference(b.pixels, a.pixels)).toBeGreaterThan(1e-5); // and it is not secretly float32
});

test("the prompt's states are float32 numbers near float32's", async () => {
  const [{ positive: a }, { positive: b }] = [await exact.condition(prompt), await half.condition(prompt)];
  expect(b.data).toBeInstanceOf(Float32Array);
  expect(cosine(b.data, a.data)).toBeGreaterThan(0.9999);
});

async function look(pipeline: Pipeline, dtype: string, name: PlanName): Promise<StepValues> {
  const reward = await loadReward("shapes", { ...onCpu, dtype });
  const conditioning = await exact.condition(prompt);
  const parts = { pipeline, rewards: [{ reward }], prompt, conditioning, width: 32, height: 32, ...onCpu };
  const graph = await StepGraph.build({ ...parts, plan: planned(name) });
  const values = await graph.evaluate(noise({ host: "diffusers", seed: 6, shape: [1, 4, 8, 8] }), { gradient: true });
  await graph.release();
  return values;
}

test("reward and gradient to the noise are near float32's, whole and in segments", async () => {
  const want = await look(exact, "float32", "whole");
  for (const name of ["whole", "segments"] as const) {
    const got = await look(half, "float16", name);
    expect(Math.abs(got.loss - want.loss), name).toBeLessThan(2e-2);
    expect(got.loss, name).not.toBe(want.loss);
    expect(cosine(got.gradient!, want.gradient!), name).toBeGreaterThan(0.999);
    expect(largestDifference(got.image, want.image), name).toBeLessThan(1e-2);
  }
});

test("auto is float32 on the CPU, and other dtypes are refused in words", async () => {
  const auto = await open();
  expect((await auto.generate(request)).pixels).toEqual((await exact.generate(request)).pixels);
  await auto.unload();
  await expect(open("bfloat16")).rejects.toThrow(
    'Pictures are not computed in "bfloat16"; wanted is float32, float16 or auto.',
  );
});

test("a file in float16 is used as it lies there, and taken before one in float32", async () => {
  const folder = join(home, "fp16");
  await cp(join(home, "turbo"), folder, { recursive: true });
  const plain = join(folder, "unet", "diffusion_pytorch_model.safetensors");
  const variant = plain.replace(".safetensors", ".fp16.safetensors");
  await writeSafetensors(variant, {
    half: { dtype: "float16", shape: [2], data: Uint16Array.of(0x3c00, 0xc000) },
    ids: { dtype: "int64", shape: [1], data: BigInt64Array.of(3n) },
  });
  await expect(loadPipeline(folder, { ...onCpu, dtype: "float16" })).rejects.toThrow("fp16.safetensors has no tensor");
  await (await loadPipeline(folder, { ...onCpu, dtype: "float32" })).unload();

  const checkpoint = await openCheckpoint(variant);
  const [narrow, wide] = [Weights.fromCheckpoint(checkpoint, { dtype: "float16" }), Weights.fromCheckpoint(checkpoint)];
  expect(narrow.get("half")).toMatchObject({ dtype: "float16", origin: { kind: "parameter" } });
  expect(wide.get("half")).toMatchObject({ dtype: "float32", origin: { kind: "node" } });
  expect(narrow.get("ids")).toMatchObject({ dtype: "int64", origin: { kind: "parameter" } });
  const single = Weights.fromCheckpoint(await openCheckpoint(plain), { dtype: "float16" });
  expect(single.get("conv_in.weight")).toMatchObject({ dtype: "float16", origin: { kind: "node" } });
});
