// An ImageReward.pt with the published file's names, sizes and form, and random numbers in it: what the bench is run on.

import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { bytesOf, normalNoise, scaledNoise } from "./noise.ts";
import { PickleWriter } from "./pickleWriter.ts";

type Shapes = Record<string, readonly number[]>;

const vision = { width: 1024, depth: 24, patch: 16, side: 224 };
const text = { width: 768, depth: 12, vocabulary: 30524, positions: 512 };
const projection = 256;

const linear = (key: string, inputs: number, outputs: number): Shapes => ({
  [`${key}.weight`]: [outputs, inputs],
  [`${key}.bias`]: [outputs],
});
const norm = (key: string, width: number): Shapes => ({ [`${key}.weight`]: [width], [`${key}.bias`]: [width] });

/** Every float tensor of the published checkpoint by its key, in the file's order (ImageReward.py, BLIP_Pretrain, MLP at c1392c6). */
export function imageRewardShapes(): Shapes {
  return { ...visionShapes("blip.visual_encoder"), ...textShapes("blip.text_encoder"), ...headShapes() };
}

function visionShapes(key: string): Shapes {
  const { width, depth, patch, side } = vision;
  const shapes: Shapes = {
    [`${key}.cls_token`]: [1, 1, width],
    [`${key}.pos_embed`]: [1, (side / patch) ** 2 + 1, width],
    [`${key}.patch_embed.proj.weight`]: [width, 3, patch, patch],
    [`${key}.patch_embed.proj.bias`]: [width],
  };
  for (let i = 0; i < depth; i++) {
    const block = `${key}.blocks.${i}`;
    Object.assign(shapes, norm(`${block}.norm1`, width), linear(`${block}.attn.qkv`, width, 3 * width));
    Object.assign(shapes, linear(`${block}.attn.proj`, width, width), norm(`${block}.norm2`, width));
    Object.assign(shapes, linear(`${block}.mlp.fc1`, width, 4 * width), linear(`${block}.mlp.fc2`, 4 * width, width));
  }
  return { ...shapes, ...norm(`${key}.norm`, width) };
}

function textShapes(key: string): Shapes {
  const { width, depth, vocabulary, positions } = text;
  const shapes: Shapes = {
    [`${key}.embeddings.word_embeddings.weight`]: [vocabulary, width],
    [`${key}.embeddings.position_embeddings.weight`]: [positions, width],
    ...norm(`${key}.embeddings.LayerNorm`, width),
  };
  for (let i = 0; i < depth; i++) {
    const layer = `${key}.encoder.layer.${i}`;
    Object.assign(shapes, attentionShapes(`${layer}.attention`, width));
    Object.assign(shapes, attentionShapes(`${layer}.crossattention`, vision.width));
    Object.assign(shapes, linear(`${layer}.intermediate.dense`, width, 4 * width));
    Object.assign(shapes, linear(`${layer}.output.dense`, 4 * width, width), norm(`${layer}.output.LayerNorm`, width));
  }
  return shapes;
}

function attentionShapes(key: string, asked: number): Shapes {
  return {
    ...linear(`${key}.self.query`, text.width, text.width),
    ...linear(`${key}.self.key`, asked, text.width),
    ...linear(`${key}.self.value`, asked, text.width),
    ...linear(`${key}.output.dense`, text.width, text.width),
    ...norm(`${key}.output.LayerNorm`, text.width),
  };
}

function headShapes(): Shapes {
  const widths = [text.width, 1024, 128, 64, 16, 1];
  const layers = [0, 2, 4, 6, 7].map((index, i) => linear(`mlp.layers.${index}`, widths[i]!, widths[i + 1]!));
  return {
    ...linear("blip.vision_proj", vision.width, projection), // in the file, and unused by the reward
    ...linear("blip.text_proj", text.width, projection),
    ...Object.assign({}, ...layers),
  };
}

/** Writes the file once, 1.8 GB; the same bytes on every machine. */
export async function writeRandomImageReward(path: string, progress: (share: number) => void): Promise<void> {
  if (await stat(path).catch(() => undefined)) return;
  await mkdir(dirname(path), { recursive: true });
  const part = `${path}.part`;
  const file = await open(part, "w");
  try {
    await writeTorchZip(file, imageRewardShapes(), progress);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  await rename(part, path);
}

/** What torch.save writes since 1.6: an uncompressed zip of a pickle and one entry for each storage. */
async function writeTorchZip(file: FileHandle, shapes: Shapes, progress: (share: number) => void): Promise<void> {
  const zip = new ZipWriter(file);
  const keys = Object.keys(shapes);
  await zip.add("ImageReward/data.pkl", PickleWriter.stateDict(shapes));
  const noise = normalNoise();
  for (const [i, key] of keys.entries()) {
    await zip.add(`ImageReward/data/${i}`, bytesOf(randomTensor(key, shapes[key]!, noise, i)));
    progress((i + 1) / keys.length);
  }
  await zip.add("ImageReward/version", Buffer.from("3\n"));
  await zip.end();
}

/** Scales under which scores differ by about 1 from picture to picture and from prompt to prompt. */
function randomTensor(key: string, shape: readonly number[], noise: Float32Array, index: number): Float32Array {
  const size = shape.reduce((a, b) => a * b, 1);
  const inputs = size / shape[0]!;
  const [mean, scale] =
    shape.length === 1
      ? [key.endsWith("weight") ? 1 : 0, 0.1]
      : [0, /embed|token/.test(key) ? 0.5 : 1.25 / Math.sqrt(inputs)];
  return scaledNoise(noise, index, size, mean, scale);
}

/** An uncompressed zip below 4 GB, its entries aligned to 64 bytes as PyTorch aligns them. */
class ZipWriter {
  readonly #file: FileHandle;
  readonly #directory: Buffer[] = [];
  #offset = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async add(name: string, data: Uint8Array): Promise<void> {
    const fields = this.#fields(name, data);
    const unpadded = this.#offset + 30 + Buffer.byteLength(name);
    const padding = Buffer.alloc(4 + ((64 - ((unpadded + 4) % 64)) % 64));
    padding.write("FB", 0, "latin1"); // PyTorch's own padding field
    padding.writeUInt16LE(padding.length - 4, 2);
    const local = Buffer.concat([signature(0x04034b50), fields, uint16(padding.length), Buffer.from(name), padding]);
    const entry = [signature(0x02014b50), uint16(20), fields, uint16(0), Buffer.alloc(10), uint32(this.#offset)];
    this.#directory.push(Buffer.concat([...entry, Buffer.from(name)]));
    await this.#write(local);
    await this.#write(data);
  }

  /** Version to flags, method, time, sum, sizes and name length: the part that both headers share. */
  #fields(name: string, data: Uint8Array): Buffer {
    const fields = Buffer.alloc(24);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt32LE(crc32(data), 10);
    fields.writeUInt32LE(data.length, 14);
    fields.writeUInt32LE(data.length, 18);
    fields.writeUInt16LE(Buffer.byteLength(name), 22);
    return fields;
  }

  async end(): Promise<void> {
    const start = this.#offset;
    const directory = Buffer.concat(this.#directory);
    const count = uint16(this.#directory.length);
    await this.#write(directory);
    const sizes = [uint32(directory.length), uint32(start), uint16(0)];
    await this.#write(Buffer.concat([signature(0x06054b50), uint32(0), count, count, ...sizes]));
  }

  async #write(data: Uint8Array): Promise<void> {
    let written = 0;
    while (written < data.length) written += (await this.#file.write(data, written)).bytesWritten;
    this.#offset += data.length;
  }
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

const signature = uint32;
