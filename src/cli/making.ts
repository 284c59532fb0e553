// The flags of generate and refine: from what, and how, a picture is made. Checked before anything is loaded.

import { randomBytes } from "node:crypto";
import { type Command, InvalidArgumentError, Option } from "commander";
import { RequestError } from "../errors.ts";
import { openCheckpoint } from "../weights/checkpoint.ts";
import { list } from "../weights/nearest.ts";
import { readFloat32 } from "../weights/read.ts";
import { parseCount, parseNumber } from "./options.ts";

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

export const addMakingFlags = (command: Command): Command =>
  command
    .option("--prompt <text>", "what the picture shall show")
    .option("--negative-prompt <text>", "what it shall not show; counts where --guidance is above 1")
    .option(
      "--guidance <scale>",
      "classifier-free guidance; 1, none, is what one-step models are made for",
      parseNumber,
    )
    .option("--seed <n>", "of the starting noise, 0 to 2^64 - 1 (default: a random one, which is told)", parseSeed)
    .option("--size <WxH>", "in pixels, as in 512x512 (default: the model's own)", parseSize)
    .option("--model <name-or-path>", "a name of `renoir models`, a diffusers folder, or a single-file checkpoint")
    .option("--latents <file>", "the starting noise itself, a safetensors file with a tensor `latents` [1, C, h, w]")
    .addOption(
      new Option("--provider <name>", "what computes").choices(["auto", "cpu", "webgpu", "cuda", "dml", "coreml"]),
    )
    .addOption(
      new Option(
        "--dtype <name>",
        "what the model computes in; auto is float16 on a GPU that has it, else float32",
      ).choices(["auto", "float32", "float16"]),
    )
    .option("--threads <n>", "processor threads for the model", parseCount)
    .option("--json", "JSON Lines on stdout, and nothing else there");

// ---- single flags

const largestSeed = 2n ** 64n - 1n;

export function parseSeed(text: string): number | bigint {
  if (!/^\d{1,20}$/.test(text) || BigInt(text) > largestSeed) {
    const random = text === "-1" ? ' Hosts write -1 for "any": leave --seed out for that.' : "";
    throw new InvalidArgumentError(`It is no whole number from 0 to 2^64 - 1.${random}`);
  }
  const seed = BigInt(text);
  return Number.isSafeInteger(Number(seed)) ? Number(seed) : seed;
}

/** As hosts choose theirs: 32 bits, which people can still read out. */
export const randomSeed = (): number => randomBytes(4).readUInt32LE();

/** Seeds go round at 2^64, as the generators take them. */
export function nextSeed(seed: number | bigint, by: number): number | bigint {
  const next = (BigInt(seed) + BigInt(by)) % (largestSeed + 1n);
  return Number.isSafeInteger(Number(next)) ? Number(next) : next;
}

export function parseSize(text: string): Size {
  const [, width, height] = /^([1-9]\d{0,4})[x×]([1-9]\d{0,4})$/i.exec(text) ?? [];
  if (!width || !height) throw new InvalidArgumentError("It is no size in pixels. Write it as in 512x768.");
  return { width: Number(width), height: Number(height) };
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
