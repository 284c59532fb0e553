// The same graphs on the WebGPU provider. Without a GPU it runs on a software Vulkan where one is installed (Debian: libvulkan1
// and chromium-common, which carries SwiftShader); where there is none these tests are passed over.

import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listProviders } from "../../src/graph/index.ts";
import { loadBertTokenizer } from "../../src/scoring/bertTokenizer.ts";
import { ImageReward } from "../../src/scoring/imageReward.ts";
import type { Checkpoint } from "../../src/weights/checkpoint.ts";
import { cosine, largestDifference } from "../support/compare.ts";
import { floatPicture, openReferenceModel, prompts, recorded, referencePictures } from "../support/referenceModel.ts";

const swiftShader = "/usr/lib/chromium/vk_swiftshader_icd.json";
if (!process.env.VK_DRIVER_FILES && existsSync(swiftShader)) process.env.VK_DRIVER_FILES = swiftShader;
const webgpu = (await listProviders()).includes("webgpu");

let checkpoint: Checkpoint;

beforeAll(async () => {
  checkpoint = await openReferenceModel("small");
});

afterAll(() => rm(dirname(checkpoint.path), { recursive: true }));

test.skipIf(!webgpu)("scores on WebGPU agree with upstream's", { timeout: 300_000 }, async () => {
  const reward = new ImageReward(checkpoint, loadBertTokenizer(), { provider: "webgpu" });
  const pictures = referencePictures("small").slice(0, 3);
  const scores = await reward.score(prompts[0]!, pictures);
  await reward.unload();
  expect(largestDifference(scores, recorded("small").scores[0]!.slice(0, 3))).toBeLessThan(1e-3);
});

test.skipIf(!webgpu)("gradients on WebGPU agree with the CPU's", { timeout: 300_000 }, async () => {
  const picture = floatPicture("small/gradient/1", [40, 33]);
  const gradients = [];
  for (const provider of ["cpu", "webgpu"] as const) {
    const reward = new ImageReward(checkpoint, loadBertTokenizer(), { provider });
    gradients.push((await reward.gradient(prompts[1]!, picture)).gradient);
    await reward.unload();
  }
  expect(cosine(gradients[0]!, gradients[1]!)).toBeGreaterThan(0.9999);
});
