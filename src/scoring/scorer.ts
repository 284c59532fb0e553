// Scores any number of pictures in constant memory: while the model works on one batch, the next pictures are read and decoded.

import { RenoirError, RequestError, SystemError } from "../errors.ts";
import { weightedTotal } from "./filter.ts";
import type { Lease, LoadedReward, RewardRegistry, RewardSpec } from "./registry.ts";

/** Decoded 8-bit pixels, row by row. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/** What the scorer needs of a reward. */
export interface ScoringReward extends LoadedReward {
  score(prompt: string | string[], images: Pixels[]): Promise<number[]>;
}

export interface Picture {
  /** Its path, or how to call it in messages. */
  readonly file: string;
  /** Without one, `promptOf` is asked. */
  readonly prompt?: string | undefined;
}

export interface Scored<P extends Picture = Picture> {
  readonly picture: P;
  readonly prompt: string;
  /** By the rewards' display names. */
  readonly scores: Record<string, number>;
  /** What ranks and filters: Σ weight · score. */
  readonly total: number;
  /** The scores come from fewer bits than the published ones. */
  readonly approximate: boolean;
}

export interface Failed<P extends Picture = Picture> {
  readonly picture: P;
  readonly error: RenoirError;
}

export type Outcome<P extends Picture = Picture> = Scored<P> | Failed<P>;

export interface ScoreOptions<P extends Picture> {
  readonly rewards: readonly { readonly spec: RewardSpec; readonly weight: number }[];
  readonly registry: RewardRegistry<ScoringReward>;
  readonly decode: (picture: P) => Promise<Pixels>;
  /** The prompt of a picture that was given none. */
  readonly promptOf?: (picture: P) => Promise<string | undefined>;
  readonly batchSize?: number;
  readonly signal?: AbortSignal | undefined;
}

/** On a CPU larger batches gain nothing (1.03x at 8, measured), and smaller ones let Ctrl-C and progress come through. */
const defaultBatch = 4;
/** Decoded pixels that may wait: some five pictures of 4096 x 4096, or all that is prepared ahead of ordinary ones. */
const waitingBytes = 256 * 2 ** 20;

interface Ready<P> {
  readonly picture: P;
  readonly prompt: string;
  readonly pixels: Pixels;
}

/** The outcomes, in the order of the pictures. A picture that can not be scored is an outcome; a reward that can not be loaded throws. */
export async function* scoreAll<P extends Picture>(
  pictures: Iterable<P> | AsyncIterable<P>,
  options: ScoreOptions<P>,
): AsyncGenerator<Outcome<P>> {
  const size = options.batchSize ?? defaultBatch;
  const prepared = ahead(pictures, (picture) => prepare(picture, options), size, options.signal);
  let held: Held[] = [];
  try {
    for await (const batch of inBatches(prepared, size)) {
      if (options.signal?.aborted) return;
      if (held.length === 0 && batch.some(isReady)) held = await holdAll(options);
      yield* await scoreBatch(batch, held);
    }
  } finally {
    for (const { lease } of held) lease.release();
  }
}

export const isScored = <P extends Picture>(outcome: Outcome<P>): outcome is Scored<P> => "scores" in outcome;

const isReady = <P extends Picture>(item: Ready<P> | Failed<P>): item is Ready<P> => "pixels" in item;

/** The prompt and the pixels of a picture. Never rejects: nobody may be waiting for it any more. */
async function prepare<P extends Picture>(
  picture: P,
  { decode, promptOf }: ScoreOptions<P>,
): Promise<Ready<P> | Failed<P>> {
  try {
    const prompt = (picture.prompt ?? (await promptOf?.(picture)))?.trim();
    if (!prompt) throw missingPrompt(picture.file);
    return { picture, prompt, pixels: await decode(picture) };
  } catch (error) {
    return { picture, error: itemError(error, picture.file) };
  }
}

const missingPrompt = (file: string) =>
  new RequestError(`${file} does not say which prompt it was made from, and none was given.`, {
    hint: 'Give one with --prompt "..."; a reward scores how well a picture fits its prompt.',
  });

/** Runs `prepare` on up to twice `size` items before they are asked for, in order, and on fewer while those that wait are large. */
async function* ahead<P extends Picture>(
  items: Iterable<P> | AsyncIterable<P>,
  prepare: (item: P) => Promise<Ready<P> | Failed<P>>,
  size: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Ready<P> | Failed<P>> {
  const waiting: Promise<Ready<P> | Failed<P>>[] = [];
  let bytes = 0;
  const begin = async (item: P) => {
    const ready = await prepare(item);
    bytes += bytesOf(ready);
    return ready;
  };
  const take = async () => {
    const ready = await waiting.shift()!;
    bytes -= bytesOf(ready);
    return ready;
  };
  for await (const item of items) {
    if (signal?.aborted) return;
    waiting.push(begin(item));
    while (waiting.length >= 2 * size || (waiting.length > 0 && bytes > waitingBytes)) yield await take();
  }
  while (waiting.length > 0) yield await take();
}

const bytesOf = <P extends Picture>(item: Ready<P> | Failed<P>) => (isReady(item) ? item.pixels.data.byteLength : 0);

async function* inBatches<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** A leased reward, the name under which its scores stand, and its share in the total. */
interface Held {
  readonly lease: Lease<ScoringReward>;
  readonly name: string;
  readonly weight: number;
}

async function holdAll<P extends Picture>({ rewards, registry }: ScoreOptions<P>): Promise<Held[]> {
  const held: Held[] = [];
  try {
    for (const { spec, weight } of rewards) {
      const lease = await registry.lease(spec);
      // Two checkpoints of one architecture have one display name; the second stands under the name it was asked for by.
      const taken = held.some(({ name }) => name === lease.reward.name);
      held.push({ lease, name: taken ? spec.name : lease.reward.name, weight });
    }
    return held;
  } catch (error) {
    for (const { lease } of held) lease.release();
    throw error;
  }
}

/** The outcomes of a batch. If it fails as a whole, each picture is tried alone, so that one can not spoil its neighbours. */
async function scoreBatch<P extends Picture>(batch: (Ready<P> | Failed<P>)[], held: Held[]): Promise<Outcome<P>[]> {
  const ready = batch.filter(isReady);
  const outcomes = new Map<Ready<P> | Failed<P>, Outcome<P>>();
  for (const [index, outcome] of (await scoreTogether(ready, held)).entries()) outcomes.set(ready[index]!, outcome);
  return batch.map((item) => outcomes.get(item) ?? (item as Failed<P>));
}

async function scoreTogether<P extends Picture>(ready: Ready<P>[], held: Held[]): Promise<Outcome<P>[]> {
  if (ready.length === 0) return [];
  try {
    return await scoreReady(ready, held);
  } catch (error) {
    const [only] = ready;
    if (ready.length === 1) return [{ picture: only!.picture, error: itemError(error, only!.picture.file) }];
    const outcomes: Outcome<P>[] = [];
    for (const one of ready) outcomes.push(...(await scoreTogether([one], held)));
    return outcomes;
  }
}

async function scoreReady<P extends Picture>(ready: Ready<P>[], held: Held[]): Promise<Outcome<P>[]> {
  const prompts = ready.map(({ prompt }) => prompt);
  // One string for one prompt: the reward then reads the text once, not once for each picture.
  const prompt = prompts.every((other) => other === prompts[0]) ? prompts[0]! : prompts;
  const images = ready.map(({ pixels }) => pixels);
  const columns: { name: string; values: number[] }[] = [];
  for (const { lease, name } of held) columns.push({ name, values: await lease.reward.score(prompt, images) });
  const weights = Object.fromEntries(held.map(({ name, weight }) => [name, weight]));
  const approximate = held.some(({ lease }) => lease.reward.dtype === "int8");
  return ready.map(({ picture, prompt }, index) => {
    const scores = Object.fromEntries(columns.map(({ name, values }) => [name, values[index] ?? Number.NaN]));
    const unreal = Object.entries(scores).find(([, score]) => !Number.isFinite(score));
    if (unreal) return { picture, error: unrealScore(picture.file, unreal) };
    return { picture, prompt, scores, total: weightedTotal(scores, weights), approximate };
  });
}

const unrealScore = (file: string, [name, score]: [string, number]) =>
  new SystemError(`${name} gave ${file} the score ${score}; wanted is a number.`, {
    hint: 'Its checkpoint may be damaged, or the provider at fault: try "--provider cpu".',
  });

/** What the operating system's codes mean to the reader. */
const systemReasons: Record<string, { what: string; hint: string }> = {
  ENOENT: { what: "is not there", hint: "Check the path; the file may have been moved since." },
  EACCES: { what: "may not be read by this user", hint: "Change the file's permissions." },
  EPERM: { what: "may not be changed by this user", hint: "Change the file's permissions." },
  EISDIR: { what: "is a folder where a picture was wanted", hint: "Name the pictures in it." },
  ENOSPC: { what: "does not fit on the disk, which is full", hint: "Make room and run it again." },
  EROFS: { what: "lies on a read-only disk", hint: "Copy it to a folder that can be written." },
};

/** Any failure as one of ours, about that file. */
export function itemError(error: unknown, file: string): RenoirError {
  if (error instanceof RenoirError) return error;
  const known = systemReasons[(error as NodeJS.ErrnoException)?.code ?? ""];
  if (known) return new SystemError(`${file} ${known.what}.`, { hint: known.hint, cause: error });
  const message = error instanceof Error ? error.message : String(error);
  return new SystemError(`${file} can not be handled: ${message}.`, { cause: error });
}
