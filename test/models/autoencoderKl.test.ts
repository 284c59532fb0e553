// Our autoencoder against diffusers' AutoencoderKL on the same weights.

import { expect, test } from "vitest";
import { parseVaeConfig } from "../../src/models/config.ts";
import { decodeFloat32 } from "../support/compare.ts";
import { decodeCases, decodeOf, encodeCases, encodeOf } from "../support/diffusionCases.ts";
import { expectReference, relative } from "../support/referenceDiffusion.ts";

test.each(decodeCases)("$model: latents $latents decoded, and the gradient to them", async (want) => {
  const { shape, got } = await decodeOf(want);
  expect(shape).toEqual(want.shape);
  expectReference(got, want);
});

test.each(encodeCases)("$model: a picture $image encoded, and the gradient to it", async (want) => {
  const { shape, got } = await encodeOf(want);
  expect(shape).toEqual(want.shape);
  expectReference(got, want);
  expect(relative(got.logVariance!, decodeFloat32(want.logVariance))).toBeLessThan(1e-5);
});

test("what is not said is as diffusers has it", () => {
  expect(parseVaeConfig({ _class_name: "AutoencoderKL" }, "vae")).toMatchObject({
    block_out_channels: [64],
    layers_per_block: 1,
    latent_channels: 4,
    scaling_factor: 0.18215,
    use_post_quant_conv: true,
    mid_block_add_attention: true,
  });
});

test.each<[Record<string, unknown>, string]>([
  [{ act_fn: "mish" }, 'vae: "act_fn" is "mish"; supported: "silu" or "swish".'],
  [
    { up_block_types: ["AttnUpDecoderBlock2D"] },
    '"up_block_types" is ["AttnUpDecoderBlock2D"]; supported: a list of "UpDecoderBlock2D".',
  ],
  [{ latents_mean: [0, 0, 0, 0] }, '"latents_mean" is [0,0,0,0]; supported: null.'],
  [{ scaling_factor: 0 }, '"scaling_factor" is 0; supported:'],
  [{ block_out_channels: [20] }, "a width of 20 does not divide among 32 groups"],
])("%j is refused in words", (config, message) => {
  expect(() => parseVaeConfig(config, "vae")).toThrow(message);
});
