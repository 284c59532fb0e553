// Single-file Stable Diffusion under diffusers' names: which name becomes which, that the weights are the same, and what is refused.

import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { input } from "../../src/graph/index.ts";
import { decode } from "../../src/models/autoencoderKl.ts";
import { clipText } from "../../src/models/clipText.ts";
import { clipTextOptions, parseClipTextConfig, parseUnetConfig, parseVaeConfig } from "../../src/models/config.ts";
import { unet } from "../../src/models/unet.ts";
import { type Checkpoint, openCheckpoint } from "../../src/weights/checkpoint.ts";
import { currentVaeNames, type SingleFile, singleFile } from "../../src/weights/layouts/stableDiffusion.ts";
import { Weights } from "../../src/weights/weights.ts";
import diffusion from "../models/fixtures/diffusion.json" with { type: "json" };
import { decodeFloat32 } from "../support/compare.ts";
import { inputs, relative, run, temporaryFolder } from "../support/referenceDiffusion.ts";
import { contents, type Names, singleFileNames, writeSingleFile } from "../support/singleFiles.ts";

const { sd1, sd2, tinySd1, tinySd2 } = singleFileNames;

const parts = ({ textEncoder, unet, vae }: SingleFile) => ({ text_encoder: textEncoder, unet, vae });

/** Where each of our names lies, and in which shape. */
const places = (file: SingleFile) =>
  Object.fromEntries(
    Object.entries(parts(file)).flatMap(([part, { tensors }]) =>
      Array.from(tensors, ([name, { offset, shape, strides, byteLength }]) => {
        return [`${part}.${name}`, { offset, byteLength, shape, rank: strides.length }];
      }),
    ),
  );

/** Where they should lie: equal parts of the tensor for the names that share one, 1x1 attention as matrices in the autoencoder. */
function wanted(names: Names) {
  const { tensors } = contents(names);
  const all = Object.entries(names).flatMap(([theirs, [shape, ours]]) => {
    const each = [ours ?? []].flat();
    const { offset, byteLength } = tensors.get(theirs)!;
    return each.map((name, i) => {
      const attention = /^vae\..*attentions\.0\.to_.*weight/.test(name);
      const part = attention ? shape.slice(0, 2) : shape.with(0, shape[0]! / each.length);
      const length = byteLength / each.length;
      return [name, { offset: offset + i * length, byteLength: length, shape: part, rank: part.length }];
    });
  });
  return Object.fromEntries(all);
}

test.each(Object.entries(singleFileNames))("%s: every tensor lies where diffusers finds it", (_, names) => {
  expect(places(singleFile(contents(names)))).toEqual(wanted(names));
});

test("1131 names of SD1.5 are 686 of the U-Net's, 248 of the autoencoder's and 196 of the text encoder's", () => {
  const file = singleFile(contents(sd1));
  expect(Object.keys(sd1)).toHaveLength(1131); // and position_ids, which nobody reads
  expect(Object.values(parts(file)).map(({ tensors }) => tensors.size)).toEqual([196, 686, 248]);
});

test("SD1.5's configuration is told from its shapes", () => {
  const { kind, unetConfig, vaeConfig, textConfig } = singleFile(contents(sd1));
  expect(kind).toBe("sd1");
  expect(parseUnetConfig(unetConfig, "unet")).toMatchObject({
    in_channels: 4,
    out_channels: 4,
    down_block_types: ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    block_out_channels: [320, 640, 1280, 1280],
    layers_per_block: [2, 2, 2, 2],
    cross_attention_dim: 768,
    attention_head_dim: 8,
  });
  expect(parseVaeConfig(vaeConfig, "vae")).toMatchObject({
    block_out_channels: [128, 256, 512, 512],
    layers_per_block: 2,
    latent_channels: 4,
    scaling_factor: 0.18215,
  });
  expect(parseClipTextConfig(textConfig, "text")).toEqual({
    vocab_size: 49408,
    hidden_size: 768,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    max_position_embeddings: 77,
    hidden_act: "quick_gelu",
    layer_norm_eps: 1e-5,
  });
});

test("SD2's configuration is told from its shapes, and the text encoder's last layer is left out", () => {
  const { kind, unetConfig, textConfig } = singleFile(contents(sd2));
  expect(kind).toBe("sd2");
  expect(parseUnetConfig(unetConfig, "unet")).toMatchObject({
    block_out_channels: [320, 640, 1280, 1280],
    cross_attention_dim: 1024,
    attention_head_dim: [5, 10, 20, 20],
  });
  const text = { hidden_size: 1024, num_hidden_layers: 23, num_attention_heads: 16, hidden_act: "gelu" };
  expect(parseClipTextConfig(textConfig, "text")).toMatchObject(text);
});

/** The file's models on the inputs by which diffusers' own were recorded. */
async function outputsOf(names: Names) {
  const path = join(await temporaryFolder(), "model.safetensors");
  await writeSingleFile(path, names);
  const file = singleFile(await openCheckpoint(path));
  const [model, textModel] = file.kind === "sd1" ? (["sd1", "clipL"] as const) : (["sd2", "openClipH"] as const);
  const image = diffusion.unets.cases.find((each) => each.model === model)!;
  const decoded = diffusion.vaes.decoded[1]!;
  const states = diffusion.texts.cases.find((each) => each.model === textModel)!;

  const shapes = { sample: image.sample, text: image.text, latents: decoded.latents };
  const { sample, text, latents, timestep } = inputs({ ...shapes, timestep: [1] });
  const ids = input("ids", [2, 12], "int64");
  const textConfig = clipTextOptions(parseClipTextConfig(file.textConfig, "text"));
  const got = await run(
    {
      output: unet(Weights.fromCheckpoint(file.unet), sample, timestep, text, parseUnetConfig(file.unetConfig, "unet")),
      image: decode(Weights.fromCheckpoint(file.vae), latents, parseVaeConfig(file.vaeConfig, "vae")),
      states: clipText(Weights.fromCheckpoint(file.textEncoder), ids, textConfig),
    },
    shapes,
    { timestep: Float32Array.of(image.timestep), ids: BigInt64Array.from(diffusion.texts.ids.flat(), BigInt) },
  );
  return { got, want: { output: image.output, image: decoded.output, states: states.output } };
}

describe("the outputs are those of diffusers' and transformers' own models", () => {
  test.each([
    ["SD1", tinySd1],
    ["SD2", tinySd2],
  ])("%s", async (_, names) => {
    const { got, want } = await outputsOf(names);
    for (const [name, numbers] of Object.entries(want)) {
      expect(relative(got[name]!, decodeFloat32(numbers)), name).toBeLessThan(1e-5);
    }
  });
});

/** The names with some changed, and some left out. */
const changed = (names: Names, change: (key: string) => string | undefined): Names =>
  Object.fromEntries(
    Object.entries(names).flatMap(([key, value]) => {
      const name = change(key);
      return name === undefined ? [] : [[name, value]];
    }),
  );

describe("variants of the file", () => {
  const same = places(singleFile(contents(tinySd1)));

  test("the text encoder without text_model", () => {
    const old = changed(tinySd1, (key) => key.replace("transformer.text_model.", "transformer."));
    expect(places(singleFile(contents(old)))).toEqual(same);
  });

  test("averaged weights, schedule buffers and losses are passed over", () => {
    const extra: Names = {
      "model_ema.diffusion_modelinput_blocks00weight": [[32, 4, 3, 3], null],
      "model_ema.decay": [[1], null],
      alphas_cumprod: [[1000], null],
      "first_stage_model.loss.logvar": [[1], null],
      "lora_te_text_model_encoder_layers_0_mlp_fc1.alpha": [[1], null], // what a merge left behind
    };
    expect(places(singleFile(contents({ ...tinySd1, ...extra })))).toEqual(same);
  });

  test("an autoencoder without its encoder still decodes", () => {
    const pruned = changed(tinySd1, (key) => (/first_stage_model\.(encoder|quant_conv)/.test(key) ? undefined : key));
    const { vae } = singleFile(contents(pruned));
    expect([...vae.tensors.keys()].filter((key) => !key.startsWith("decoder."))).toEqual([
      "post_quant_conv.weight",
      "post_quant_conv.bias",
    ]);
  });

  test("an OpenCLIP made from a diffusers folder has no projection, and its last layer is kept", () => {
    const converted = changed(tinySd2, (key) => (/text_projection|logit_scale/.test(key) ? undefined : key));
    expect(singleFile(contents(converted)).textConfig).toMatchObject({ num_hidden_layers: 3 });
    expect(singleFile(contents(tinySd2)).textConfig).toMatchObject({ num_hidden_layers: 2 });
  });

  test("SD2's U-Net beside transformers' names is SD2: its text encoder has the exact GELU", () => {
    const text = Object.entries(tinySd1).filter(([key]) => key.startsWith("cond_stage_model."));
    const rest = Object.entries(tinySd2).filter(([key]) => !key.startsWith("cond_stage_model."));
    const { kind, textConfig } = singleFile(contents(Object.fromEntries([...rest, ...text])));
    expect([kind, textConfig.hidden_act]).toEqual(["sd2", "gelu"]);
  });
});

describe("what is missing is named as the file names it", () => {
  const without = (names: Names, missing: string) => () =>
    singleFile(contents(changed(names, (key) => (key === missing ? undefined : key))));

  test.each([
    "model.diffusion_model.input_blocks.4.0.in_layers.2.weight",
    "model.diffusion_model.input_blocks.1.0.out_layers.3.bias",
    "model.diffusion_model.input_blocks.0.0.weight",
    "model.diffusion_model.middle_block.1.proj_in.weight",
    "model.diffusion_model.output_blocks.2.1.conv.weight",
    "model.diffusion_model.time_embed.2.bias",
    "first_stage_model.decoder.up.1.block.0.conv1.bias",
    "first_stage_model.post_quant_conv.weight",
    "first_stage_model.decoder.mid.attn_1.q.weight",
    "first_stage_model.encoder.down.0.downsample.conv.weight",
    "cond_stage_model.transformer.text_model.encoder.layers.1.mlp.fc2.weight",
    "cond_stage_model.transformer.text_model.final_layer_norm.bias",
  ])("%s", (missing) => {
    expect(without(tinySd1, missing)).toThrow(
      `model.safetensors has no tensor "${missing}", which Stable Diffusion needs.`,
    );
  });

  test("and of SD2's text encoder the fused tensors", () => {
    const missing = "cond_stage_model.model.transformer.resblocks.1.attn.in_proj_weight";
    expect(without(tinySd2, missing)).toThrow(
      `has no tensor "${missing}", which Stable Diffusion needs. The nearest names in it are "cond_stage_model.model.`,
    );
  });
});

describe("what is no Stable Diffusion is told apart", () => {
  const only = (...keys: string[]): Names => Object.fromEntries(keys.map((key) => [key, [[4, 4], null]]));
  const unetKey = "model.diffusion_model.input_blocks.0.0.weight";
  const part = (start: string) => changed(tinySd1, (key) => (key.startsWith(start) ? key : undefined));
  const stripped = (start: string) =>
    changed(tinySd1, (key) => (key.startsWith(start) ? key.slice(start.length) : undefined));

  test.each<[string, Names, string]>([
    [
      "a LoRA",
      only("lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight"),
      "is a LoRA, which changes a model",
    ],
    ["a LoRA by peft", only("base_model.model.unet.mid_block.attentions.0.to_q.lora_A.weight"), "is a LoRA"],
    ["a ControlNet", only("control_model.input_blocks.0.0.weight"), "is a ControlNet"],
    ["a textual inversion", only("emb_params"), "is a textual inversion"],
    [
      "SDXL",
      only("conditioner.embedders.0.transformer.text_model.final_layer_norm.bias", unetKey),
      "is Stable Diffusion XL",
    ],
    ["SD3", only("model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight"), "is Stable Diffusion 3"],
    ["Flux", only("double_blocks.0.img_attn.qkv.weight"), "is Flux"],
    ["a U-Net of diffusers", only("down_blocks.0.resnets.0.conv1.weight"), "is a U-Net alone, under diffusers' names"],
    [
      "a VAE of diffusers",
      only("decoder.up_blocks.0.resnets.0.conv1.weight"),
      "is a VAE alone, under diffusers' names",
    ],
    ["a VAE", stripped("first_stage_model."), "is a VAE alone; a Stable Diffusion checkpoint was wanted."],
    ["a U-Net", stripped("model.diffusion_model."), "is a U-Net alone;"],
    ["a text encoder", stripped("cond_stage_model.transformer."), "is a text encoder alone;"],
    [
      "a VAE with its prefix",
      part("first_stage_model."),
      'has no U-Net ("model.diffusion_model....") and no text encoder',
    ],
    ["a U-Net with its prefix", part("model."), 'has no VAE ("first_stage_model....") and no text encoder'],
    [
      "something else",
      only("blip.visual_encoder.pos_embed"),
      'its tensors have names such as "blip.visual_encoder.pos_embed"',
    ],
    ["nothing", {}, "is no Stable Diffusion checkpoint: it holds no tensors"],
    ["unCLIP", { ...tinySd2, ...only("model.diffusion_model.label_emb.0.0.weight") }, "wants a second embedding"],
    ["inpainting", { ...tinySd1, [unetKey]: [[32, 9, 3, 3], null] }, "takes 9 channels: it is an inpainting model"],
  ])("%s", (_, names, message) => {
    expect(() => singleFile(contents(names))).toThrow(message);
  });
});

test("an autoencoder of diffusers from before 0.16 gets today's names, and today's stay", () => {
  const now = Object.keys(diffusion.vaes.models.sd.shapes);
  const before = now.map((name) =>
    name.replace("to_q", "query").replace("to_k", "key").replace("to_v", "value").replace("to_out.0", "proj_attn"),
  );
  const named = (names: string[]): Checkpoint => contents(Object.fromEntries(names.map((name) => [name, [[1], null]])));
  expect(before).not.toEqual(now);
  expect([...currentVaeNames(named(before)).tensors.keys()]).toEqual(now);
  expect([...currentVaeNames(named(now)).tensors.keys()]).toEqual(now);
});
