// What the library keeps of a picture's file: its hashes, its size, and what it says about its making.

import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import sharp from "sharp";
import { ImageError } from "../../errors.ts";
import { pixelDigest } from "../../metadata/carriers/carrier.ts";
import { type ImageMetadata, readMetadata } from "../../metadata/index.ts";
import { MAX_PIXELS } from "../../scoring/decode.ts";
import type { InfoReply } from "../api/pictures.ts";

export interface Facts {
  readonly bytes: number;
  /** mtime in ms, with fractions. */
  readonly modified: number;
  readonly hash: string;
  /** Of what makes the picture: the same before and after a score is written. The file's hash where parts are not told apart. */
  readonly pixels: string;
  readonly format: string;
  readonly width: number;
  readonly height: number;
  readonly host: string | null;
  readonly model: string | null;
  readonly prompt: string | null;
  readonly seed: string | null;
  /** Those that the file says of this very picture; stale ones are left out. */
  readonly scores: Readonly<Record<string, number>>;
  readonly info: InfoReply;
}

/** Ours: a picture of MAX_PIXELS at three bytes each, unpacked; larger files are hashed by streams and not read for texts. */
const MAX_READ = 512 * 2 ** 20;

/** Ours: a graph of a hundred nodes has 100 KB; what is longer stays in the file alone. */
const MAX_INFO = 256 * 2 ** 10;
const MAX_PROMPT = 20_000;
const MAX_NAME = 300;

/** Throws the system's own error where the file can not be read; a file that is no whole picture gives a warning. */
export async function readFacts(path: string): Promise<Facts> {
  // Not blocking: opening a named pipe would wait for ever.
  await using file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  const stats = await file.stat();
  if (!stats.isFile()) throw new ImageError(`${path} is no regular file.`);
  const base = { bytes: stats.size, modified: stats.mtimeMs };
  if (stats.size > MAX_READ) return { ...base, ...(await tooLarge(file, stats.size)) };
  const bytes = new Uint8Array(await file.readFile());
  const metadata = await readMetadata(path);
  const seen = await lookAt(bytes, metadata);
  const hash = createHash("sha256").update(bytes).digest("hex");
  return { ...base, bytes: bytes.length, hash, pixels: digestOf(bytes) ?? hash, ...factsOf(metadata, seen) };
}

interface Seen {
  readonly format: string;
  readonly width: number;
  readonly height: number;
  readonly warnings: readonly string[];
}

/** Formats that the metadata's readers do not know, such as TIFF, and what is none at all. */
async function lookAt(bytes: Uint8Array, { format, width, height }: ImageMetadata): Promise<Seen> {
  if (width !== undefined && height !== undefined) return { format, width, height, warnings: [] };
  try {
    const found = await sharp(bytes, { limitInputPixels: MAX_PIXELS }).metadata();
    return { format: found.format, width: found.width, height: found.height, warnings: [] };
  } catch (error) {
    const why = (error as Error).message.split("\n")[0];
    return { format, width: 0, height: 0, warnings: [`The file can not be decoded as a picture: ${why}.`] };
  }
}

function factsOf(metadata: ImageMetadata, seen: Seen): Omit<Facts, "bytes" | "modified" | "hash" | "pixels"> {
  const { host, prompt, seed, settings, scores, warnings } = metadata;
  const isStale = warnings.some((warning) => warning.includes("score it again"));
  return {
    format: seen.format,
    width: seen.width,
    height: seen.height,
    host: host?.slice(0, MAX_NAME) ?? null,
    model: settings.Model === undefined ? null : String(settings.Model).slice(0, MAX_NAME),
    prompt: prompt?.slice(0, MAX_PROMPT) ?? null,
    seed: seed === null ? null : String(seed),
    scores: isStale ? {} : scores,
    info: bounded(infoOf(metadata, seen)),
  };
}

/** As `renoir info --json` has it. */
function infoOf({ graph: _, ...metadata }: ImageMetadata, { format, width, height, warnings }: Seen): InfoReply {
  return {
    ...metadata,
    format,
    width,
    height,
    seed: metadata.seed === null ? null : String(metadata.seed),
    settings: Object.fromEntries(Object.entries(metadata.settings).map(([name, value]) => [name, String(value)])),
    carriers: metadata.carriers.map(({ kind, keyword, bytes = 0 }) => ({ kind, keyword, bytes })),
    warnings: [
      ...metadata.warnings.filter((warning) => !warning.includes("has no metadata that is read")),
      ...warnings,
    ],
  };
}

function bounded(info: InfoReply): InfoReply {
  if (JSON.stringify(info).length <= MAX_INFO) return info;
  return {
    ...info,
    prompt: info.prompt?.slice(0, MAX_PROMPT) ?? null,
    negativePrompt: info.negativePrompt?.slice(0, MAX_PROMPT) ?? null,
    infotext: null,
    settings: {},
    carriers: info.carriers.slice(0, 100),
    warnings: [...info.warnings.slice(0, 20), "The file says more than the library keeps; the file itself has it all."],
  };
}

function digestOf(bytes: Uint8Array): string | undefined {
  try {
    return pixelDigest(bytes);
  } catch {
    return undefined; // another format, or damaged
  }
}

async function tooLarge(file: FileHandle, size: number) {
  const hash = createHash("sha256");
  for await (const part of file.createReadStream({ start: 0, autoClose: false })) hash.update(part as Buffer);
  const digest = hash.digest("hex");
  const metadata: ImageMetadata = {
    format: "unknown",
    host: null,
    prompt: null,
    negativePrompt: null,
    seed: null,
    settings: {},
    scores: {},
    infotext: null,
    carriers: [],
    warnings: [`The file has ${size} bytes; files of up to ${MAX_READ} are read.`],
  };
  const seen = { format: "unknown", width: 0, height: 0, warnings: [] };
  return { hash: digest, pixels: digest, ...factsOf(metadata, seen) };
}
