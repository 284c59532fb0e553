// Every tensor of SD-Turbo (stabilityai/sd-turbo: SD 2.1's sizes) by the names of its diffusers folder.

export type Shapes = Record<string, readonly number[]>;

const merge = (...parts: Shapes[]): Shapes => Object.assign({}, ...parts);

const linear = (key: string, inputs: number, outputs: number, bias = true): Shapes => ({
  [`${key}.weight`]: [outputs, inputs],
  ...(bias ? { [`${key}.bias`]: [outputs] } : {}),
});

const conv = (key: string, inputs: number, outputs: number, side: number): Shapes => ({
  [`${key}.weight`]: [outputs, inputs, side, side],
  [`${key}.bias`]: [outputs],
});

const norm = (key: string, width: number): Shapes => ({ [`${key}.weight`]: [width], [`${key}.bias`]: [width] });

/** Two convolutions, and the time's embedding in between where there is one. */
function resnet(key: string, inputs: number, outputs: number, time?: number): Shapes {
  return merge(
    norm(`${key}.norm1`, inputs),
    conv(`${key}.conv1`, inputs, outputs, 3),
    time ? linear(`${key}.time_emb_proj`, time, outputs) : {},
    norm(`${key}.norm2`, outputs),
    conv(`${key}.conv2`, outputs, outputs, 3),
    inputs === outputs ? {} : conv(`${key}.conv_shortcut`, inputs, outputs, 1),
  );
}

const attention = (key: string, inputs: number, outputs: number, context: number): Shapes =>
  merge(
    linear(`${key}.to_q`, inputs, outputs, false),
    linear(`${key}.to_k`, context, outputs, false),
    linear(`${key}.to_v`, context, outputs, false),
    linear(`${key}.to_out.0`, outputs, outputs),
  );

function transformer(key: string, width: number, context: number): Shapes {
  const block = `${key}.transformer_blocks.0`;
  return merge(
    norm(`${key}.norm`, width),
    linear(`${key}.proj_in`, width, width),
    ...[1, 2, 3].map((i) => norm(`${block}.norm${i}`, width)),
    attention(`${block}.attn1`, width, width, width),
    attention(`${block}.attn2`, width, width, context),
    linear(`${block}.ff.net.0.proj`, width, 8 * width),
    linear(`${block}.ff.net.2`, 4 * width, width),
    linear(`${key}.proj_out`, width, width),
  );
}

export const unetSizes = { widths: [320, 640, 1280, 1280], layers: 2, context: 1024, latents: 4 };

export function unetShapes({ widths, layers, context, latents } = unetSizes): Shapes {
  const [base, time] = [widths[0]!, 4 * widths[0]!];
  const last = widths.length - 1;
  const parts: Shapes[] = [
    conv("conv_in", latents, base, 3),
    linear("time_embedding.linear_1", base, time),
    linear("time_embedding.linear_2", time, time),
  ];
  const skips = [base];
  let width = base;
  for (const [level, out] of widths.entries()) {
    const key = `down_blocks.${level}`;
    for (let i = 0; i < layers; i++) {
      parts.push(resnet(`${key}.resnets.${i}`, width, out, time));
      if (level < last) parts.push(transformer(`${key}.attentions.${i}`, out, context));
      skips.push(out);
      width = out;
    }
    if (level === last) continue;
    parts.push(conv(`${key}.downsamplers.0.conv`, out, out, 3));
    skips.push(out);
  }
  for (const i of [0, 1]) parts.push(resnet(`mid_block.resnets.${i}`, width, width, time));
  parts.push(transformer("mid_block.attentions.0", width, context));
  for (const [level, out] of widths.toReversed().entries()) {
    const key = `up_blocks.${level}`;
    for (let i = 0; i <= layers; i++) {
      parts.push(resnet(`${key}.resnets.${i}`, width + skips.pop()!, out, time));
      if (level > 0) parts.push(transformer(`${key}.attentions.${i}`, out, context));
      width = out;
    }
    if (level < last) parts.push(conv(`${key}.upsamplers.0.conv`, out, out, 3));
  }
  parts.push(norm("conv_norm_out", base), conv("conv_out", base, latents, 3));
  return merge(...parts);
}

const vaeWidths = [128, 256, 512, 512];

/** Encoder and decoder of AutoencoderKL, with the 1x1 convolutions that lie beside the latents. */
export function vaeShapes(widths = vaeWidths, layers = 2, latents = 4): Shapes {
  return merge(
    encoderShapes(widths, layers, latents),
    decoderShapes(widths, layers, latents),
    conv("quant_conv", 2 * latents, 2 * latents, 1),
    conv("post_quant_conv", latents, latents, 1),
  );
}

function encoderShapes(widths: readonly number[], layers: number, latents: number): Shapes {
  const parts = [conv("encoder.conv_in", 3, widths[0]!, 3)];
  let width = widths[0]!;
  for (const [level, out] of widths.entries()) {
    const key = `encoder.down_blocks.${level}`;
    for (let i = 0; i < layers; i++) {
      parts.push(resnet(`${key}.resnets.${i}`, width, out));
      width = out;
    }
    if (level < widths.length - 1) parts.push(conv(`${key}.downsamplers.0.conv`, out, out, 3));
  }
  parts.push(middle("encoder.mid_block", width), norm("encoder.conv_norm_out", width));
  return merge(...parts, conv("encoder.conv_out", width, 2 * latents, 3));
}

function decoderShapes(widths: readonly number[], layers: number, latents: number): Shapes {
  let width = widths.at(-1)!;
  const parts = [conv("decoder.conv_in", latents, width, 3), middle("decoder.mid_block", width)];
  for (const [level, out] of widths.toReversed().entries()) {
    const key = `decoder.up_blocks.${level}`;
    for (let i = 0; i <= layers; i++) {
      parts.push(resnet(`${key}.resnets.${i}`, width, out));
      width = out;
    }
    if (level < widths.length - 1) parts.push(conv(`${key}.upsamplers.0.conv`, out, out, 3));
  }
  return merge(...parts, norm("decoder.conv_norm_out", width), conv("decoder.conv_out", width, 3, 3));
}

function middle(key: string, width: number): Shapes {
  const inside = `${key}.attentions.0`;
  return merge(
    resnet(`${key}.resnets.0`, width, width),
    norm(`${inside}.group_norm`, width),
    ...["to_q", "to_k", "to_v", "to_out.0"].map((name) => linear(`${inside}.${name}`, width, width)),
    resnet(`${key}.resnets.1`, width, width),
  );
}

export const textSizes = { width: 1024, depth: 23, hidden: 4096, vocabulary: 49408, places: 77 };

/** OpenCLIP's ViT-H text tower as transformers names it, without the last of its 24 layers. */
export function textShapes({ width, depth, hidden, vocabulary, places } = textSizes): Shapes {
  const parts: Shapes[] = [
    { "text_model.embeddings.token_embedding.weight": [vocabulary, width] },
    { "text_model.embeddings.position_embedding.weight": [places, width] },
  ];
  for (let i = 0; i < depth; i++) {
    const layer = `text_model.encoder.layers.${i}`;
    parts.push(
      ...["q_proj", "k_proj", "v_proj", "out_proj"].map((name) => linear(`${layer}.self_attn.${name}`, width, width)),
      norm(`${layer}.layer_norm1`, width),
      linear(`${layer}.mlp.fc1`, width, hidden),
      linear(`${layer}.mlp.fc2`, hidden, width),
      norm(`${layer}.layer_norm2`, width),
    );
  }
  return merge(...parts, norm("text_model.final_layer_norm", width));
}
