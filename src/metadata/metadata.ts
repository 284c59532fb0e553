// Reads what an image file says about its making, and writes scores into it, pixels untouched.
import { readFile } from "node:fs/promises";
import { MetadataError } from "../errors.ts";
import { applyEdits, type Carrier, pixelDigest, type ReadResult, readCarriers } from "./carriers/carrier.ts";
import { type Reading, Texts } from "./dialects/dialect.ts";
import { readDialect } from "./dialects/index.ts";
import type { ImageMetadata, WriteOptions, WriteResult } from "./imageMetadata.ts";
import { hasParameterLine, readInfotext } from "./infotext.ts";
import { parseRecord, promptHash, RECORD, type ScoreRecord, staleness } from "./record.ts";
import { replaceFile, snapshot } from "./replaceFile.ts";
import { rewardOf, scorePairs, scoreValue } from "./scoreNames.ts";
import { planScores } from "./scorePlan.ts";
import { readSidecars, type Sidecars, writeSidecar } from "./sidecar.ts";
import { stealthCarriers } from "./stealth.ts";

const NO_SIDECARS: Sidecars = { infotext: null, record: null };

/** What the file says, whoever wrote it. A file that says nothing gives nulls; only a path that can not be read is an error. */
export async function readMetadata(file: string | Uint8Array): Promise<ImageMetadata> {
  const bytes = typeof file === "string" ? await readImageFile(file) : file;
  const sidecars = typeof file === "string" ? await readSidecars(file) : NO_SIDECARS;
  const source = await readSource(bytes, sidecars);
  return describe(source, readScores(source, sidecars, bytes));
}

/** What a picture's file would say that held this infotext and nothing else. */
export function readBareInfotext(infotext: string): ImageMetadata {
  const carriers = [besideCarrier(infotext)];
  const reading = readDialect(new Texts(carriers));
  const read: ReadResult = { format: "unknown", carriers, warnings: [] };
  return describe({ read, reading, warnings: [] }, { scores: new Map(reading?.scores), warnings: [] });
}

function describe(source: Source, scores: { scores: Map<string, number>; warnings: string[] }): ImageMetadata {
  const { read, reading } = source;
  return {
    format: read.format,
    host: reading?.host ?? null,
    prompt: reading?.prompt ?? null,
    negativePrompt: reading?.negativePrompt ?? null,
    seed: reading?.seed ?? null,
    ...(read.width !== undefined && read.height !== undefined && { width: read.width, height: read.height }),
    settings: Object.fromEntries(reading?.settings ?? []),
    scores: Object.fromEntries(scores.scores),
    infotext: reading?.infotext ?? null,
    ...(reading?.graph && { graph: reading.graph }),
    carriers: read.carriers.map(({ kind, keyword, text }) => ({ kind, keyword, bytes: Buffer.byteLength(text) })),
    warnings: [...read.warnings, ...source.warnings, ...(reading?.warnings ?? []), ...scores.warnings],
  };
}

/** Puts the scores where the file's own readers find them, or beside the file; the same scores again change nothing. */
export async function writeScores(
  file: string,
  scores: Record<string, number>,
  options: WriteOptions = {},
): Promise<WriteResult> {
  if (scorePairs(scores).length === 0) throw new MetadataError(`There are no scores to write to ${file}.`);
  const image = await snapshot(file);
  const { read, reading } = await readSource(image.bytes, NO_SIDECARS);
  if (read.format === "unknown") throw notAnImage(file, image.bytes);
  const record = recordOf(scores, read, reading, image.bytes, options);
  const plan = EDITABLE.has(read.format) && !read.signed ? planScores(read, record) : null;
  if (!plan) return { ...(await writeSidecar(file, reading?.infotext ?? null, record)), warnings: [] };
  const edited = applyEdits(image.bytes, plan.edits);
  const written = !Buffer.from(edited).equals(image.bytes);
  const { warnings } = written
    ? await replaceFile(file, image, edited, { keepTimes: options.keepTimes })
    : { warnings: [] };
  return { file, written, carrier: plan.carrier, warnings };
}

/** The same for a picture of ours that is no file yet, a PNG: its bytes with the scores in them. */
export async function withScores(bytes: Uint8Array, scores: Record<string, number>): Promise<Uint8Array> {
  const { read, reading } = await readSource(bytes, NO_SIDECARS);
  const plan = planScores(read, recordOf(scores, read, reading, bytes));
  return plan ? applyEdits(bytes, plan.edits) : bytes;
}

function recordOf(
  scores: Record<string, number>,
  { format }: ReadResult,
  reading: Reading | null,
  bytes: Uint8Array,
  { model }: WriteOptions = {},
): ScoreRecord {
  return {
    ...(model !== undefined && { model }),
    scores: Object.fromEntries(scorePairs(scores).map(({ key, text }) => [rewardOf(key)!, Number(text)])),
    prompt: promptHash(reading?.prompt ?? null),
    pixels: digestOf(format, bytes),
  };
}

const EDITABLE = new Set<string>(["png", "jpeg", "webp"]);

const digestOf = (format: string, bytes: Uint8Array) => (EDITABLE.has(format) ? pixelDigest(bytes) : null);

interface Source {
  read: ReadResult;
  reading: Reading | null;
  warnings: string[];
}

/** The file's texts by the host's rules; what is hidden in the pixels, or lies beside the file, only where it has none. */
async function readSource(bytes: Uint8Array, sidecars: Sidecars): Promise<Source> {
  const read = readCarriers(bytes);
  const reading = readDialect(new Texts(read.carriers));
  if (reading) return { read, reading, warnings: [] };
  const hidden = read.format === "png" ? await readHidden(bytes) : { carriers: [], warnings: [] };
  const beside = sidecars.infotext === null ? [] : [besideCarrier(sidecars.infotext)];
  const texts = hidden.carriers.length > 0 ? hidden.carriers : beside;
  const all = { ...read, carriers: [...read.carriers, ...hidden.carriers] };
  return { read: all, reading: readDialect(new Texts(texts)), warnings: hidden.warnings };
}

async function readHidden(bytes: Uint8Array): Promise<{ carriers: Carrier[]; warnings: string[] }> {
  try {
    return { carriers: await stealthCarriers(bytes), warnings: [] };
  } catch (error) {
    const reason = (error as Error).message.split("\n")[0];
    return { carriers: [], warnings: [`The pixels were not searched for hidden text: ${reason}.`] };
  }
}

const besideCarrier = (text: string): Carrier => ({
  kind: "tEXt",
  keyword: "parameters",
  text,
  encoding: "utf-8",
  index: 0,
});

/** From our record, infotext's pairs and old trailing lines, SwarmUI's scoring, and chunks named by the score. */
function readScores({ read, reading }: Source, sidecars: Sidecars, bytes: Uint8Array) {
  const scores = new Map<string, number>(reading?.scores ?? []);
  for (const [reward, score] of chunkScores(read.carriers)) if (!scores.has(reward)) scores.set(reward, score);
  for (const [reward, score] of sidecarScores(sidecars, reading)) if (!scores.has(reward)) scores.set(reward, score);
  const record = parseRecord(new Texts(read.carriers).chunk(RECORD)) ?? sidecars.record;
  if (!record) return { scores, warnings: [] };
  const warnings = staleness(record, reading?.prompt ?? null, digestOf(read.format, bytes));
  const isFresh = warnings.length === 0;
  for (const [reward, score] of Object.entries(record.scores)) {
    const told = scores.get(reward);
    if (isFresh && told !== undefined && told !== score) {
      warnings.push(
        `Another tool has changed the ${reward} score to ${told}; Renoir's own record of it, ${score}, is told.`,
      );
    }
    if (isFresh || told === undefined || told === score) scores.set(reward, score);
  }
  return { scores, warnings };
}

function chunkScores(carriers: readonly Carrier[]): [string, number][] {
  return carriers.flatMap(({ kind, keyword, text }): [string, number][] => {
    const reward = kind === "tEXt" || kind === "iTXt" ? rewardOf(keyword) : null;
    const score = reward === null ? null : scoreValue(text);
    return score === null ? [] : [[reward!, score]];
  });
}

/** Another image of the same name may have left the text: it counts only where it tells of the same prompt. */
function sidecarScores({ infotext }: Sidecars, reading: Reading | null): Iterable<[string, number]> {
  if (infotext === null || !hasParameterLine(infotext)) return [];
  const beside = readInfotext(infotext);
  return reading === null || beside.prompt === reading.prompt ? beside.scores : [];
}

async function readImageFile(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new MetadataError(`${file} can not be read: ${(cause as Error).message}.`, {
      hint: "Check the path, and that the file may be read.",
      cause,
    });
  }
}

function notAnImage(file: string, bytes: Uint8Array): MetadataError {
  const what =
    bytes.length === 0 ? "is empty" : "does not begin as a PNG, JPEG, WebP, AVIF, HEIF, GIF or JPEG XL file does";
  return new MetadataError(`${file} ${what}, so no scores were written.`, {
    hint: "Check that the file is whole and an image.",
  });
}
