// `renoir models`: which rewards and pipelines there are, where each one lies, and how to get it there.

import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { RenoirError, RequestError } from "../errors.ts";
import { builtInPipeline, loadPipeline } from "../reno/loadPipeline.ts";
import { download, gigabytes, type Progress } from "../scoring/download.ts";
import { rewards } from "../scoring/loadReward.ts";
import { locate, sourceOf, sources } from "../scoring/sources.ts";
import { addStored, listStored, modelFolder, removeStored, type StoredModel } from "../scoring/store.ts";
import { openCheckpoint } from "../weights/checkpoint.ts";
import { watchInterrupts } from "./interrupt.ts";
import { jsonLine } from "./output.ts";
import { duration } from "./progress.ts";

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

// ---- the command

export function registerModels(program: Command): void {
  const models = program
    .command("models")
    .description("rewards and pipelines, where each one lies, its size and licence, and whether it can be opened")
    .addHelpText("after", "\nExample:\n  renoir models\n  renoir models pull imagereward\n");
  models
    .command("list", { isDefault: true })
    .description("all rewards and pipelines")
    .option("--json", "one JSON object a line")
    .addHelpText("after", "\nExample:\n  renoir models list --json\n")
    .action(async ({ json }) => print(await reportModels(), json));
  models
    .command("add <name> <path>")
    .description("use a reward's checkpoint, or a model that draws pictures, that you have; it stays where it is")
    .option("--json", "one JSON object a line")
    .addHelpText(
      "after",
      "\nExample:\n  renoir models add imagereward ~/models/ImageReward.pt\n  renoir models add sd-turbo ~/models/sd_turbo.safetensors\n",
    )
    .action(async (name, path, { json }) => print([await addModel(name, path)], json));
  models
    .command("pull <name>")
    .description("fetch a checkpoint from where it is published; goes on where an earlier try broke off")
    .option("--json", "one JSON object a line")
    .addHelpText("after", "\nExample:\n  renoir models pull imagereward\n")
    .action(async (name, { json }) => print([await pullWithProgress(name)], json));
  models
    .command("remove <name>")
    .description("forget a checkpoint; its file is deleted only if `pull` fetched it")
    .option("--json", "one JSON object a line")
    .addHelpText("after", "\nExample:\n  renoir models remove imagereward\n")
    .action(async (name, { json }) => printRemoved(await removeStored(name), json));
}

/** Ctrl-C ends the download with what has arrived kept. */
async function pullWithProgress(name: string): Promise<ModelReport> {
  const line = progressLine(process.stderr);
  const { signal, release } = watchInterrupts(() => {});
  try {
    return await pullModel(name, { signal, onProgress: line.show });
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new RequestError("The download was stopped. What has arrived is kept.", {
      hint: "Run the same command again to go on.",
    });
  } finally {
    release();
    line.end();
  }
}

/** One line drawn anew on a terminal, a line for each tenth elsewhere. */
export function progressLine(stream: { isTTY?: boolean; write(text: string): unknown }) {
  let shown = Number.NEGATIVE_INFINITY;
  let tenth = -1;
  const show = (progress: Progress) => {
    const { received, total } = progress;
    const now = performance.now();
    if (stream.isTTY && (now - shown > 200 || received === total)) {
      shown = now;
      stream.write(`\r\u001b[K${describeProgress(progress)}`);
    } else if (!stream.isTTY && Math.floor((10 * received) / total) > tenth) {
      tenth = Math.floor((10 * received) / total);
      stream.write(`${describeProgress(progress)}\n`);
    }
  };
  const end = () => {
    if (stream.isTTY && shown > 0) stream.write("\n");
  };
  return { show, end };
}

/** "41 % of 1.79 GB, 12.3 MB/s, 1 min 25 s left" */
export function describeProgress({ received, total, rate, secondsLeft }: Progress): string {
  const percent = Math.floor((100 * received) / total);
  const left = Number.isFinite(secondsLeft) ? `, ${duration(secondsLeft)} left` : "";
  return `${percent} % of ${gigabytes(total)}, ${(rate / 1e6).toFixed(1)} MB/s${received < total ? left : ""}`;
}

function print(reports: readonly ModelReport[], json: boolean | undefined): void {
  for (const report of reports) process.stdout.write(json ? jsonLine(report) : `${describeModel(report)}\n`);
}

function describeModel({ name, kind, state, builtIn, path, size, license, source, problem }: ModelReport): string {
  const facts = [
    kind,
    builtIn ? "built in, a demo model" : source,
    size === undefined ? undefined : gigabytes(size),
    license,
  ].filter((fact) => fact !== undefined);
  const lines = [`${name.padEnd(12)} ${state.padEnd(8)} ${facts.join(", ")}`, path, problem];
  return lines.filter((line) => line !== undefined).join("\n    ");
}

function printRemoved({ name, path, deleted }: { name: string; path: string; deleted: boolean }, json?: boolean): void {
  const text = `${name} is no longer in the registry; ${path} was ${deleted ? "deleted" : "left where it is"}.`;
  process.stdout.write(json ? jsonLine({ name, path, deleted }) : `${text}\n`);
}
