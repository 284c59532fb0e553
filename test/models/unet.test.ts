// Our U-Net against diffusers' UNet2DConditionModel on the same weights.

import { describe, expect, test } from "vitest";
import type { Tensor } from "../../src/graph/index.ts";
import { parseUnetConfig } from "../../src/models/config.ts";
import type { Layer } from "../../src/models/layers.ts";
import { unet } from "../../src/models/unet.ts";
import { unetCases, unetModel, unetOf } from "../support/diffusionCases.ts";
import { expectReference, inputs, seededModel } from "../support/referenceDiffusion.ts";

const sd1 = unetModel("sd1");

test.each(unetCases)("$model: sample $sample at step $timestep", async (want) => {
  const { shape, got } = await unetOf(want);
  expect(shape).toEqual(want.shape);
  expectReference(got, want);
});

test("every block goes through the layer that is given, once, with all that it looks at", async () => {
  const [want] = unetCases;
  const seen: (readonly number[])[][] = [];
  const layer: Layer = (f, ...x) => {
    seen.push(x.map(({ shape }) => shape));
    return f(...x);
  };
  const { sample, text, timestep } = inputs({ sample: want!.sample, text: want!.text, timestep: [1] });
  unet(await seededModel(sd1.shapes), sample, timestep, text, sd1.config, layer);
  // 6 residual blocks down, 2 in the middle, 9 up; 4, 1 and 6 transformers; 2 halvings, 2 doublings; the head.
  expect(seen).toHaveLength(17 + 11 + 4 + 1);
  expect(seen.filter((shapes) => shapes.some((shape) => String(shape) === "1,128"))).toHaveLength(17); // the time
  expect(seen.filter((shapes) => shapes.some((shape) => String(shape) === "1,77,64"))).toHaveLength(11); // the text
});

describe("config.json", () => {
  const sd15 = {
    _class_name: "UNet2DConditionModel",
    _diffusers_version: "0.6.0",
    cross_attention_dim: 768,
    attention_head_dim: 8,
  };

  test("what is not said is as diffusers has it, and what changes nothing is let through", () => {
    expect(parseUnetConfig({ ...sd15, upcast_attention: true, dropout: 0 }, "x")).toEqual({
      in_channels: 4,
      out_channels: 4,
      flip_sin_to_cos: true,
      freq_shift: 0,
      down_block_types: ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
      up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
      block_out_channels: [320, 640, 1280, 1280],
      layers_per_block: 2,
      norm_num_groups: 32,
      norm_eps: 1e-5,
      cross_attention_dim: 768,
      transformer_layers_per_block: 1,
      attention_head_dim: 8,
    });
  });

  test.each<[Record<string, unknown>, string]>([
    [{ in_channels: 9 }, "takes 9 channels and gives 4: it is an inpainting model, which also wants a mask"],
    [{ class_embed_type: "timestep" }, 'unet: "class_embed_type" is "timestep"; supported: null.'],
    [{ addition_embed_type: "text_time" }, '"addition_embed_type" is "text_time"; supported: null.'],
    [{ num_attention_heads: 8 }, '"num_attention_heads" is 8; supported: null.'],
    [{ down_block_types: ["DownBlock2D", "AttnDownBlock2D"] }, '"down_block_types.1" is "AttnDownBlock2D"; supported:'],
    [{ up_block_types: ["CrossAttnUpBlock2D"] }, 'are not the 4 levels of "block_out_channels" there and back.'],
    [{ attention_head_dim: [5, 10] }, '"attention_head_dim" has 2 entries for 4 levels.'],
    [{ block_out_channels: [320, 640, 1280, 1000] }, "a width of 1000 does not divide among 32 groups"],
    [{ attention_head_dim: 12 }, "a width of 320 does not divide among 12 heads"],
    [{ layers_per_block: "two" }, '"layers_per_block" is "two"; supported:'],
  ])("%j is refused in words", (change, message) => {
    expect(() => parseUnetConfig({ ...sd15, ...change }, "unet")).toThrow(message);
  });

  test("anything but an object is refused", () => {
    for (const json of [null, [], "unet", 3]) {
      expect(() => parseUnetConfig(json, "unet/config.json")).toThrow("unet/config.json holds no JSON object");
    }
  });
});

test("a missing tensor is named with the nearest ones", async () => {
  const { "down_blocks.0.resnets.1.conv1.weight": _, ...rest } = sd1.shapes;
  const { sample, text, timestep } = inputs({ sample: [1, 4, 8, 8], text: [1, 9, 64], timestep: [1] });
  const weights = await seededModel(rest);
  const build = (): Tensor => unet(weights, sample, timestep, text, sd1.config);
  expect(build).toThrow(
    /has no tensor "down_blocks.0.resnets.1.conv1.weight". The nearest names in it are "down_blocks/,
  );
});
