// SD-Turbo's folder as diffusers has it, at its real sizes and with random numbers: what the bench's iterations run on.

import { type FileHandle, mkdir, open, rename, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { bytesOf, normalNoise, scaledNoise } from "./noise.ts";
import { type Shapes, textShapes, textSizes, unetShapes, unetSizes, vaeShapes } from "./sdTurboShapes.ts";

/** The published configurations, as far as they are read (stabilityai/sd-turbo). */
const configs: Readonly<Record<string, object>> = {
  "model_index.json": {
    _class_name: "StableDiffusionPipeline",
    _diffusers_version: "0.24.0.dev0",
    feature_extractor: [null, null],
    requires_safety_checker: false,
    safety_checker: [null, null],
    scheduler: ["diffusers", "EulerDiscreteScheduler"],
    text_encoder: ["transformers", "CLIPTextModel"],
    tokenizer: ["transformers", "CLIPTokenizer"],
    unet: ["diffusers", "UNet2DConditionModel"],
    vae: ["diffusers", "AutoencoderKL"],
  },
  "scheduler/scheduler_config.json": {
    _class_name: "EulerDiscreteScheduler",
    beta_end: 0.012,
    beta_schedule: "scaled_linear",
    beta_start: 0.00085,
    interpolation_type: "linear",
    num_train_timesteps: 1000,
    prediction_type: "epsilon",
    steps_offset: 1,
    timestep_spacing: "trailing",
    timestep_type: "discrete",
    trained_betas: null,
    use_karras_sigmas: false,
  },
  "unet/config.json": {
    _class_name: "UNet2DConditionModel",
    act_fn: "silu",
    attention_head_dim: [5, 10, 20, 20],
    block_out_channels: unetSizes.widths,
    center_input_sample: false,
    cross_attention_dim: unetSizes.context,
    down_block_types: [...Array(3).fill("CrossAttnDownBlock2D"), "DownBlock2D"],
    downsample_padding: 1,
    flip_sin_to_cos: true,
    freq_shift: 0,
    in_channels: 4,
    layers_per_block: unetSizes.layers,
    mid_block_scale_factor: 1,
    norm_eps: 1e-5,
    norm_num_groups: 32,
    out_channels: 4,
    sample_size: 64,
    up_block_types: ["UpBlock2D", ...Array(3).fill("CrossAttnUpBlock2D")],
    use_linear_projection: true,
  },
  "vae/config.json": {
    _class_name: "AutoencoderKL",
    act_fn: "silu",
    block_out_channels: [128, 256, 512, 512],
    down_block_types: Array(4).fill("DownEncoderBlock2D"),
    in_channels: 3,
    latent_channels: 4,
    layers_per_block: 2,
    norm_num_groups: 32,
    out_channels: 3,
    sample_size: 768,
    scaling_factor: 0.18215,
    up_block_types: Array(4).fill("UpDecoderBlock2D"),
  },
  "text_encoder/config.json": {
    architectures: ["CLIPTextModel"],
    attention_dropout: 0,
    bos_token_id: 0,
    eos_token_id: 2,
    hidden_act: "gelu",
    hidden_size: textSizes.width,
    intermediate_size: textSizes.hidden,
    layer_norm_eps: 1e-5,
    max_position_embeddings: textSizes.places,
    model_type: "clip_text_model",
    num_attention_heads: 16,
    num_hidden_layers: textSizes.depth,
    pad_token_id: 1,
    projection_dim: 512,
    vocab_size: textSizes.vocabulary,
  },
  "tokenizer/tokenizer_config.json": {
    add_prefix_space: false,
    bos_token: "<|startoftext|>",
    do_lower_case: true,
    eos_token: "<|endoftext|>",
    model_max_length: textSizes.places,
    pad_token: "!",
    tokenizer_class: "CLIPTokenizer",
    unk_token: "<|endoftext|>",
  },
};

const files: Readonly<Record<string, () => Shapes>> = {
  "unet/diffusion_pytorch_model.safetensors": unetShapes,
  "vae/diffusion_pytorch_model.safetensors": vaeShapes,
  "text_encoder/model.safetensors": textShapes,
};

/** Writes the folder once, 5.3 GB; the same bytes on every machine. Returns the bytes that its files of weights have. */
export async function writeRandomSdTurbo(folder: string, progress: (file: string) => void): Promise<void> {
  if (await stat(join(folder, "model_index.json")).catch(() => undefined)) return;
  const noise = normalNoise();
  for (const [name, shapes] of Object.entries(files)) {
    progress(name);
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeSafetensors(path, shapes(), noise);
  }
  await writeVocabulary(join(folder, "tokenizer"));
  for (const [name, config] of Object.entries(configs).toReversed()) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), JSON.stringify(config, null, 2)); // the index last: with it the folder is whole
  }
}

async function writeSafetensors(path: string, shapes: Shapes, noise: Float32Array): Promise<void> {
  const part = `${path}.part`;
  const file = await open(part, "w");
  try {
    await file.write(header(shapes));
    for (const [i, [key, shape]] of Object.entries(shapes).entries()) await writeTensor(file, key, shape, noise, i);
  } finally {
    await file.close();
  }
  await rename(part, path);
}

function header(shapes: Shapes): Buffer {
  const entries: Record<string, object> = { __metadata__: { format: "pt" } };
  let at = 0;
  for (const [key, shape] of Object.entries(shapes)) {
    const end = at + 4 * shape.reduce((a, b) => a * b, 1);
    entries[key] = { dtype: "F32", shape, data_offsets: [at, end] };
    at = end;
  }
  const json = Buffer.from(JSON.stringify(entries));
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, " ")]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded]);
}

/** What is added to a residual stream is damped, so that activations stay near 1 through all layers. */
const lastOfBranch = /conv2\.weight|to_out\.0\.weight|ff\.net\.2\.weight|proj_out\.weight|out_proj\.weight|fc2\.weight/;

async function writeTensor(
  file: FileHandle,
  key: string,
  shape: readonly number[],
  noise: Float32Array,
  index: number,
): Promise<void> {
  const size = shape.reduce((a, b) => a * b, 1);
  const gain = lastOfBranch.test(key) ? 0.5 : 1;
  const [mean, scale] =
    shape.length === 1
      ? [key.endsWith("weight") ? 1 : 0, 0.05]
      : [0, key.includes("embedding.weight") ? 0.5 : (gain * Math.sqrt(shape[0]!)) / Math.sqrt(size)];
  await file.write(bytesOf(scaledNoise(noise, index, size, mean, scale)));
}

/** The bytes as tokens of their own, no merges: any prompt can be encoded. Ids between them and the end are never met. */
async function writeVocabulary(folder: string): Promise<void> {
  const visible = [...range(33, 126), ...range(161, 172), ...range(174, 255)]; // GPT-2's bytes_to_unicode
  const hidden = range(0, 255).filter((byte) => !visible.includes(byte));
  const letters = [...visible.map((byte) => byte), ...hidden.map((_, i) => 256 + i)].map((c) =>
    String.fromCodePoint(c),
  );
  const tokens = [...letters, ...letters.map((letter) => `${letter}</w>`)];
  while (tokens.length < textSizes.vocabulary - 2) tokens.push(`unused ${tokens.length}`);
  tokens.push("<|startoftext|>", "<|endoftext|>");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "vocab.json"), JSON.stringify(Object.fromEntries(tokens.map((token, i) => [token, i]))));
  await writeFile(join(folder, "merges.txt"), "#version: 0.2\n");
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
