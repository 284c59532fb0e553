// The PNG of a picture that Renoir made: what it was made from as hosts read it, and the noise itself, so that it can be made again.
// The noise lies in a private chunk, rnLT: ancillary, and by its last letter not to be copied onto a changed picture (PNG 5.4).

import { deflateSync, inflateSync } from "node:zlib";
import sharp from "sharp";
import { MetadataError } from "../errors.ts";
import { float16Bits } from "../graph/index.ts";
import type { Edit } from "../metadata/carriers/carrier.ts";
import { readCarriers } from "../metadata/carriers/carrier.ts";
import { chunkData, png, withChunk } from "../metadata/carriers/png.ts";
import {
  formatInfotext,
  hasParameterLine,
  type ImageMetadata,
  readMetadata,
  scoreText,
  setParameters,
  withScores,
} from "../metadata/index.ts";
import { valuesOf } from "../weights/dtype.ts";

/** A text chunk: infotext under "parameters", ComfyUI's graph under "prompt". */
export type Text = readonly [keyword: string, text: string];

export interface Latents {
  readonly data: Float32Array;
  /** [1, C, h, w] */
  readonly shape: readonly number[];
}

/** What a refinement did, as its file tells it. */
export interface Refinement {
  readonly settings: Record<string, unknown>;
  /** Looks at a picture, the untouched one included. */
  readonly iterations: number;
  readonly best: number;
  readonly scores: { readonly before: Record<string, number>; readonly after: Record<string, number> };
}

/** How floats become bytes: diffusers and Renoir round to the nearest, A1111 and ComfyUI cut the fraction off. */
export type Rounding = "nearest" | "down";

export interface ResultPicture {
  /** [3, H, W], 0..1 */
  readonly pixels: Float32Array;
  readonly rounding?: Rounding | undefined;
  readonly width: number;
  readonly height: number;
  readonly texts: readonly Text[];
  readonly latents?: Latents | undefined;
  readonly refinement?: Refinement | undefined;
}

const REFINE = "renoir refine";
const LATENTS = "rnLT";

export async function resultFile(picture: ResultPicture): Promise<Uint8Array> {
  const { width, height, latents, refinement } = picture;
  const encoded = await sharp(toBytes(picture.pixels, picture.rounding), { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  const whole = latents ? withChunk(encoded, LATENTS, encodeLatents(latents)) : encoded;
  const texts = refinement ? refinedTexts(picture.texts, refinement) : picture.texts;
  const told = png.edit!(
    whole,
    texts.map(([keyword, text]): Edit => ({ do: "add", kind: "text", keyword, text })),
  );
  return refinement ? await withScores(told, refinement.scores.after) : told;
}

/** 8-bit RGB, row by row. */
export function toBytes(pixels: Float32Array, rounding: Rounding = "nearest"): Uint8Array {
  const area = pixels.length / 3;
  const half = rounding === "nearest" ? 0.5 : 0;
  return Uint8Array.from({ length: pixels.length }, (_, i) => {
    const value = Math.fround(255 * pixels[(i % 3) * area + Math.floor(i / 3)]!);
    return Math.min(255, Math.max(0, Math.floor(value + half)));
  });
}

// ---- the noise

/** Sixteen channels at 4096 x 4096 pixels: more than any model that is known takes. */
const maxElements = 16 * 512 * 512;
const layout = { version: 1, dtypes: ["float32", "float16"], header: 2 + 4 * 4 } as const;

/** Version, dtype, four uint32 of shape, then the deflated numbers; all little-endian. float16 where that loses nothing. */
function encodeLatents({ data, shape }: Latents): Uint8Array {
  const halves = toFloat16(data);
  const header = new DataView(new ArrayBuffer(layout.header));
  header.setUint8(0, layout.version);
  header.setUint8(1, halves ? 1 : 0);
  for (const [i, size] of shape.entries()) header.setUint32(2 + 4 * i, size, true);
  return Buffer.concat([new Uint8Array(header.buffer), deflateSync(bytesOf(halves ?? data), { level: 9 })]);
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => new Uint8Array(buffer, byteOffset, byteLength);

/** The bits of each number, if every one of them is a float16. */
function toFloat16(data: Float32Array): Uint16Array | undefined {
  const values = valuesOf("float16")!;
  const bits = Uint16Array.from(data, float16Bits);
  return data.every((value, i) => value === values[bits[i]!]) ? bits : undefined;
}

/** The noise in a picture of ours; undefined where the file has none. */
export function readLatents(bytes: Uint8Array, file = "The picture"): Latents | undefined {
  const format = readCarriers(bytes).format;
  const chunk = format === "png" ? chunkData(bytes, LATENTS) : undefined;
  return chunk && decodeLatents(chunk, file);
}

function decodeLatents(chunk: Uint8Array, file: string): Latents {
  if (chunk.length < layout.header) throw damaged(file, `has ${chunk.length} bytes`);
  const header = new DataView(chunk.buffer, chunk.byteOffset, layout.header);
  const dtype = layout.dtypes[header.getUint8(1)];
  if (header.getUint8(0) !== layout.version || !dtype) throw damaged(file, "is of a later version or of no dtype");
  const shape = [0, 1, 2, 3].map((i) => header.getUint32(2 + 4 * i, true));
  const elements = shape.reduce((a, b) => a * b, 1);
  if (elements === 0 || elements > maxElements) throw damaged(file, `claims the shape [${shape}]`);
  const data = numbersOf(
    inflated(chunk.subarray(layout.header), elements * (dtype === "float16" ? 2 : 4), file),
    dtype,
  );
  if (data.some((value) => !Number.isFinite(value))) throw damaged(file, "holds numbers that are not finite");
  return { data, shape };
}

function inflated(bytes: Uint8Array, wanted: number, file: string): ArrayBuffer {
  try {
    const whole = inflateSync(bytes, { maxOutputLength: wanted });
    if (whole.length === wanted) return Uint8Array.from(whole).buffer;
  } catch (cause) {
    throw damaged(file, "can not be inflated, or is larger than its shape", cause);
  }
  throw damaged(file, "is smaller than its shape");
}

function numbersOf(buffer: ArrayBuffer, dtype: (typeof layout.dtypes)[number]): Float32Array {
  if (dtype === "float32") return new Float32Array(buffer);
  const values = valuesOf("float16")!;
  return Float32Array.from(new Uint16Array(buffer), (bits) => values[bits]!);
}

const damaged = (file: string, what: string, cause?: unknown) =>
  new MetadataError(`${file} holds its noise in the chunk ${LATENTS}, which ${what}.`, {
    hint: "Refine the picture that it was made from again, or give the noise with --latents.",
    cause,
  });

// ---- the texts

export interface Making {
  readonly prompt: string;
  readonly negativePrompt?: string | undefined;
  readonly guidance?: number | undefined;
  /** Absent where the noise was given as it is. */
  readonly seed?: number | bigint | undefined;
  readonly width: number;
  readonly height: number;
  readonly model: string;
  readonly version: string;
}

/** Infotext in A1111's form for a picture that Renoir made from a prompt. */
export function ownTexts(making: Making): Text[] {
  const { prompt, negativePrompt = "", guidance = 1, seed, width, height, model, version } = making;
  const parameters: [string, string | undefined][] = [
    ["Steps", "1"],
    ["Sampler", "Euler"],
    ["CFG scale", String(guidance)],
    ["Seed", seed === undefined ? undefined : String(seed)],
    ["Size", `${width}x${height}`],
    ["Model", model],
    ["RNG", "CPU"],
    ["Version", `Renoir ${version}`],
  ];
  const told = parameters.filter((pair): pair is [string, string] => pair[1] !== undefined);
  return [["parameters", formatInfotext(prompt, negativePrompt, told)]];
}

/** The texts that a picture's file has, for the file of its refined form: all of a PNG's but scores; of others their infotext. */
export async function textsOf(bytes: Uint8Array, metadata?: ImageMetadata): Promise<Text[]> {
  const { format, carriers } = readCarriers(bytes);
  const { infotext, scores } = metadata ?? (await readMetadata(bytes));
  const chunks = carriers.filter(({ kind, keyword }) => ["tEXt", "zTXt", "iTXt"].includes(kind) && !isOurs(keyword));
  const kept = chunks.map(({ keyword, text }): Text => [keyword, text]);
  const graph = format === "webp" ? comfyGraph(carriers) : [];
  const told = kept.some(([keyword]) => keyword === "parameters") || infotext === null || graph.length > 0;
  const texts: Text[] = told ? [...kept, ...graph] : [...kept, ["parameters", infotext]];
  return texts.map(([keyword, text]): Text => [keyword, keyword === "parameters" ? scoreless(text, scores) : text]);
}

/** The same where infotext alone tells of a picture. */
export const textsOfInfotext = (infotext: string, { scores }: ImageMetadata): Text[] => [
  ["parameters", scoreless(infotext, scores)],
];

function scoreless(infotext: string, scores: ImageMetadata["scores"]): string {
  const names = [...Object.keys(scores).map((reward) => `${reward} Score`), ...otherScores];
  return setParameters(
    infotext,
    names.map((name): [string, null] => [name, null]),
  );
}

/** Other tools' scores, which belong to the picture as it was as well. */
const otherScores = ["aesthetic_score", "Score"];

/** Scores and what Renoir notes belong to the picture as it was. */
const isOurs = (keyword: string) => keyword === "renoir" || keyword === REFINE || keyword.endsWith(" Score");

/** ComfyUI's WebP files hold "prompt:{json}" and "workflow:{json}" in EXIF. */
const comfyGraph = (carriers: readonly { kind: string; text: string }[]): Text[] =>
  carriers.flatMap(({ kind, text }): Text[] => {
    const [, keyword, json] = /^(prompt|workflow):(\{.*)$/s.exec(text) ?? [];
    return kind === "exif" && keyword ? [[keyword, json!]] : [];
  });

function refinedTexts(texts: readonly Text[], refinement: Refinement): Text[] {
  const { settings, iterations, best, scores } = refinement;
  const before = Object.entries(scores.before).map(([reward, score]): [string, string] => [
    `ReNO ${reward} before`,
    scoreText(reward, score),
  ]);
  const pairs: [string, string][] = [["ReNO iterations", String(iterations)], ["ReNO best", String(best)], ...before];
  const told = texts.map(
    ([keyword, text]): Text => [
      keyword,
      keyword === "parameters" && hasParameterLine(text) ? setParameters(text, pairs) : text,
    ],
  );
  return [...told, [REFINE, JSON.stringify({ v: 1, settings, iterations, best, scores })]];
}
