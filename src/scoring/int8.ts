// An ImageReward in eight bits: its large matrix products rounded once into a cache file, everything else kept as it is.
// About four times the speed on processors with 8-bit dot products, at the price of exactness: such scores sort and
// filter, and are made again in float32 before they go into a file.

import { createHash } from "node:crypto";
import { mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { openCheckpoint } from "../weights/checkpoint.ts";
import { readFloat32, readTensor } from "../weights/read.ts";
import { type TensorToWrite, writeSafetensors } from "../weights/safetensors.ts";
import { renoirHome } from "./store.ts";

/** Part of the cache file's name: change it when the rounding below changes. */
const version = 1;

// The transformers' linear layers, where all the time goes. Patch embedding, word embeddings and the head stay exact:
// they are a hundredth of the work and their errors go straight into the score.
const rounded = /\.(qkv|proj|fc1|fc2|query|key|value|dense)\.weight$/;
const exact = /patch_embed\.|embeddings\./;

// Unsigned weights around 128: processors without 8-bit dot products saturate on signed ones.
const zeroPoint = 128;
const steps = 127;

/** The eight-bit form of a checkpoint, made at its first use and kept below RENOIR_HOME. */
export async function int8Checkpoint(source: Checkpoint, home = renoirHome()): Promise<Checkpoint> {
  const path = join(home, "cache", "int8", `${await identity(source)}.safetensors`);
  const cached = await stat(path).catch(() => undefined);
  if (!cached) {
    await mkdir(dirname(path), { recursive: true });
    await writeSafetensors(path, await quantize(source), { source: source.path, version: String(version) });
  }
  return openCheckpoint(path);
}

/** Changes when the source file does: its path, size and time of change. */
async function identity({ path }: Checkpoint): Promise<string> {
  const { size, mtimeMs } = await stat(path);
  return createHash("sha256")
    .update(JSON.stringify([version, path, size, mtimeMs]))
    .digest("hex")
    .slice(0, 16);
}

async function quantize({ tensors }: Checkpoint): Promise<Record<string, TensorToWrite>> {
  const made: Record<string, TensorToWrite> = {};
  for (const [key, stored] of tensors) {
    if (!key.startsWith("blip.") && !key.startsWith("mlp.")) continue;
    if (!rounded.test(key) || exact.test(key) || stored.shape.length !== 2) {
      const { data, shape } = await readTensor(stored);
      made[key] = { dtype: stored.dtype, shape, data };
      continue;
    }
    const [outputs, inputs] = stored.shape as [number, number];
    const { data, scale } = roundTransposed(await readFloat32(stored), outputs, inputs);
    made[key] = { dtype: "uint8", shape: [inputs, outputs], data };
    made[`${key}_scale`] = { dtype: "float32", shape: [], data: Float32Array.of(scale) };
    made[`${key}_zero_point`] = { dtype: "uint8", shape: [], data: Uint8Array.of(zeroPoint) };
  }
  return made;
}

/** W [out, in] as PyTorch has it -> Wᵀ [in, out] in steps of `scale`, as the 8-bit product reads it. */
function roundTransposed(weight: Float32Array, outputs: number, inputs: number) {
  const largest = weight.reduce((max, w) => Math.max(max, Math.abs(w)), 0);
  const scale = largest / steps || 1;
  const data = new Uint8Array(weight.length);
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) data[i * outputs + o] = Math.round(weight[o * inputs + i]! / scale) + zeroPoint;
  }
  return { data, scale };
}
