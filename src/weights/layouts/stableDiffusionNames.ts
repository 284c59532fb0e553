// Single-file Stable Diffusion: how CompVis' latent-diffusion names each layer, beside diffusers' name of it.
// After convert_ldm_unet_checkpoint and convert_ldm_vae_checkpoint in diffusers (loaders/single_file_utils.py).

/** One layer: its weight, and its bias unless it has none. */
export interface LayerName {
  readonly theirs: string;
  readonly ours: string;
  readonly bias: boolean;
  /** A 1x1 convolution [O, I, 1, 1] in the file that diffusers reads as the matrix [O, I]. */
  readonly flattened?: boolean;
  /** Only there where the width changes. */
  readonly optional?: boolean;
}

/** What the U-Net's names depend on. */
export interface UnetSizes {
  readonly levels: readonly UnetLevel[];
  /** Transformer blocks in the middle. */
  readonly middle: number;
}

export interface UnetLevel {
  /** Residual blocks on the way down; there is one more on the way up. */
  readonly blocks: number;
  /** Transformer blocks after each of them; 0 where the level has no attention. */
  readonly depth: number;
}

type Table = readonly (readonly [theirs: string, ours: string, special?: "no bias" | "flattened" | "optional"])[];

const unetResidual: Table = [
  ["in_layers.0", "norm1"],
  ["in_layers.2", "conv1"],
  ["emb_layers.1", "time_emb_proj"],
  ["out_layers.0", "norm2"],
  ["out_layers.3", "conv2"],
  ["skip_connection", "conv_shortcut", "optional"],
];

const vaeResidual: Table = [
  ["norm1", "norm1"],
  ["conv1", "conv1"],
  ["norm2", "norm2"],
  ["conv2", "conv2"],
  ["nin_shortcut", "conv_shortcut", "optional"],
];

const vaeAttention: Table = [
  ["norm", "group_norm"],
  ["q", "to_q", "flattened"],
  ["k", "to_k", "flattened"],
  ["v", "to_v", "flattened"],
  ["proj_out", "to_out.0", "flattened"],
];

const same = (...names: string[]): Table => names.map((name) => [name, name]);

const unetAround = same("norm", "proj_in", "proj_out");

const transformerBlock: Table = [
  ...["attn1", "attn2"].flatMap(
    (attention): Table => [
      ...["to_q", "to_k", "to_v"].map((name) => [`${attention}.${name}`, `${attention}.${name}`, "no bias"] as const),
      ...same(`${attention}.to_out.0`),
    ],
  ),
  ...same("norm1", "norm2", "norm3", "ff.net.0.proj", "ff.net.2"),
];

const within = (theirs: string, ours: string, table: Table): LayerName[] =>
  table.map(([a, b, special]) => ({
    theirs: `${theirs}.${a}`,
    ours: `${ours}.${b}`,
    bias: special !== "no bias",
    flattened: special === "flattened",
    optional: special === "optional",
  }));

const one = (theirs: string, ours: string): LayerName => ({ theirs, ours, bias: true });

const transformer = (theirs: string, ours: string, depth: number): LayerName[] => [
  ...within(theirs, ours, unetAround),
  ...Array.from({ length: depth }, (_, k) =>
    within(`${theirs}.transformer_blocks.${k}`, `${ours}.transformer_blocks.${k}`, transformerBlock),
  ).flat(),
];

/** Every layer of the U-Net. Its input_blocks and output_blocks are counted through all levels. */
export function unetNames({ levels, middle }: UnetSizes): LayerName[] {
  return [
    one("time_embed.0", "time_embedding.linear_1"),
    one("time_embed.2", "time_embedding.linear_2"),
    one("input_blocks.0.0", "conv_in"),
    ...downNames(levels),
    ...within("middle_block.0", "mid_block.resnets.0", unetResidual),
    ...transformer("middle_block.1", "mid_block.attentions.0", middle),
    ...within("middle_block.2", "mid_block.resnets.1", unetResidual),
    ...upNames(levels),
    one("out.0", "conv_norm_out"),
    one("out.2", "conv_out"),
  ];
}

function downNames(levels: readonly UnetLevel[]): LayerName[] {
  const names: LayerName[] = [];
  let n = 1;
  for (const [i, { blocks, depth }] of levels.entries()) {
    for (let j = 0; j < blocks; j++, n++) {
      names.push(...within(`input_blocks.${n}.0`, `down_blocks.${i}.resnets.${j}`, unetResidual));
      if (depth) names.push(...transformer(`input_blocks.${n}.1`, `down_blocks.${i}.attentions.${j}`, depth));
    }
    if (i < levels.length - 1) names.push(one(`input_blocks.${n++}.0.op`, `down_blocks.${i}.downsamplers.0.conv`));
  }
  return names;
}

function upNames(levels: readonly UnetLevel[]): LayerName[] {
  const names: LayerName[] = [];
  let n = 0;
  for (const [i, { blocks, depth }] of levels.toReversed().entries()) {
    for (let j = 0; j <= blocks; j++, n++) {
      names.push(...within(`output_blocks.${n}.0`, `up_blocks.${i}.resnets.${j}`, unetResidual));
      if (depth) names.push(...transformer(`output_blocks.${n}.1`, `up_blocks.${i}.attentions.${j}`, depth));
    }
    // The upsampler comes after the attention, where there is one, in the level's last output block.
    const upsampler = `output_blocks.${n - 1}.${depth ? 2 : 1}.conv`;
    if (i < levels.length - 1) names.push(one(upsampler, `up_blocks.${i}.upsamplers.0.conv`));
  }
  return names;
}

const vaeMiddle = (part: string): LayerName[] => [
  ...within(`${part}.mid.block_1`, `${part}.mid_block.resnets.0`, vaeResidual),
  ...within(`${part}.mid.attn_1`, `${part}.mid_block.attentions.0`, vaeAttention),
  ...within(`${part}.mid.block_2`, `${part}.mid_block.resnets.1`, vaeResidual),
];

const vaeEnds = (part: string): LayerName[] => [
  one(`${part}.conv_in`, `${part}.conv_in`),
  one(`${part}.norm_out`, `${part}.conv_norm_out`),
  one(`${part}.conv_out`, `${part}.conv_out`),
];

/** Every layer of the decoder, of `levels` levels with `blocks` residual blocks each: its levels are counted from the picture. */
export function decoderNames(levels: number, blocks: number): LayerName[] {
  const up = Array.from({ length: levels }, (_, i) => {
    const theirs = `decoder.up.${levels - 1 - i}`;
    const residuals = numbered(`${theirs}.block`, `decoder.up_blocks.${i}.resnets`, blocks);
    const last = i === levels - 1;
    return last
      ? residuals
      : [...residuals, one(`${theirs}.upsample.conv`, `decoder.up_blocks.${i}.upsamplers.0.conv`)];
  });
  return [one("post_quant_conv", "post_quant_conv"), ...vaeEnds("decoder"), ...vaeMiddle("decoder"), ...up.flat()];
}

export function encoderNames(levels: number, blocks: number): LayerName[] {
  const down = Array.from({ length: levels }, (_, i) => {
    const theirs = `encoder.down.${i}`;
    const residuals = numbered(`${theirs}.block`, `encoder.down_blocks.${i}.resnets`, blocks);
    const last = i === levels - 1;
    return last
      ? residuals
      : [...residuals, one(`${theirs}.downsample.conv`, `encoder.down_blocks.${i}.downsamplers.0.conv`)];
  });
  return [one("quant_conv", "quant_conv"), ...vaeEnds("encoder"), ...vaeMiddle("encoder"), ...down.flat()];
}

const numbered = (theirs: string, ours: string, count: number): LayerName[] =>
  Array.from({ length: count }, (_, j) => within(`${theirs}.${j}`, `${ours}.${j}`, vaeResidual)).flat();

const textLayer = [
  "self_attn.q_proj",
  "self_attn.k_proj",
  "self_attn.v_proj",
  "self_attn.out_proj",
  "layer_norm1",
  "layer_norm2",
  "mlp.fc1",
  "mlp.fc2",
];

const parameters = (layer: string) => [`${layer}.weight`, `${layer}.bias`];
const perLayer = (start: string, layers: number, names: readonly string[]) =>
  Array.from({ length: layers }, (_, i) => names.map((name) => `${start}.${i}.${name}`)).flat();

/** Every tensor of the text encoder by transformers' names, without "text_model." */
export const textNames = (layers: number): string[] => [
  "embeddings.token_embedding.weight",
  "embeddings.position_embedding.weight",
  ...perLayer("encoder.layers", layers, textLayer).flatMap(parameters),
  ...parameters("final_layer_norm"),
];

const openClipLayer = ["attn.out_proj", "ln_1", "ln_2", "mlp.c_fc", "mlp.c_proj"].flatMap(parameters);

/** Every tensor of the text encoder by OpenCLIP's names. */
export const openClipNames = (layers: number): string[] => [
  "token_embedding.weight",
  "positional_embedding",
  ...perLayer("transformer.resblocks", layers, ["attn.in_proj_weight", "attn.in_proj_bias", ...openClipLayer]),
  ...parameters("ln_final"),
];
