// Our text encoder against transformers' CLIPTextModel on the same weights: fixtures/diffusion.json, by test/reference/diffusion_models.py.

import { expect, test } from "vitest";
import { input } from "../../src/graph/index.ts";
import { clipText } from "../../src/models/clipText.ts";
import { clipTextOptions, parseClipTextConfig } from "../../src/models/config.ts";
import { decodeFloat32 } from "../support/compare.ts";
import { relative, run, type Shapes, seededModel } from "../support/referenceDiffusion.ts";
import fixture from "./fixtures/diffusion.json" with { type: "json" };

const { models, ids, cases } = fixture.texts;
const model = (name: string) => models[name as keyof typeof models];
const shape = [ids.length, ids[0]!.length];

interface Case {
  readonly model: string;
  readonly skipLayers?: number;
  readonly finalNorm?: boolean;
  readonly output: string;
}

test.each<Case>(cases)(
  "$model: the tokens' states, layers skipped $skipLayers, final norm $finalNorm",
  async (want) => {
    const { model: name, output, ...options } = want;
    const weights = await seededModel(model(name).shapes as Shapes);
    const config = parseClipTextConfig(model(name).config, name);
    const states = clipText(weights, input("ids", shape, "int64"), { ...clipTextOptions(config), ...options });
    const got = await run({ states }, {}, { ids: BigInt64Array.from(ids.flat(), BigInt) });
    expect(relative(got.states!, decodeFloat32(output))).toBeLessThan(1e-5);
  },
);

test("more layers than there are cannot be skipped", async () => {
  const weights = await seededModel(model("clipL").shapes as Shapes);
  const skip = () => clipText(weights, input("ids", shape, "int64"), { heads: 1, activation: "gelu", skipLayers: 3 });
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
