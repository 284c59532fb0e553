// Which rewards and pipelines there are, where each one lies, and how to get it there.

import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { RenoirError, RequestError } from "../errors.ts";
import { builtInPipeline, loadPipeline } from "../reno/loadPipeline.ts";
import { download, type Progress } from "../scoring/download.ts";
import { rewards } from "../scoring/loadReward.ts";
import { locate, sourceOf, sources } from "../scoring/sources.ts";
import { addStored, listStored, modelFolder, type StoredModel } from "../scoring/store.ts";
import { openCheckpoint } from "../weights/checkpoint.ts";

export interface ModelReport {
  readonly name: string;
  /** A reward scores pictures, a pipeline makes them. */
  readonly kind: "reward" | "pipeline";
  /** ready: it can be opened; absent: no checkpoint is known; missing: its file has gone; damaged: it can not be opened. */
  readonly state: "ready" | "absent" | "missing" | "damaged";
  readonly builtIn: boolean;
  readonly path?: string | undefined;
  readonly size?: number | undefined;
  readonly license?: string | undefined;
  readonly source?: string | undefined;
  /** Why it is not ready, and what to do. */
  readonly problem?: string | undefined;
}

interface Place {
  readonly path: string;
  readonly builtIn: boolean;
  readonly license?: string | undefined;
  readonly source?: string | undefined;
}

/** Every reward Renoir knows and every pipeline that was added, and the state of each. */
export async function reportModels(home?: string): Promise<ModelReport[]> {
  const stored = await listStored(home);
  const pipelines = stored.filter(({ name }) => !Object.hasOwn(rewards, name));
  return Promise.all([
    ...Object.keys(rewards).map((name) => report(name, placeOf(name, stored))),
    reportPipeline(builtInPipeline.name, { ...ours, path: builtInPipeline.path }),
    ...pipelines.map((model) => reportPipeline(model.name, { ...model, builtIn: false })),
  ]);
}

/** Of what comes with Renoir. */
const ours = { builtIn: true, license: "Apache-2.0", source: "renoir" };

function placeOf(name: string, stored: readonly StoredModel[]): Place | undefined {
  const builtIn = rewards[name]?.builtIn;
  if (builtIn) return { ...ours, path: builtIn.weights };
  const model = stored.find((model) => model.name === name);
  return model && { ...model, builtIn: false };
}

async function report(name: string, place: Place | undefined): Promise<ModelReport> {
  return place ? reportAt({ name, kind: "reward" }, place, () => openCheckpoint(place.path)) : absent(name);
}

/** Ready means that every tensor is there; nothing of them is read. */
const reportPipeline = (name: string, place: Place): Promise<ModelReport> =>
  reportAt({ name, kind: "pipeline" }, place, () => loadPipeline(place.path));

async function reportAt(
  what: Pick<ModelReport, "name" | "kind">,
  { path, builtIn, license, source }: Place,
  open: () => Promise<unknown>,
): Promise<ModelReport> {
  const facts = { ...what, builtIn, path, license, source };
  const size = await sizeOf(path).catch(() => undefined);
  if (size === undefined) return { ...facts, state: "missing", problem: `${path} is no longer there.` };
  try {
    await open();
    return { ...facts, size, state: "ready" };
  } catch (error) {
    return { ...facts, size, state: "damaged", problem: sentence(error as Error) };
  }
}

/** Of a file, or of all files in a folder. */
async function sizeOf(path: string): Promise<number> {
  const found = await stat(path); // what links lead to: a hub cache is made of them
  if (!found.isDirectory()) return found.size;
  const sizes = await Promise.all((await readdir(path)).map((name) => sizeOf(join(path, name))));
  return sizes.reduce((total, size) => total + size, 0);
}

function absent(name: string): ModelReport {
  const source = sources[name];
  const ways = [...(source ? [`\`renoir models pull ${name}\``] : []), `\`renoir models add ${name} PATH\``];
  const problem = `No checkpoint yet: ${ways.join(" fetches it, ")} names one you have.`;
  return {
    name,
    kind: "reward",
    builtIn: false,
    state: "absent",
    license: source?.license,
    source: source?.repo,
    problem,
  };
}

const sentence = (error: Error) =>
  error instanceof RenoirError && error.hint ? `${error.message} ${error.hint}` : error.message;

/** Gives a reward its checkpoint, or a pipeline its name, after opening it. */
export async function addModel(name: string, path: string, home?: string): Promise<ModelReport> {
  if (!Object.hasOwn(rewards, name.toLowerCase())) return addPipeline(name, path, home);
  const known = nameOfReward(name);
  const checkpoint = await openCheckpoint(path);
  const { license } = sources[known] ?? {};
  return report(known, { ...(await addStored({ name: known, path: checkpoint.path, license }, home)), builtIn: false });
}

async function addPipeline(name: string, path: string, home?: string): Promise<ModelReport> {
  const pipeline = await loadPipeline(resolve(path)).catch((error: Error) => {
    throw new RequestError(
      `There is no reward "${name}", and ${path} is no model that draws pictures: ${error.message}`,
      { hint: (error as RenoirError).hint ?? "Give a diffusers folder or a single-file checkpoint.", cause: error },
    );
  });
  const stored = await addStored({ name, path: pipeline.path }, home);
  return reportPipeline(stored.name, { ...stored, builtIn: false });
}

/** A name whose checkpoint can be chosen: unknown names would be stored and never used. */
function nameOfReward(name: string): string {
  const wanted = name.toLowerCase();
  const reward = Object.hasOwn(rewards, wanted) ? rewards[wanted] : undefined;
  const open = Object.keys(rewards).filter((key) => !rewards[key]!.builtIn);
  if (reward && !reward.builtIn) return wanted;
  throw new RequestError(
    reward ? `"${name}" is built in and has its checkpoint already.` : `There is no reward "${name}".`,
    { hint: `A checkpoint can be added for ${open.join(", ")}.` },
  );
}

export interface PullOptions {
  readonly home?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly pauseMs?: number | undefined;
}

/** Fetches a reward's checkpoint from where it is published, checks it, and adds it. */
export async function pullModel(name: string, { home, ...options }: PullOptions = {}): Promise<ModelReport> {
  const source = sourceOf(name);
  const known = nameOfReward(name);
  const path = join(modelFolder(known, home), source.file);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const sha256 = await download(await locate(source), path, given);
  await openCheckpoint(path);
  const facts = { license: source.license, source: source.repo, sha256, pulled: true };
  return report(known, { ...(await addStored({ name: known, path, ...facts }, home)), builtIn: false });
}
