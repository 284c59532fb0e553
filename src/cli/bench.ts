// `npm run bench`: how fast, how heavy and how exact scoring is, on this machine, in one run.
// Each case runs in a process of its own, so that memory and start-up are its own. With --torch upstream runs beside.

import { spawn } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { makePictures } from "./bench/pictures.ts";
import { writeRandomImageReward } from "./bench/randomImageReward.ts";
import { rankCorrelation, rootMeanSquareError, spread } from "./bench/statistics.ts";
import { upstreamScores } from "./bench/upstream.ts";
import type { WorkerResult, WorkerTask } from "./bench/worker.ts";

const usage = `Usage: npm run bench -- [--torch] [--pictures 24] [--threads N] [--out FILE] [--folder FOLDER]

  --torch     makes a Python environment and runs upstream's ImageReward beside (1 GB of downloads)
  --folder    where the 1.8 GB checkpoint and the pictures are kept; default: renoir-bench in the temporary folder
  --out       the figures as JSON; default: outputs/bench.json`;

interface Row {
  readonly what: string;
  readonly value: string;
  readonly target?: string;
}

export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      torch: { type: "boolean", default: false },
      pictures: { type: "string", default: "24" },
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
  const threads = Number(values.threads);
  const weights = join(values.folder, "ImageReward.pt");
  const pictures = join(values.folder, "pictures-1024");
  say("making the checkpoint (1.8 GB, once)");
  await writeRandomImageReward(weights, () => {});
  await makePictures(pictures, Number(values.pictures));
  const files = (await readdir(pictures))
    .sort()
    .slice(0, Number(values.pictures))
    .map((name) => join(pictures, name));
  const base = { weights, files, pictures, threads, home: values.folder };

  const peak = await work({ kind: "peak", threads });
  const runs: Record<string, WorkerResult> = {};
  const cases: Record<string, WorkerTask> = {
    "one prompt for all, in place": { kind: "score", ...base, prompts: "one" },
    "one prompt each, in place": { kind: "score", ...base, prompts: "each" },
    "one prompt for all, prepacked": { kind: "score", ...base, prompts: "one", prepack: true },
    "one prompt for all, int8": { kind: "score", ...base, prompts: "one", dtype: "int8" },
    "one prompt each, int8": { kind: "score", ...base, prompts: "each", dtype: "int8" },
  };
  for (const [name, task] of Object.entries(cases)) runs[name] = await work(task, name);
  const start = await coldStart(weights, files[0]!, values.folder);
  const upstream = values.torch ? await upstreamScores(base, say) : undefined;

  const exact = runs["one prompt each, in place"]!.scores;
  const rough = runs["one prompt each, int8"]!.scores;
  const rows: Row[] = [
    { what: "float32 GEMM peak of this machine", value: `${peak.gflops!.toFixed(0)} GFLOP/s` },
    ...Object.entries(runs).map(([what, run]) => ({
      what,
      value: `${run.imagesPerSecond!.toFixed(3)} pictures/s, load +${mb(run.loadRss! - run.emptyRss!)}, peak ${mb(run.peakRss!)}`,
    })),
    ...Object.entries(runs)
      .filter(([name]) => !name.includes("int8"))
      .map(([name, run]) => ({
        what: `share of the peak, ${name}`,
        value: percent((run.imagesPerSecond! * run.gflop!) / peak.gflops!),
        target: "85 %",
      })),
    {
      what: "process start to first score",
      value: `${start.map((ms) => (ms / 1000).toFixed(2)).join(", ")} s`,
      target: "3 s",
    },
    {
      what: "int8 error over spread, random weights at full size",
      value: percent(rootMeanSquareError(exact!, rough!) / spread(exact!)),
    },
    { what: "int8 rank correlation, likewise", value: rankCorrelation(exact!, rough!).toFixed(4) },
  ];
  if (upstream) {
    for (const prompts of ["one", "each"] as const) {
      const theirs = upstream[prompts].imagesPerSecond;
      const name = prompts === "one" ? "one prompt for all" : "one prompt each";
      rows.push({ what: `upstream, ${name}`, value: `${theirs.toFixed(3)} pictures/s` });
      for (const [form, target] of [
        ["in place", "1.25x"],
        ["prepacked", "1.25x"],
        ["int8", "3.5x"],
      ] as const) {
        const ours = runs[`${name}, ${form}`]?.imagesPerSecond;
        if (ours)
          rows.push({ what: `ratio to upstream, ${name}, ${form}`, value: `${(ours / theirs).toFixed(2)}x`, target });
      }
    }
    const apart = Math.max(...exact!.map((score, i) => Math.abs(score - upstream.each.scores[i]!)));
    rows.push({ what: "largest difference of a score from upstream's", value: apart.toExponential(1), target: "1e-4" });
  }
  print(rows);
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, memory: totalmem(), node: process.version };
  await mkdir(join(values.out, ".."), { recursive: true });
  await writeFile(values.out, `${JSON.stringify({ machine, peak, runs, start, upstream, rows }, null, 2)}\n`);
  say(`written to ${values.out}`);
  return 0;
}

const say = (text: string) => process.stderr.write(`${text}\n`);
const mb = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GB`;
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

function print(rows: readonly Row[]): void {
  const widths = [Math.max(...rows.map(({ what }) => what.length)), Math.max(...rows.map(({ value }) => value.length))];
  console.log(`| ${"what".padEnd(widths[0]!)} | ${"measured".padEnd(widths[1]!)} | target |`);
  console.log(`| ${"-".repeat(widths[0]!)} | ${"-".repeat(widths[1]!)} | ------ |`);
  for (const { what, value, target = "" } of rows) {
    console.log(`| ${what.padEnd(widths[0]!)} | ${value.padEnd(widths[1]!)} | ${target.padEnd(6)} |`);
  }
}

const beside = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/** Runs one case in a fresh process. */
function work(task: WorkerTask, name: string = task.kind): Promise<WorkerResult> {
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
async function coldStart(weights: string, file: string, home: string): Promise<number[]> {
  say("measuring: process start to first score");
  const times: number[] = [];
  for (let i = 0; i < 3; i++) {
    const from = performance.now();
    const args = [
      beside("../../bin/renoir.mjs"),
      "score",
      file,
      "--prompt",
      "a cat",
      "--reward",
      `imagereward@${weights}`,
      "--json",
    ];
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, RENOIR_HOME: home },
    });
    const line = await new Promise<string>((resolve) => {
      child.stdout.once("data", (data) => resolve(String(data)));
      child.once("close", () => resolve(""));
    });
    if (!line.includes("scores")) throw new Error(`renoir score printed ${JSON.stringify(line)} instead of a score.`);
    times.push(performance.now() - from);
    if (child.exitCode === null) await new Promise((resolve) => child.once("close", resolve));
  }
  return times;
}
