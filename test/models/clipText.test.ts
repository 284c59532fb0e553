// Our text encoder against transformers' CLIPTextModel on the same weights.

import { expect, test } from "vitest";
import { clipText } from "../../src/models/clipText.ts";
import { parseClipTextConfig } from "../../src/models/config.ts";
import { decodeFloat32 } from "../support/compare.ts";
import { textCases, textIds, textModel, textOf } from "../support/diffusionCases.ts";
import { relative } from "../support/referenceDiffusion.ts";

test.each(textCases)("$model: the tokens' states, layers skipped $skipLayers, final norm $finalNorm", async (want) => {
  const { got } = await textOf(want);
  expect(relative(got.output!, decodeFloat32(want.output))).toBeLessThan(1e-5);
});

test("more layers than there are cannot be skipped", async () => {
  const { weights } = await textModel("clipL");
  const skip = () => clipText(weights, textIds, { heads: 1, activation: "gelu", skipLayers: 3 });
  expect(skip).toThrow("The text encoder has 3 layers, so 3 of them cannot be skipped.");
});

test("a whole CLIP's config is read for its text half, and what is not said is as transformers has it", () => {
  const config = parseClipTextConfig(
    { text_config: { hidden_size: 768, num_attention_heads: 12 }, projection_dim: 768 },
    "clip",
  );
  expect(config).toMatchObject({
    hidden_size: 768,
    num_hidden_layers: 12,
    hidden_act: "quick_gelu",
    layer_norm_eps: 1e-5,
  });
  expect(() => parseClipTextConfig({ hidden_act: "relu" }, "clip")).toThrow('clip: "hidden_act" is "relu"; supported:');
  expect(() => parseClipTextConfig({ hidden_size: 100 }, "clip")).toThrow(
    "a width of 100 does not divide among 8 heads",
  );
});
