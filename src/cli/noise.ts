// renoir noise: the noise that a host's picture began from, as a file.

import { type Command, InvalidArgumentError, Option } from "commander";
import { type NoiseRequest, noise, noiseDTypes, noiseHosts, rngs, type Seed } from "../reno/noise/index.ts";
import { writeSafetensors } from "../weights/safetensors.ts";
import { parseCount, parseNumber } from "./options.ts";
import { jsonLine, printable } from "./output.ts";

const help = `
The file is safetensors with a float32 tensor "noise", before any scaling by a sampler; in its header is what made it.
Without --host it is torch.randn itself. What each host can be told beside seed and shape:

  a1111      also Forge: --index is the picture's number in its batches, counted from 0; --rng is the "RNG" of the infotext,
             "cuda" for NV and (the default) GPU; --subseed and --subseed-strength are the "Variation seed" and its strength,
             --resize-from is "Seed resize from"
  comfyui    the shape is the latent batch; --index is the batch_index of each picture, as in 2 or 0,2,5
  diffusers  --seed 1,2,3 stands for a list of generators; --rng (default cpu), --dtype
  reno       --index is how many prompts came before; --rng (default cuda), --dtype (default float16)

Exit status: 0 done, 1 the file could not be written, 2 wrong usage.

Examples:
  $ renoir noise --seed 42 --shape 1,4,64,64 --out noise.safetensors
  $ renoir noise --host a1111 --rng cuda --seed 7 --index 2 --subseed 9 --subseed-strength 0.3 --shape 1,4,64,64 --out noise.safetensors`;

interface NoiseFlags {
  readonly seed: Seed | Seed[];
  readonly shape: number[];
  readonly out: string;
  readonly rng?: string;
  readonly host?: string;
  readonly dtype?: string;
  readonly index?: number[];
  readonly subseed?: Seed;
  readonly subseedStrength?: number;
  readonly resizeFrom?: { width: number; height: number };
  readonly gpuThreads?: number;
  readonly json?: boolean;
}

export function registerNoise(program: Command): void {
  program
    .command("noise")
    .description("make the starting noise that a host makes from a seed")
    .requiredOption("--seed <n>", "from -2^63 to 2^64 - 1", parseSeeds)
    .requiredOption("--shape <n,c,h,w>", "pictures, channels, height and width divided by 8", parseShape)
    .requiredOption("--out <file>", "the safetensors file")
    .addOption(new Option("--host <name>", "whose noise (default: torch.randn)").choices(noiseHosts))
    .addOption(new Option("--rng <device>", "torch's generator").choices(rngs))
    .option("--index <i>", "which picture of a batch; see below", parseIndices)
    .option("--subseed <n>", "a1111: the seed of the variation", parseSeed)
    .option("--subseed-strength <share>", "a1111: how much of it, 0 to 1", parseNumber)
    .option("--resize-from <WxH>", "a1111: the size in pixels that the seed was found at", parseResize)
    .addOption(new Option("--dtype <name>", "what the host draws in (default: float32)").choices(noiseDTypes))
    .option("--gpu-threads <n>", "cuda: threads that the GPU holds at once, for noise larger than that", parseCount)
    .option("--json", "one JSON line on stdout, and nothing else there")
    .addHelpText("after", help)
    .action(makeNoise);
}

async function makeNoise({ out, json, ...flags }: NoiseFlags): Promise<void> {
  const request = requestOf(flags);
  const data = noise(request as unknown as NoiseRequest);
  await writeSafetensors(out, { noise: { dtype: "float32", shape: flags.shape, data } }, headerOf(request));
  const text = `The noise [${flags.shape}] is in ${printable(out)}.\n`;
  process.stdout.write(json ? jsonLine({ file: out, tensor: "noise", ...request }) : text);
}

/** The library's request; what was not given is not in it. */
function requestOf({ index, gpuThreads, ...flags }: Omit<NoiseFlags, "out" | "json">): Record<string, unknown> {
  const place = index?.length === 1 ? index[0] : index;
  const request = { ...flags, [flags.host === "reno" ? "skip" : "index"]: place, threads: gpuThreads };
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
}

const headerOf = (request: Record<string, unknown>): Record<string, string> =>
  Object.fromEntries(Object.entries(request).map(([name, value]) => [name, textOf(value)]));

const textOf = (value: unknown): string =>
  typeof value === "object" && !Array.isArray(value) ? JSON.stringify(value) : String(value);

// ---- single flags

export function parseSeed(text: string): Seed {
  if (!/^-?\d{1,20}$/.test(text)) throw new InvalidArgumentError("It is no whole number. Write it as in 42 or -1.");
  const seed = BigInt(text);
  return Number.isSafeInteger(Number(seed)) ? Number(seed) : seed;
}

function parseSeeds(text: string): Seed | Seed[] {
  const seeds = text.split(",").map(parseSeed);
  return seeds.length === 1 ? seeds[0]! : seeds;
}

function parseShape(text: string): number[] {
  if (/^[1-9]\d{0,8}(,[1-9]\d{0,8})*$/.test(text)) return text.split(",").map(Number);
  throw new InvalidArgumentError("It is no list of whole numbers from 1. Write it as in 1,4,64,64.");
}

function parseIndices(text: string): number[] {
  if (/^\d{1,9}(,\d{1,9})*$/.test(text)) return text.split(",").map(Number);
  throw new InvalidArgumentError("It is no whole number from 0. Write it as in 2, or for ComfyUI as in 0,2,5.");
}

function parseResize(text: string): { width: number; height: number } {
  const [, width, height] = /^([1-9]\d{0,4})[x×]([1-9]\d{0,4})$/i.exec(text) ?? [];
  if (width && height) return { width: Number(width), height: Number(height) };
  throw new InvalidArgumentError("It is no size in pixels. Write it as in 512x768.");
}
