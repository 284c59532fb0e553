// What a picture is made from, as a person says it: every field left out comes from a file or from the model.

import { randomBytes } from "node:crypto";
import { RequestError } from "../errors.ts";
import { openCheckpoint } from "../weights/checkpoint.ts";
import { list } from "../weights/nearest.ts";
import { readFloat32 } from "../weights/read.ts";

export interface MakingFlags {
  readonly prompt?: string;
  readonly negativePrompt?: string;
  readonly guidance?: number;
  readonly seed?: number | bigint;
  readonly size?: Size;
  readonly model?: string;
  readonly latents?: string;
  readonly provider?: string;
  readonly dtype?: string;
  readonly threads?: number;
  readonly json?: boolean;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Noise from a file, [1, C, h, w] before scaling. */
export interface GivenLatents {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

// ---- seeds

export const largestSeed = 2n ** 64n - 1n;

/** As hosts choose theirs: 32 bits, which people can still read out. */
export const randomSeed = (): number => randomBytes(4).readUInt32LE();

/** Seeds go round at 2^64, as the generators take them. */
export function nextSeed(seed: number | bigint, by: number): number | bigint {
  const next = (BigInt(seed) + BigInt(by)) % (largestSeed + 1n);
  return Number.isSafeInteger(Number(next)) ? Number(next) : next;
}

// ---- the noise as a file

/** The tensor `latents`; or `noise`, as `renoir noise` writes it. */
export async function readLatentsFile(path: string): Promise<GivenLatents> {
  const { tensors, name } = await openCheckpoint(path);
  const tensor = tensors.get("latents") ?? tensors.get("noise");
  if (!tensor) {
    throw new RequestError(
      `${name} has no tensor "latents"; ${tensors.size ? `its tensors are ${list([...tensors.keys()].slice(0, 5))}` : "it is empty"}.`,
      { hint: 'Write the noise [1, C, h, w] as float32 under the name "latents"; `renoir noise` makes such a file.' },
    );
  }
  const { shape } = tensor;
  if (shape.length !== 4 || shape[0] !== 1) {
    throw new RequestError(`${name}: "${tensor.name}" has the shape [${shape}], but [1, C, h, w] was wanted.`, {
      hint: "Give the noise of one picture; for a batch, one file for each.",
    });
  }
  return { data: await readFloat32(tensor), shape };
}
