// Where pipelines are found, in which forms, and what is said of those that can not be loaded.

import { cp, link, mkdir, mkdtemp, readFile, realpath, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { loadPipeline } from "../../src/reno/loadPipeline.ts";
import type { Pipeline } from "../../src/reno/pipeline.ts";
import { addModel, reportModels } from "../../src/tasks/models.ts";
import { type TensorToWrite, writeSafetensors } from "../../src/weights/safetensors.ts";
import { largestDifference } from "../support/compare.ts";
import { fixture, tensorsOf, writeDiffusersFolder, writeJson, writeSingleFile } from "../support/tinyPipelines.ts";

const onCpu = { provider: "cpu", threads: 2 };
const request = { prompt: "a red fox", seed: 3, width: 16, height: 16 };
let base = "";
let pristine = "";
let pixels = new Float32Array();
/** A copy that a test may spoil. */
let folder = "";

async function draw(pipeline: Pipeline): Promise<Float32Array<ArrayBufferLike>> {
  const picture = await pipeline.generate(request);
  await pipeline.unload();
  return picture.pixels;
}

beforeAll(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), "renoir load ")));
  vi.stubEnv("RENOIR_HOME", join(base, "home"));
  vi.stubEnv("HF_HOME", join(base, "hf"));
  vi.stubEnv("HF_HUB_CACHE", undefined);
  pristine = join(base, "pristine");
  await writeDiffusersFolder(pristine, "turbo");
  pixels = Float32Array.from(await draw(await loadPipeline(pristine, onCpu)));
}, 60_000);
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(base, { recursive: true, force: true });
});
beforeEach(async () => {
  folder = join(base, "model");
  await rm(folder, { recursive: true, force: true });
  await copyOf(pristine, folder);
});

/** The large files that no test writes into are linked. */
async function copyOf(from: string, to: string): Promise<void> {
  const large = [
    join("text_encoder", "model.safetensors"),
    join("tokenizer", "vocab.json"),
    join("tokenizer", "merges.txt"),
  ];
  await cp(from, to, { recursive: true, filter: (path) => !large.some((name) => path.endsWith(name)) });
  for (const name of large) await link(join(from, name), join(to, name));
}

const unetFile = () => join(folder, "unet", "diffusion_pytorch_model.safetensors");
const configOf = (part: string) => join(folder, part, "config.json");

async function edit(path: string, change: Record<string, unknown>): Promise<void> {
  await writeJson(path, { ...JSON.parse(await readFile(path, "utf8")), ...change });
}

describe("forms of the weights", () => {
  test("the variant fp16 is taken where there is no other, and widened", async () => {
    await rm(unetFile());
    const tensors = Object.entries(tensorsOf("turbo", "unet")).map(([key, tensor]) => [key, halved(tensor)]);
    await writeSafetensors(
      join(folder, "unet", "diffusion_pytorch_model.fp16.safetensors"),
      Object.fromEntries(tensors),
    );
    const difference = largestDifference(await draw(await loadPipeline(folder, onCpu)), pixels);
    expect(difference).toBeGreaterThan(0);
    expect(difference).toBeLessThan(0.01);
  });

  test("shards with their index", async () => {
    await rm(unetFile());
    const entries = Object.entries(tensorsOf("turbo", "unet"));
    const name = (i: number) => `diffusion_pytorch_model-0000${i}-of-00002.safetensors`;
    const shards = [entries.slice(0, 40), entries.slice(40)];
    for (const [i, shard] of shards.entries())
      await writeSafetensors(join(folder, "unet", name(i)), Object.fromEntries(shard));
    const weight_map = Object.fromEntries(shards.flatMap((shard, i) => shard.map(([key]) => [key, name(i)])));
    await writeJson(join(folder, "unet", "diffusion_pytorch_model.safetensors.index.json"), {
      metadata: {},
      weight_map,
    });
    expect(await draw(await loadPipeline(folder, onCpu))).toEqual(pixels);
  });

  test("an autoencoder of diffusers before 0.16", async () => {
    const old = Object.entries(tensorsOf("turbo", "vae")).map(([key, tensor]) => [
      key
        .replace(/(attentions\.0)\.to_q/, "$1.query")
        .replace(/(attentions\.0)\.to_k/, "$1.key")
        .replace(/(attentions\.0)\.to_v/, "$1.value")
        .replace(/(attentions\.0)\.to_out\.0/, "$1.proj_attn"),
      tensor,
    ]);
    await writeSafetensors(join(folder, "vae", "diffusion_pytorch_model.safetensors"), Object.fromEntries(old));
    expect(await draw(await loadPipeline(folder, onCpu))).toEqual(pixels);
  });
});

/** Rounded to float16 by way of its bits. */
function halved({ shape, data }: TensorToWrite): TensorToWrite {
  const bits = Uint16Array.from(data as Float32Array, (x) => {
    const [whole] = new Uint32Array(Float32Array.of(x).buffer) as unknown as [number];
    const exponent = ((whole >>> 23) & 0xff) - 112;
    const mantissa = (whole >>> 13) & 0x3ff;
    return exponent <= 0 ? (whole >>> 16) & 0x8000 : ((whole >>> 16) & 0x8000) | (exponent << 10) | mantissa;
  });
  return { dtype: "float16", shape, data: bits };
}

describe("places", () => {
  test("the registry: a folder and a single file, listed with what they are", async () => {
    const file = join(base, "mine.safetensors");
    await writeSingleFile(file, "turbo");
    expect(await addModel("Tiny-Turbo", folder)).toMatchObject({
      name: "tiny-turbo",
      kind: "pipeline",
      state: "ready",
    });
    expect(await addModel("single", file)).toMatchObject({ kind: "pipeline", state: "ready", path: file });
    const byName = await loadPipeline("tiny-turbo", onCpu);
    expect(byName).toMatchObject({ name: "tiny-turbo", path: folder });
    expect(await draw(byName)).toEqual(pixels);
    const single = await loadPipeline("SINGLE", onCpu);
    expect(single).toMatchObject({
      name: "single",
      path: file,
      size: { width: 256, height: 256 },
      oneStepModel: false,
    });
    expect(largestDifference(await draw(single), pixels)).toBeLessThan(1e-5);
    await rm(file);
    const listed = (await reportModels()).filter(({ kind, builtIn }) => kind === "pipeline" && !builtIn);
    expect(listed.map(({ name, state }) => [name, state])).toEqual([
      ["single", "missing"],
      ["tiny-turbo", "ready"],
    ]);
  });

  test("the hub's cache, by whole name, by its last part, or by its folder", async () => {
    const repository = join(base, "hf", "hub", "models--example--Tiny-Model");
    const snapshot = join(repository, "snapshots", "0123abc");
    await mkdir(join(repository, "refs"), { recursive: true });
    await mkdir(join(repository, "blobs"));
    await copyOf(pristine, snapshot);
    // The cache keeps files under their hashes, and links to them.
    const weights = join(snapshot, "unet", "diffusion_pytorch_model.safetensors");
    await rename(weights, join(repository, "blobs", "feed"));
    await symlink("../../../blobs/feed", weights);
    await writeFile(join(repository, "refs", "main"), "0123abc");
    for (const name of ["example/Tiny-Model", "tiny-model", repository]) {
      expect((await loadPipeline(name, onCpu)).path).toBe(snapshot);
    }
    expect(await draw(await loadPipeline("example/tiny-model", onCpu))).toEqual(pixels);
  });

  test("whether one step is what a model was made for: by its scheduler, or its name, or as said", async () => {
    const scheduler = join(folder, "scheduler", "scheduler_config.json");
    expect((await loadPipeline(folder)).oneStepModel).toBe(true);
    await edit(scheduler, { timestep_spacing: "leading" });
    expect((await loadPipeline(folder)).oneStepModel).toBe(false);
    expect((await loadPipeline(folder, { oneStepModel: true })).oneStepModel).toBe(true);
    const named = join(base, "my_turbo_v2");
    await rename(folder, named);
    expect((await loadPipeline(named)).oneStepModel).toBe(true);
    await rm(named, { recursive: true });
  });

  test("another scheduler brings its own ways, and the model keeps its training", async () => {
    const lcm = await loadPipeline(folder, { scheduler: { kind: "LCMScheduler", timestep: 800 } });
    expect(lcm.step).toMatchObject({ scale: 1, inputScale: 1, timestep: 800 });
    expect(lcm.alphasCumprod[800]).toBeCloseTo(0.0368695855, 8); // as UPSTREAM's Hyper-SD
    const velocity = await loadPipeline(folder, { predictionType: "v_prediction" });
    expect(velocity.predictionType).toBe("v_prediction");
    expect(velocity.step.skip).toBeCloseTo(1 / (velocity.step.scale ** 2 + 1), 6);
  });
});

describe("what can not be loaded is refused in words", () => {
  test.each<[string, () => Promise<unknown>, string]>([
    [
      "a missing tensor",
      () => withoutTensor("unet", "mid_block.resnets.1.conv2.weight"),
      'has no tensor "mid_block.resnets.1.conv2.weight". The nearest',
    ],
    [
      "a missing tensor of the text encoder",
      () => withoutTensor("text_encoder", "text_model.final_layer_norm.bias"),
      'has no tensor "text_model.final_layer_norm.bias"',
    ],
    ["an inpainting U-Net", () => edit(configOf("unet"), { in_channels: 9 }), "it is an inpainting model"],
    ["damaged JSON", () => writeFile(configOf("vae"), '{"latent_channels": 4,'), "config.json is not JSON"],
    ["a missing configuration", () => rm(configOf("text_encoder")), "config.json: there is no such file"],
    [
      "SDXL",
      () => edit(join(folder, "model_index.json"), { _class_name: "StableDiffusionXLPipeline" }),
      "describes a StableDiffusionXLPipeline, which Renoir does not run: it is SDXL",
    ],
    [
      "no weights",
      () => rm(unetFile()),
      "unet has no weights: diffusion_pytorch_model.safetensors or the like was wanted, and it holds config.json",
    ],
    [
      "a download that broke off",
      async () => writeFile(unetFile(), (await readFile(unetFile())).subarray(0, 5000)),
      "the download or copy broke off",
    ],
    [
      "a text encoder of another width",
      () => edit(configOf("text_encoder"), { hidden_size: 128, num_attention_heads: 2 }),
      "reads prompts 64 numbers wide",
    ],
    ["latents of another kind", () => edit(configOf("vae"), { latent_channels: 16 }), "makes latents of 4 channels"],
    [
      "an unknown scheduler",
      () => edit(join(folder, "scheduler", "scheduler_config.json"), { _class_name: "UniPCMultistepScheduler" }),
      'The scheduler is "UniPCMultistepScheduler"',
    ],
  ])("%s", async (_, spoil, message) => {
    await spoil();
    await expect(loadPipeline(folder, onCpu)).rejects.toThrow(message);
  });

  async function withoutTensor(part: "unet" | "text_encoder", key: string): Promise<void> {
    const { [key]: _, ...rest } = tensorsOf("turbo", part);
    const name = part === "unet" ? "diffusion_pytorch_model" : "model";
    await writeSafetensors(join(folder, part, `${name}.safetensors`), rest);
  }

  test.each<[string, string]>([
    ["nowhere", 'There is no model "nowhere": it is neither a file or folder, nor a name in the registry (shapes'],
    ["org/nowhere", "nor in the Hugging Face cache"],
    ["/nowhere/at all", "neither a file or folder"],
  ])("%s", async (name, message) => {
    await expect(loadPipeline(name)).rejects.toThrow(message);
  });

  test("a folder that holds no model, or a part of one", async () => {
    await expect(loadPipeline(base)).rejects.toThrow("is a folder without model_index.json");
    await expect(loadPipeline(join(folder, "unet"))).rejects.toMatchObject({
      hint: expect.stringContaining("one part of a model"),
    });
  });

  test("a file that is no pipeline, and a number format that is none", async () => {
    await expect(loadPipeline(unetFile())).rejects.toThrow("diffusion_pytorch_model.safetensors");
    await expect(loadPipeline(folder, { dtype: "int8" })).rejects.toThrow('Pictures are not computed in "int8"');
    await expect(addModel("tiny", configOf("vae"))).rejects.toThrow('There is no reward "tiny", and');
  });

  test("nothing of a model that was refused stays behind", async () => {
    await writeFile(configOf("vae"), "{");
    await expect(addModel("half", folder)).rejects.toThrow("config.json is not JSON");
    expect((await reportModels()).map(({ name }) => name)).not.toContain("half");
    await writeJson(configOf("vae"), fixture.models.turbo.config.vae);
    expect(await draw(await loadPipeline(folder, onCpu))).toEqual(pixels);
  });
});
