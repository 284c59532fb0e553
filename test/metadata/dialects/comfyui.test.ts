import { expect, test } from "vitest";
import { comfyui } from "../../../src/metadata/dialects/comfyui.ts";
import { Texts } from "../../../src/metadata/dialects/dialect.ts";

type Nodes = Record<string, [type: string, inputs: object]>;

function read(nodes: Nodes, more: object = {}) {
  const prompt = Object.fromEntries(
    Object.entries(nodes).map(([id, [class_type, inputs]]) => [id, { class_type, inputs }]),
  );
  return readText(JSON.stringify({ ...prompt, ...more }));
}

function readText(text: string, keyword = "prompt", kind: "tEXt" | "exif" | "comf" = "tEXt") {
  const reading = comfyui(new Texts([{ kind, keyword, text, encoding: "latin1", index: 0 }]));
  return reading && { ...reading, settings: Object.fromEntries(reading.settings) };
}

const encode = (text: unknown): [string, object] => ["CLIPTextEncode", { text, clip: ["4", 1] }];

/** ComfyUI's default workflow. */
const basic: Nodes = {
  3: [
    "KSampler",
    {
      seed: 156680208700286,
      steps: 20,
      cfg: 8,
      sampler_name: "euler",
      scheduler: "normal",
      denoise: 1,
      model: ["4", 0],
      positive: ["6", 0],
      negative: ["7", 0],
      latent_image: ["5", 0],
    },
  ],
  4: ["CheckpointLoaderSimple", { ckpt_name: "v1-5.safetensors" }],
  5: ["EmptyLatentImage", { width: 512, height: 768, batch_size: 1 }],
  6: encode("beautiful scenery"),
  7: encode("text, watermark"),
  8: ["VAEDecode", { samples: ["3", 0], vae: ["4", 2] }],
  9: ["SaveImage", { filename_prefix: "ComfyUI", images: ["8", 0] }],
};

test("the default workflow", () => {
  expect(read(basic)).toMatchObject({
    host: "comfyui",
    prompt: "beautiful scenery",
    negativePrompt: "text, watermark",
    seed: 156680208700286,
    settings: {
      Steps: 20,
      Sampler: "euler",
      "Schedule type": "normal",
      "CFG scale": 8,
      "Denoising strength": 1,
      Model: "v1-5.safetensors",
      Size: "512x768",
    },
    warnings: [],
  });
});

test("a seed of 64 bits keeps its digits, and NaN in a graph does not hide it", () => {
  const text = JSON.stringify({
    1: { class_type: "KSampler", inputs: { seed: 5, positive: ["2", 0] }, is_changed: "X" },
    2: { class_type: "E", inputs: { text: "NaN" } },
  });
  const big = text.replace('"seed":5', '"seed":18446744073709551615').replace('"X"', "[NaN, -Infinity]");
  expect(readText(big)).toMatchObject({ seed: 18446744073709551615n, prompt: "NaN" });
});

test("the saved picture's sampler is the one, not the first in the file, and a text that nobody uses is none", () => {
  const nodes: Nodes = {
    ...basic,
    1: ["KSampler", { seed: 1, steps: 1, positive: ["2", 0], negative: ["2", 0], latent_image: ["5", 0] }],
    2: encode("unused"),
    10: ["PreviewImage", { images: ["11", 0] }],
    11: ["VAEDecode", { samples: ["1", 0] }],
  };
  const reading = read(nodes);
  expect(reading).toMatchObject({ prompt: "beautiful scenery", seed: 156680208700286 });
  expect(reading?.warnings).toEqual([expect.stringContaining("from 2 samplers")]);
});

test("reroutes, primitive strings and joined strings are followed", () => {
  const nodes: Nodes = {
    ...basic,
    3: ["KSampler", { ...basic[3]![1], seed: ["20", 0] }],
    6: encode(["14", 0]),
    14: ["Reroute", { "": ["15", 0] }],
    15: ["StringConcatenate", { string_a: ["16", 0], string_b: "at night", delimiter: ", " }],
    16: ["PrimitiveStringMultiline", { value: "a castle" }],
    20: ["PrimitiveInt", { value: 77 }],
  };
  expect(read(nodes)).toMatchObject({ prompt: "a castle, at night", seed: 77 });
});

test("combined and passed-on conditioning, ControlNet on both sides, and what ZeroOut empties", () => {
  const nodes: Nodes = {
    ...basic,
    3: ["KSampler", { ...basic[3]![1], positive: ["30", 0], negative: ["30", 1] }],
    30: [
      "ControlNetApplyAdvanced",
      { positive: ["31", 0], negative: ["33", 0], control_net: ["34", 0], image: ["35", 0] },
    ],
    31: ["ConditioningCombine", { conditioning_1: ["6", 0], conditioning_2: ["32", 0] }],
    32: ["ConditioningSetArea", { conditioning: ["36", 0], width: 64, height: 64 }],
    33: ["ConditioningZeroOut", { conditioning: ["6", 0] }],
    34: ["ControlNetLoader", { control_net_name: "x" }],
    35: ["LoadImage", { image: "pose.png" }],
    36: encode("a bird"),
  };
  expect(read(nodes)).toMatchObject({ prompt: "beautiful scenery, a bird", negativePrompt: "" });
});

test("SDXL's two texts count once where they are the same, and both where they differ", () => {
  const sdxl = (text_g: string, text_l: string): Nodes => ({
    ...basic,
    6: ["CLIPTextEncodeSDXL", { text_g, text_l, width: 1024, height: 1024, clip: ["4", 1] }],
  });
  expect(read(sdxl("a cat", "a cat"))?.prompt).toBe("a cat");
  expect(read(sdxl("a cat", "photo"))?.prompt).toBe("a cat, photo");
  expect(read(sdxl("a cat", "photo"))?.settings.Size).toBe("512x768");
});

/** Flux as ComfyUI's own example has it. */
const flux: Nodes = {
  6: encode("a fox"),
  8: ["VAEDecode", { samples: ["13", 0], vae: ["10", 0] }],
  9: ["SaveImage", { images: ["8", 0] }],
  10: ["VAELoader", { vae_name: "ae" }],
  12: ["UNETLoader", { unet_name: "flux1-dev", weight_dtype: "default" }],
  13: [
    "SamplerCustomAdvanced",
    { noise: ["25", 0], guider: ["22", 0], sampler: ["16", 0], sigmas: ["17", 0], latent_image: ["27", 0] },
  ],
  16: ["KSamplerSelect", { sampler_name: "euler" }],
  17: ["BasicScheduler", { scheduler: "simple", steps: 4, denoise: 1, model: ["12", 0] }],
  22: ["BasicGuider", { model: ["12", 0], conditioning: ["26", 0] }],
  25: ["RandomNoise", { noise_seed: 219670278747233 }],
  26: ["FluxGuidance", { guidance: 3.5, conditioning: ["6", 0] }],
  27: ["EmptySD3LatentImage", { width: 1024, height: 512, batch_size: 1 }],
};

test("Flux: the prompt is behind BasicGuider, which has no negative one, and the seed is in RandomNoise", () => {
  expect(read(flux)).toMatchObject({
    prompt: "a fox",
    negativePrompt: "",
    seed: 219670278747233,
    settings: {
      Steps: 4,
      Sampler: "euler",
      "Schedule type": "simple",
      "Distilled CFG Scale": 3.5,
      Model: "flux1-dev",
      Size: "1024x512",
    },
  });
});

test("CFGGuider has both, and its cfg", () => {
  const nodes: Nodes = {
    ...flux,
    22: ["CFGGuider", { model: ["12", 0], positive: ["6", 0], negative: ["7", 0], cfg: 5 }],
    7: encode("ugly"),
  };
  expect(read(nodes)).toMatchObject({ prompt: "a fox", negativePrompt: "ugly", settings: { "CFG scale": 5 } });
});

test("SD-Turbo: SamplerCustom with its own scheduler", () => {
  const nodes: Nodes = {
    ...basic,
    3: [
      "SamplerCustom",
      {
        add_noise: true,
        noise_seed: 9,
        cfg: 1,
        model: ["4", 0],
        positive: ["6", 0],
        negative: ["7", 0],
        sampler: ["14", 0],
        sigmas: ["22", 0],
        latent_image: ["5", 0],
      },
    ],
    14: ["KSamplerSelect", { sampler_name: "euler_ancestral" }],
    22: ["SDTurboScheduler", { steps: 1, denoise: 1, model: ["4", 0] }],
  };
  expect(read(nodes)).toMatchObject({
    seed: 9,
    settings: { Steps: 1, Sampler: "euler_ancestral", "CFG scale": 1, Size: "512x768" },
  });
});

test("two passes: seed, size and prompt are those of the pass that began the picture", () => {
  const nodes: Nodes = {
    ...basic,
    8: ["VAEDecode", { samples: ["40", 0], vae: ["4", 2] }],
    40: [
      "KSampler",
      { seed: 2, steps: 10, denoise: 0.5, positive: ["42", 0], negative: ["7", 0], latent_image: ["41", 0] },
    ],
    41: ["LatentUpscale", { samples: ["3", 0], width: 1024, height: 1536 }],
    42: encode("sharp detail"),
  };
  expect(read(nodes)).toMatchObject({
    seed: 156680208700286,
    prompt: "beautiful scenery",
    settings: { Size: "512x768", Steps: 20 },
  });
});

test("subgraphs' ids have colons", () => {
  const rename = (value: unknown): unknown =>
    Array.isArray(value) && value.length === 2 ? [`57:${value[0]}`, value[1]] : value;
  const nodes = Object.fromEntries(
    Object.entries(basic).map(([id, [type, inputs]]) => [
      `57:${id}`,
      [type, Object.fromEntries(Object.entries(inputs).map(([k, v]) => [k, rename(v)]))],
    ]),
  ) as Nodes;
  expect(read(nodes)).toMatchObject({ prompt: "beautiful scenery", seed: 156680208700286 });
});

test("loops end, and a graph that doubles at each of 60 nodes is walked in bounded time", () => {
  const loop: Nodes = {
    ...basic,
    6: ["ConditioningCombine", { conditioning_1: ["6", 0], conditioning_2: ["50", 0] }],
    50: ["Reroute", { any: ["6", 0] }],
  };
  expect(read(loop)?.prompt).toBe(null);
  const selfFed: Nodes = { ...basic, 5: ["LatentUpscale", { samples: ["3", 0] }] };
  expect(read(selfFed)?.seed).toBe(156680208700286);
  const doubling: Nodes = {
    ...basic,
    6: ["ConditioningCombine", { conditioning_1: ["100", 0], conditioning_2: ["100", 0] }],
  };
  for (let i = 100; i < 160; i++)
    doubling[i] = ["ConditioningCombine", { conditioning_1: [`${i + 1}`, 0], conditioning_2: [`${i + 1}`, 0] }];
  doubling[160] = encode("deep");
  const start = performance.now();
  expect(read(doubling)?.prompt).toBe("deep");
  expect(performance.now() - start).toBeLessThan(2000);
});

test("comf chunks and WebP's EXIF texts hold the same graph", () => {
  const json = JSON.stringify({
    1: { class_type: "KSampler", inputs: { seed: 5, positive: ["2", 0] } },
    2: { class_type: "CLIPTextEncode", inputs: { text: "a: cat" } },
  });
  expect(readText(json, "prompt", "comf")).toMatchObject({ prompt: "a: cat", seed: 5 });
  expect(readText(`prompt:${json}`, "Model", "exif")).toMatchObject({ prompt: "a: cat", seed: 5 });
});

test("Civitai's own words beside the nodes win over the nodes", () => {
  const extra = JSON.stringify({ prompt: "asked", negativePrompt: "not asked", steps: 30, cfgScale: 7, seed: 3 });
  expect(read(basic, { extraMetadata: extra })).toMatchObject({
    host: "civitai",
    prompt: "asked",
    negativePrompt: "not asked",
    seed: 3,
  });
});

test("a graph without sampler, and a workflow alone, say what is missing", () => {
  expect(read({ 1: ["LoadImage", { image: "x" }] })).toMatchObject({
    prompt: null,
    warnings: [expect.stringContaining("no sampler")],
  });
  expect(readText('{"nodes": []}', "workflow")).toMatchObject({ host: "comfyui", prompt: null });
});
