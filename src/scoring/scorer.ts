// Scores any number of pictures in constant memory: while the model works on one batch, the next pictures are read and decoded.

import { RenoirError, RequestError, SystemError } from "../errors.ts";
import { decodeImage, type ImageInput } from "./decode.ts";
import { weightedTotal } from "./filter.ts";
import type { Lease, RewardRegistry, RewardSpec } from "./registry.ts";
import type { Prepared, Reward } from "./reward.ts";

/** What the scorer needs of a reward. */
export type ScoringReward = Pick<Reward, "name" | "dtype" | "prepare" | "score" | "unload">;

export interface Picture {
  /** Its path, or how to call it in messages. */
  readonly file: string;
  /** The picture itself, where it does not lie in the file. */
  readonly source?: ImageInput;
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
  /** The prompt of a picture that was given none. */
  readonly promptOf?: (picture: P) => Promise<string | undefined>;
  readonly batchSize?: number;
  readonly signal?: AbortSignal | undefined;
}

/** On a CPU larger batches gain nothing (1.03x at 8, measured), and smaller ones let Ctrl-C and progress come through. */
const defaultBatch = 4;
/** Pictures decoded at the same time: sharp's threads have work, and the largest pictures stay few. */
const decodedTogether = 3;

interface Ready<P> {
  readonly picture: P;
  readonly prompt: string;
  /** For each reward. */
  readonly prepared: readonly Prepared[];
}

/** The outcomes, in the order of the pictures. A picture that can not be scored is an outcome; a reward that can not be loaded throws. */
export async function* scoreAll<P extends Picture>(
  pictures: Iterable<P> | AsyncIterable<P>,
  options: ScoreOptions<P>,
): AsyncGenerator<Outcome<P>> {
  const size = options.batchSize ?? defaultBatch;
  // Nothing is loaded before a picture is there to be scored.
  let holding: Promise<Held[]> | undefined;
  const hold = () => {
    holding ??= holdAll(options);
    return holding;
  };
  const prepared = ahead(
    pictures,
    inTurns((picture: P) => prepare(picture, options, hold)),
    2 * size,
  );
  try {
    for await (const batch of inBatches(prepared, size)) {
      if (options.signal?.aborted) return;
      yield* await scoreBatch(batch, hold);
    }
  } catch (error) {
    throw error instanceof LoadFailure ? error.cause : error;
  } finally {
    for (const { lease } of (await holding?.catch(() => [])) ?? []) lease.release();
  }
}

export const isScored = <P extends Picture>(outcome: Outcome<P>): outcome is Scored<P> => "scores" in outcome;

const isReady = <P extends Picture>(item: Ready<P> | Failed<P>): item is Ready<P> => "prepared" in item;

/** The prompt of a picture, and its pixels as each reward wants them. */
async function prepare<P extends Picture>(
  picture: P,
  { promptOf }: ScoreOptions<P>,
  hold: () => Promise<Held[]>,
): Promise<Ready<P> | Failed<P>> {
  try {
    const prompt = picture.prompt ?? (await promptOf?.(picture));
    if (prompt === undefined) throw missingPrompt(picture.file); // an empty one is scored, as upstream does
    const image = await decodeImage(picture.source ?? picture.file);
    const prepared: Prepared[] = [];
    for (const { lease } of await hold()) prepared.push(await lease.reward.prepare(image));
    return { picture, prompt, prepared };
  } catch (error) {
    if (error instanceof LoadFailure) throw error;
    return { picture, error: itemError(error, picture.file) };
  }
}

const missingPrompt = (file: string) =>
  new RequestError(`${file} does not say which prompt it was made from, and none was given.`, {
    hint: 'Give one with --prompt "..."; a reward scores how well a picture fits its prompt.',
  });

/** Begins `work` on up to `count` items before their results are asked for; gives the results in order. */
async function* ahead<T, U>(
  items: Iterable<T> | AsyncIterable<T>,
  work: (item: T) => Promise<U>,
  count: number,
): AsyncGenerator<U> {
  const waiting: Promise<U>[] = [];
  for await (const item of items) {
    const result = work(item);
    result.catch(() => {}); // it is awaited below, or nobody wants it any more
    waiting.push(result);
    if (waiting.length >= count) yield await waiting.shift()!;
  }
  while (waiting.length > 0) yield await waiting.shift()!;
}

/** The same work, a few at a time, in the order asked for. */
function inTurns<T, U>(work: (item: T) => Promise<U>): (item: T) => Promise<U> {
  const lanes: Promise<unknown>[] = Array.from({ length: decodedTogether }, () => Promise.resolve());
  let next = 0;
  return (item) => {
    const lane = next++ % decodedTogether;
    const result = lanes[lane]!.then(() => work(item));
    lanes[lane] = result.catch(() => {});
    return result;
  };
}

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

/** Not one picture's failure but the run's; `cause` is the reason. */
class LoadFailure extends Error {}

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
    throw new LoadFailure("a reward could not be loaded", { cause: error });
  }
}

/** The outcomes of a batch. If it fails as a whole, each picture is tried alone, so that one can not spoil its neighbours. */
async function scoreBatch<P extends Picture>(
  batch: (Ready<P> | Failed<P>)[],
  hold: () => Promise<Held[]>,
): Promise<Outcome<P>[]> {
  const ready = batch.filter(isReady);
  const scored = ready.length === 0 ? [] : await scoreTogether(ready, await hold());
  const outcomes = new Map<unknown, Outcome<P>>(scored.map((outcome, index) => [ready[index], outcome]));
  return batch.map((item) => outcomes.get(item) ?? (item as Failed<P>));
}

async function scoreTogether<P extends Picture>(ready: Ready<P>[], held: Held[]): Promise<Outcome<P>[]> {
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
  const columns: { name: string; values: number[] }[] = [];
  for (const [index, { lease, name }] of held.entries()) {
    const images = ready.map(({ prepared }) => prepared[index]!);
    columns.push({ name, values: await lease.reward.score(prompt, images) });
  }
  const weights = Object.fromEntries(held.map(({ name, weight }) => [name, weight]));
  const approximate = held.some(({ lease }) => lease.reward.dtype !== "float32");
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
