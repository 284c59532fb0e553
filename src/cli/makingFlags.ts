// The flags of generate and refine: from what, and how, a picture is made. Checked before anything is loaded.

import { type Command, InvalidArgumentError, Option } from "commander";
import { largestSeed, type Size } from "../tasks/making.ts";
import { parseCount, parseNumber } from "./options.ts";

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

export function parseSeed(text: string): number | bigint {
  if (!/^\d{1,20}$/.test(text) || BigInt(text) > largestSeed) {
    const random = text === "-1" ? ' Hosts write -1 for "any": leave --seed out for that.' : "";
    throw new InvalidArgumentError(`It is no whole number from 0 to 2^64 - 1.${random}`);
  }
  const seed = BigInt(text);
  return Number.isSafeInteger(Number(seed)) ? Number(seed) : seed;
}

export function parseSize(text: string): Size {
  const [, width, height] = /^([1-9]\d{0,4})[x×]([1-9]\d{0,4})$/i.exec(text) ?? [];
  if (!width || !height) throw new InvalidArgumentError("It is no size in pixels. Write it as in 512x768.");
  return { width: Number(width), height: Number(height) };
}
