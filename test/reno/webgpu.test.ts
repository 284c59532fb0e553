// A small pipeline's refine on the WebGPU provider, on a software Vulkan where there is no GPU; passed over where there is neither
// (see test/scoring/webgpu.test.ts).

import { existsSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listProviders } from "../../src/graph/index.ts";
import { refine } from "../../src/reno/refine.ts";
import { cosine } from "../support/compare.ts";
import { type Models, openModels, prompt } from "../support/trajectories.ts";

const swiftShader = "/usr/lib/chromium/vk_swiftshader_icd.json";
if (!process.env.VK_DRIVER_FILES && existsSync(swiftShader)) process.env.VK_DRIVER_FILES = swiftShader;
const webgpu = (await listProviders()).includes("webgpu");

let models: Models;

beforeAll(async () => {
  models = await openModels();
});

afterAll(() => models.release());

async function run(provider: "cpu" | "webgpu") {
  const steps = [];
  const reward = await models.reward("small", "");
  const options = { pipeline: models.pipeline, rewards: [{ reward }], prompt, seed: 3, width: 32, height: 32 };
  for await (const step of refine({ ...options, iterations: 3, provider, threads: 2 })) steps.push(step);
  return steps;
}

test.skipIf(!webgpu)("three steps of refining on WebGPU agree with the CPU's", { timeout: 600_000 }, async () => {
  const [cpu, gpu] = [await run("cpu"), await run("webgpu")];
  expect(gpu.length).toBe(3);
  for (const [i, step] of gpu.entries()) {
    const want = cpu[i]!;
    expect(Math.abs(step.loss - want.loss), `loss ${i}`).toBeLessThan(1e-3);
    expect(Math.abs(step.latentsNorm / want.latentsNorm - 1), `norm ${i}`).toBeLessThan(1e-3);
    expect(Math.abs((step.gradientNorm ?? 1) / (want.gradientNorm ?? 1) - 1), `gradient ${i}`).toBeLessThan(1e-3);
    expect(cosine(step.latents, want.latents)).toBeGreaterThan(0.99999);
  }
  expect(cpu[2]!.latents).not.toEqual(cpu[0]!.latents);
});
