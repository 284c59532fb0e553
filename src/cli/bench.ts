// `npm run bench`: how fast, how heavy and how exact scoring is, on this machine, in one run.
// Each case runs in a process of its own, so that memory and start-up are its own. With --torch upstream runs beside.

import { spawn } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type PlanName, planNames } from "../reno/memoryPlan.ts";
import { builtInScores } from "./bench/builtIn.ts";
import { gatewayRows, measureGateway } from "./bench/gateway.ts";
import { libraryRows, measureLibrary } from "./bench/library.ts";
import { makePictures } from "./bench/pictures.ts";
import { writeRandomImageReward } from "./bench/randomImageReward.ts";
import { measureReno, type RenoFigures, renoRows } from "./bench/reno.ts";
import { measureServer, serverRows } from "./bench/server.ts";
import { printTable, type Runs, tableOf } from "./bench/table.ts";
import { upstreamScores } from "./bench/upstream.ts";
import type { ScoreTask, WorkerResult, WorkerTask } from "./bench/worker.ts";

const usage = `Usage: npm run bench -- [--only scoring|reno|library|server|gateway] [--torch] [--pictures 24] [--size N]... [--plan NAME]... [--threads N]
                       [--seconds 120] [--out FILE] [--folder FOLDER]

  --only      scoring, or reno: ReNO's iteration at SD-Turbo's real sizes, up to 19 GB of memory, or library: 50,000 small
              pictures scanned, filtered, sorted, changed, or server: 100 clients scoring and 20 sockets watching a refine;
              default: scoring
              gateway: what it adds to the answers of a WebUI
  --pictures  how many; default: 24, with library 50000
  --seconds   with server: for how long; default: 120
  --torch     makes a Python environment and runs upstream beside (1 GB of downloads)
  --size      with reno: 256, 512 or any multiple of 64; default: 256 and 512
  --plan      with reno: whole, recompute, segments; default: all of them at 256, and all but whole above
  --folder    where the checkpoints (1.8 GB, with reno 7.1 GB) and pictures are kept; default: renoir-bench in the temporary folder
  --out       the figures as JSON; default: outputs/bench.json`;

export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string", default: "scoring" },
      size: { type: "string", multiple: true },
      plan: { type: "string", multiple: true },
      iterations: { type: "string", default: "2" },
      torch: { type: "boolean", default: false },
      pictures: { type: "string" },
      seconds: { type: "string", default: "120" },
      threads: { type: "string", default: String(cpus().length) },
      out: { type: "string", default: "outputs/bench.json" },
      folder: { type: "string", default: join(tmpdir(), "renoir-bench") },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  if (values.only === "reno") return benchReno(values);
  if (values.only === "library") return benchLibrary(values);
  if (values.only === "gateway") return benchGateway(values.out);
  if (values.only === "server") return benchServer(values);
  const base = await prepare(values.folder, Number(values.pictures ?? 24), Number(values.threads));
  const peak = await work({ kind: "peak", threads: base.threads }, "the machine's float32 peak");
  const runs = await scoreAll(base);
  const start = await coldStarts(base.weights, base.files[0]!, base.home);
  const builtIn = await builtInScores(base.threads);
  const upstream = values.torch ? await upstreamScores(base, say) : undefined;
  const rows = tableOf({ peak: peak.gflops!, runs, start, builtIn, upstream });
  printTable(rows);
  await store(values.out, { peak, runs, start, builtIn, upstream, rows });
  return 0;
}

interface RenoFlags {
  readonly folder: string;
  readonly out: string;
  readonly threads: string;
  readonly iterations: string;
  readonly torch: boolean;
  readonly size?: string[] | undefined;
  readonly plan?: string[] | undefined;
}

async function benchReno({ folder, out, size, plan, ...flags }: RenoFlags): Promise<number> {
  const imageReward = join(folder, "ImageReward.pt");
  const threads = Number(flags.threads);
  await writeRandomImageReward(imageReward, () => {});
  const { gflops } = await work({ kind: "peak", threads }, "the machine's float32 peak");
  const figures: RenoFigures = { ours: {}, upstream: {} };
  for (const each of (size ?? ["256", "512"]).map(Number)) {
    const plans = (plan ?? planNames.filter((name) => name !== "whole" || each <= 256)) as PlanName[];
    const rest = { threads, sizes: [each], plans, iterations: Number(flags.iterations), torch: flags.torch, say };
    const { ours, upstream } = await measureReno({ home: folder, imageReward, ...rest });
    Object.assign(figures.ours, ours);
    Object.assign(figures.upstream, upstream);
  }
  await store(out, figures); // minutes of measuring, whatever becomes of the table
  const rows = [
    { what: "float32 matrix product, this machine's best", value: `${gflops!.toFixed(0)} GFLOP/s` },
    ...renoRows(figures, gflops!),
  ];
  printTable(rows);
  await store(out, { ...figures, rows });
  return 0;
}

async function benchLibrary(flags: { folder: string; out: string; pictures?: string | undefined }): Promise<number> {
  const figures = await measureLibrary({
    folder: flags.folder,
    count: Number(flags.pictures ?? 50_000),
    rounds: 20,
    say,
  });
  const rows = libraryRows(figures);
  printTable(rows);
  await store(flags.out, { figures, rows });
  return 0;
}

async function benchServer(flags: { folder: string; out: string; seconds: string }): Promise<number> {
  const seconds = Number(flags.seconds);
  const figures = await measureServer({ folder: flags.folder, seconds, clients: 100, watchers: 20, say });
  const rows = serverRows(figures);
  printTable(rows);
  for (const error of new Set(figures.errors)) say(error);
  await store(flags.out, { ...figures, rows });
  return figures.errors.length === 0 ? 0 : 1;
}

async function benchGateway(out: string): Promise<number> {
  const figures = await measureGateway({ say });
  const rows = gatewayRows(figures);
  printTable(rows);
  await store(out, { figures, rows });
  return 0;
}

async function store(out: string, figures: object): Promise<void> {
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, memory: totalmem(), node: process.version };
  await mkdir(dirname(out), { recursive: true });
  await writeFile(out, `${JSON.stringify({ machine, ...figures }, null, 2)}\n`);
  say(`written to ${out}`);
}

const say = (text: string) => process.stderr.write(`${text}\n`);

/** The checkpoint and as many pictures as are asked for, made where they are not there yet. */
async function prepare(home: string, count: number, threads: number) {
  const weights = join(home, "ImageReward.pt");
  const pictures = join(home, `pictures-${count}`);
  say("making the checkpoint (1.8 GB) and the pictures, once");
  await writeRandomImageReward(weights, () => {});
  await makePictures(pictures, count);
  const files = (await readdir(pictures)).sort().map((name) => join(pictures, name));
  return { weights, pictures, files, threads, home };
}

async function scoreAll(base: Omit<ScoreTask, "kind" | "prompts">): Promise<Runs> {
  const runs: Runs = {};
  for (const prompts of ["one", "each"] as const) {
    const task = { kind: "score", ...base, prompts } as const;
    const name = prompts === "one" ? "one prompt for all" : "one prompt each";
    runs[`${name}, in place`] = await work(task, `${name}, in place`);
    runs[`${name}, prepacked`] = await work({ ...task, prepack: true }, `${name}, prepacked`);
    runs[`${name}, int8`] = await work({ ...task, dtype: "int8" }, `${name}, int8`);
  }
  return runs;
}

const beside = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/** Runs one case in a fresh process. */
function work(task: WorkerTask, name: string): Promise<WorkerResult> {
  say(`measuring: ${name}`);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [beside("./bench/worker.js"), JSON.stringify(task)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const parts: Buffer[] = [];
    child.stdout.on("data", (part) => parts.push(part));
    child.on("close", (code) => {
      if (code === 0) resolve(JSON.parse(Buffer.concat(parts).toString()) as WorkerResult);
      else reject(new Error(`The case "${name}" ended with status ${code}.`));
    });
  });
}

/** Milliseconds from starting `renoir score` to its first line, three times, the checkpoint in the page cache. */
async function coldStarts(weights: string, file: string, home: string): Promise<number[]> {
  say("measuring: process start to first score");
  const times: number[] = [];
  for (let i = 0; i < 3; i++) times.push(await coldStart(weights, file, home));
  return times;
}

async function coldStart(weights: string, file: string, home: string): Promise<number> {
  const from = performance.now();
  const args = ["score", file, "--prompt", "a cat", "--reward", `imagereward@${weights}`, "--json"];
  const child = spawn(process.execPath, [beside("../../bin/renoir.mjs"), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, RENOIR_HOME: home },
  });
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const line = await Promise.race([
    new Promise<string>((resolve) => child.stdout.once("data", (data) => resolve(String(data)))),
    closed.then(() => ""),
  ]);
  const took = performance.now() - from;
  if (!line.includes("scores")) throw new Error(`renoir score printed ${JSON.stringify(line)} instead of a score.`);
  await closed;
  return took;
}
