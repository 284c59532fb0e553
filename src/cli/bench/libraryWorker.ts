// The library over many pictures, in a process of its own: takes a task as JSON, prints its figures as JSON.

import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { setImmediate as breathe, setTimeout as wait } from "node:timers/promises";
import { libraryQuery } from "../../server/api/library.ts";
import { openDatabase } from "../../server/database.ts";
import { Library } from "../../server/library/library.ts";
import { silentLog } from "../../server/log.ts";

export interface LibraryTask {
  readonly home: string;
  readonly pictures: string;
  /** How often each query is asked. */
  readonly rounds: number;
}

/** Milliseconds of one kind of work: the middle, the 95th percentile, the longest. */
export interface Times {
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
  /** Of processor time, the 95th percentile: what it would be if nothing else ran. */
  readonly processor?: number;
}

export interface LibraryResult {
  readonly pictures: number;
  readonly scanSeconds: number;
  readonly againSeconds: number;
  readonly pageWhileScanning: Times;
  readonly loopWhileScanning: Times;
  readonly firstPage: Times;
  readonly queries: Record<string, Times>;
  readonly loopWhileAsking: Times;
  readonly exportSeconds: number;
  readonly loopWhileExporting: Times;
  readonly changesPerSecond: Record<string, number>;
  readonly loopWhileChanging: Times;
  readonly openMs: number;
  readonly emptyRss: number;
  readonly peakRss: number;
  readonly restRss: number;
  readonly databaseBytes: number;
}

/** What people ask for: filters of every kind, by every order. */
const questions: Record<string, Record<string, unknown>> = {
  "by score": { sort: "-score" },
  "by prompt": { sort: "prompt" },
  "by seed": { sort: "seed" },
  "a score range by date": { scores: ["ImageReward:0.5..2"] },
  "two score ranges by score": { scores: ["ImageReward:0..1", "Shapes:..0"], sort: "-score" },
  "weak by score": { bucket: ["weak"], sort: "score" },
  "great and unscored by name": { bucket: ["great", "unscored"], sort: "name" },
  "a common word by score": { text: "detailed", sort: "-score" },
  "three words by size": { text: "red fox snow", sort: "-size" },
  "the beginning of a word by date": { text: "li" },
  "a phrase without a word by score": { text: '"oil painting" -fox', sort: "-score" },
  "a host and a word by score": { host: ["comfyui"], text: "fox", sort: "-score" },
  "a rare host by prompt": { host: ["nobody"], sort: "prompt" },
  "a date range by model": { from: "2020-01-01", to: "2035-01-01", sort: "model" },
  "a range, a bucket, a word and a model by score": {
    ...{ scores: ["ImageReward:-0.5.."], bucket: ["ok", "great"], text: "light", model: ["dreamshaper_8"] },
    sort: "-score",
  },
};

async function measure({ home, pictures, rounds }: LibraryTask): Promise<LibraryResult> {
  await rm(home, { recursive: true, force: true });
  const emptyRss = process.memoryUsage.rss();
  let peakRss = 0;
  const watchRss = setInterval(() => {
    peakRss = Math.max(peakRss, process.memoryUsage.rss());
  }, 100);
  const file = join(home, "renoir.db");
  const settings = { get: () => ({ rewards: ["imagereward"], limits: { ImageReward: { weak: 0, great: 1 } } }) };
  const open = () => Library.open({ home, database: openDatabase(file), settings, log: silentLog(), demo: null });
  let library = await open();
  await library.addFolder(pictures, false);
  const scan = await scanning(library);
  const again = await seconds(() => library.scan());
  await scoreAll(library);
  const firstPage = await times(rounds * 10, () => void library.page(ask({})), library);
  const [queries, loopWhileAsking] = await withLoop(() => askAll(library, rounds));
  const [exportSeconds, loopWhileExporting] = await withLoop(() => seconds(() => drain(library)));
  const [changesPerSecond, loopWhileChanging] = await withLoop(() => change(library));
  await library.close();
  const from = performance.now();
  library = await open();
  const openMs = performance.now() - from;
  globalThis.gc?.();
  clearInterval(watchRss);
  const result: LibraryResult = {
    pictures: library.page(ask({})).total,
    ...scan,
    againSeconds: again,
    firstPage,
    queries,
    loopWhileAsking,
    exportSeconds,
    loopWhileExporting,
    changesPerSecond,
    loopWhileChanging,
    openMs,
    emptyRss,
    peakRss,
    restRss: process.memoryUsage.rss(),
    databaseBytes: await sizeOf(home),
  };
  await library.close();
  return result;
}

const ask = (query: Record<string, unknown>) => libraryQuery.parse(query);

/** Looks through the folder for the first time, while someone looks at the first page ten times a second. */
async function scanning(library: Library) {
  const asked: number[] = [];
  const timer = setInterval(() => {
    const from = performance.now();
    library.page(ask({ sort: "-date" }));
    asked.push(performance.now() - from);
  }, 100);
  const [scanSeconds, loopWhileScanning] = await withLoop(() => seconds(() => library.scan()));
  clearInterval(timer);
  return { scanSeconds, loopWhileScanning, pageWhileScanning: spreadOf(asked) };
}

/** As scores of a model are spread; one picture in ten has none. */
async function scoreAll(library: Library): Promise<void> {
  const ids = library.wanting(["imagereward"]);
  for (const [n, id] of ids.entries()) {
    if (n % 10 === 9) continue;
    const scores = { ImageReward: Math.sin(n * 12.9898) * 2, Shapes: Math.cos(n * 78.233) * 2 };
    const entries = Object.entries(scores).map(([reward, score]) => ({
      reward,
      score,
      version: "1",
      approximate: false,
    }));
    library.recordScores(id, entries);
    if (n % 100 === 0) await breathe();
  }
}

async function askAll(library: Library, rounds: number): Promise<Record<string, Times>> {
  const found: Record<string, Times> = {};
  for (const [name, query] of Object.entries(questions)) {
    found[name] = await times(rounds, () => void library.page(ask(query)), library);
  }
  found["histogram of all"] = await times(rounds, () => void library.histogram({ bins: 40 }), library);
  found["histogram of a word"] = await times(rounds, () => void library.histogram({ bins: 40, text: "fox" }), library);
  found["names to filter by"] = await times(rounds, () => void library.facets(), library);
  return found;
}

/** A score between two questions, so that nothing is answered from what was counted before. */
async function times(rounds: number, work: () => void, library: Library): Promise<Times> {
  const { id } = library.page(ask({ limit: 1 })).items[0]!;
  const found: number[] = [];
  const busy: number[] = [];
  for (let i = 0; i < rounds; i++) {
    library.recordScores(id, [{ reward: "ImageReward", score: 0.5, version: "1", approximate: false }]);
    await breathe();
    const [from, used] = [performance.now(), process.cpuUsage()];
    work();
    const { user, system } = process.cpuUsage(used);
    found.push(performance.now() - from);
    busy.push((user + system) / 1000);
    await breathe();
  }
  return { ...spreadOf(found), processor: spreadOf(busy).p95 };
}

async function drain(library: Library): Promise<void> {
  for await (const _ of library.exportRows({ format: "csv", sort: "-score" })) await breathe();
}

/** A thousand pictures each. */
async function change(library: Library): Promise<Record<string, number>> {
  const ids = library.page(ask({ sort: "-score", limit: 1000 })).items.map(({ id }) => id);
  const rate = async (work: () => Promise<unknown>) => ids.length / (await seconds(work));
  return {
    write: await rate(() => library.change({ ids, action: "write" })),
    "undo of write": await rate(() => library.undo()),
    delete: await rate(() => library.delete({ ids })),
    "undo of delete": await rate(() => library.undo()),
  };
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return (performance.now() - from) / 1000;
}

const RESOLUTION_MS = 5;

async function withLoop<T>(work: () => Promise<T>): Promise<[T, Times]> {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  const result = await work();
  await wait(2 * RESOLUTION_MS);
  delays.disable();
  return [result, loopTimes(delays)];
}

/** Beyond the timer's own interval. */
function loopTimes(delays: IntervalHistogram): Times {
  const beyond = (ns: number) => Math.max(0, ns / 1e6 - RESOLUTION_MS);
  return { p50: beyond(delays.percentile(50)), p95: beyond(delays.percentile(95)), max: beyond(delays.max) };
}

function spreadOf(found: readonly number[]): Times {
  const sorted = found.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { p50: at(0.5), p95: at(0.95), max: sorted.at(-1) ?? 0 };
}

async function sizeOf(home: string): Promise<number> {
  const names = (await readdir(home)).filter((name) => name.startsWith("renoir.db"));
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(home, name))).size));
  return sizes.reduce((a, b) => a + b, 0);
}

console.log(JSON.stringify(await measure(JSON.parse(process.argv[2]!) as LibraryTask)));
