// An ImageReward in eight bits: its large matrix products rounded once into a cache file, everything else kept as it is.
// About four times the speed on processors with 8-bit dot products, at the price of exactness: such scores sort and
// filter, and are made again in float32 before they go into a file.

import { createHash } from "node:crypto";
import { mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { compile, constant, input, parameter, quantizedLinear } from "../graph/index.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { openCheckpoint } from "../weights/checkpoint.ts";
import { readFloat32, readTensor } from "../weights/read.ts";
import { type TensorToWrite, writeSafetensors } from "../weights/safetensors.ts";
import { renoirHome } from "./store.ts";

/** Part of the cache file's name: change it when the rounding below changes. */
const version = 2;

// The transformers' linear layers, where all the time goes. Patch embedding, word embeddings and the head stay exact:
// they are a hundredth of the work and their errors go straight into the score.
const rounded = /\.(qkv|proj|fc1|fc2|query|key|value|dense)\.weight$/;
const exact = /patch_embed\.|embeddings\./;

/** The eight-bit form of a checkpoint, made at its first use and kept below RENOIR_HOME. */
export async function int8Checkpoint(source: Checkpoint, home = renoirHome()): Promise<Checkpoint> {
  const steps = await safeSteps();
  const path = join(home, "cache", "int8", `${await identity(source, steps)}.safetensors`);
  const cached = await stat(path).catch(() => undefined);
  if (!cached) {
    await mkdir(dirname(path), { recursive: true });
    await writeSafetensors(path, await quantize(source, steps), { source: source.path, version: String(version) });
  }
  return openCheckpoint(path);
}

/**
 * How many steps a weight may take on either side of zero. Processors with 8-bit dot products take 127; older ones add
 * pairs of products in 16 bits, which saturate, and must be given half: tried on a product that would saturate.
 */
async function safeSteps(): Promise<number> {
  const [inputs, outputs, weight] = [64, 16, 127];
  const fixed = (name: string, shape: number[], data: Int8Array) =>
    parameter(name, shape, "int8", { data: new Uint8Array(data.buffer) });
  const w = fixed("w", [inputs, outputs], new Int8Array(inputs * outputs).fill(weight));
  const zeroPoint = fixed("zeroPoint", [outputs], new Int8Array(outputs));
  const ones = constant(new Float32Array(outputs).fill(1), [outputs]);
  const y = quantizedLinear(
    input("x", [1, inputs]),
    { weight: w, scale: ones, zeroPoint },
    constant(new Float32Array(outputs), [outputs]),
  );
  const session = await compile({ y }, { provider: "cpu", prepack: true });
  const result = await session.run({ x: new Float32Array(inputs).fill(1) });
  await session.release();
  return Math.abs(result.y![0]! / (inputs * weight) - 1) < 0.01 ? weight : (weight - 1) / 2;
}

/** Changes when the source file does: its path, size and time of change. */
async function identity({ path }: Checkpoint, steps: number): Promise<string> {
  const { size, mtimeMs } = await stat(path);
  return createHash("sha256")
    .update(JSON.stringify([version, steps, path, size, mtimeMs]))
    .digest("hex")
    .slice(0, 16);
}

async function quantize({ tensors }: Checkpoint, steps: number): Promise<Record<string, TensorToWrite>> {
  const made: Record<string, TensorToWrite> = {};
  for (const [key, stored] of tensors) {
    if (!key.startsWith("blip.") && !key.startsWith("mlp.")) continue;
    if (!rounded.test(key) || exact.test(key) || stored.shape.length !== 2) {
      const { data, shape } = await readTensor(stored);
      made[key] = { dtype: stored.dtype, shape, data };
      continue;
    }
    const [outputs, inputs] = stored.shape as [number, number];
    const { data, scales } = roundTransposed(await readFloat32(stored), outputs, inputs, steps);
    made[key] = { dtype: "int8", shape: [inputs, outputs], data };
    made[`${key}_scale`] = { dtype: "float32", shape: [outputs], data: scales };
    made[`${key}_zero_point`] = { dtype: "int8", shape: [outputs], data: new Int8Array(outputs) };
  }
  return made;
}

/** W [out, in] as PyTorch has it -> Wᵀ [in, out] as the 8-bit product reads it, each output in steps of its own scale. */
function roundTransposed(weight: Float32Array, outputs: number, inputs: number, steps: number) {
  const data = new Int8Array(weight.length);
  const scales = new Float32Array(outputs);
  for (let o = 0; o < outputs; o++) {
    const row = weight.subarray(o * inputs, (o + 1) * inputs);
    const largest = row.reduce((max, w) => Math.max(max, Math.abs(w)), 0);
    const scale = Math.fround(largest / steps) || 1;
    scales[o] = scale;
    for (let i = 0; i < inputs; i++) data[i * outputs + o] = Math.round(row[i]! / scale);
  }
  return { data, scales };
}
