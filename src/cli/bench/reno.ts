// ReNO's iteration at SD-Turbo's and ImageReward's real sizes: each memory plan in a process of its own, and upstream beside.

import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { memoryFree, type PlanName, planNames } from "../../reno/memoryPlan.ts";
import { loadBertTokenizer } from "../../scoring/bertTokenizer.ts";
import { writeRandomSdTurbo } from "./randomSdTurbo.ts";
import type { RenoResult, RenoTask } from "./renoWorker.ts";
import type { Row } from "./table.ts";
import { upstreamEnvironment } from "./upstream.ts";

const execute = promisify(execFile);
const root = fileURLToPath(new URL("../../../", import.meta.url));
const prompt = "A blue dog and a red cat on a green hill at noon";

export interface RenoOptions {
  /** Where the models are. */
  readonly home: string;
  readonly imageReward: string;
  readonly threads: number;
  readonly sizes: readonly number[];
  readonly plans: readonly PlanName[];
  readonly iterations: number;
  readonly torch: boolean;
  readonly say: (text: string) => void;
}

export interface UpstreamIteration {
  readonly seconds: number;
  readonly peakBytes: number;
  readonly loadSeconds: number;
  readonly losses: readonly number[];
  readonly gradientNorms: readonly number[];
}

/** By "256 whole" and the like; upstream's by its size. */
export interface RenoFigures {
  readonly ours: Record<string, RenoResult>;
  readonly upstream: Record<string, UpstreamIteration>;
}

export async function measureReno(options: RenoOptions): Promise<RenoFigures> {
  const { home, say, sizes, plans } = options;
  const folder = join(home, "sd-turbo");
  await writeRandomSdTurbo(folder, (file) => say(`making ${file}, once`));
  const figures: RenoFigures = { ours: {}, upstream: {} };
  for (const size of sizes) {
    for (const plan of plans) {
      say(`measuring: ReNO ${size}x${size}, ${plan} (${(memoryFree() / 1e9).toFixed(1)} GB are free)`);
      const { imageReward, threads, iterations } = options;
      figures.ours[`${size} ${plan}`] = await work({ folder, imageReward, prompt, size, plan, threads, iterations });
    }
    if (options.torch) figures.upstream[size] = await upstreamIteration(folder, size, options);
  }
  return figures;
}

async function work(task: RenoTask): Promise<RenoResult> {
  const worker = fileURLToPath(new URL("./renoWorker.js", import.meta.url));
  const child = spawn(process.execPath, [worker, JSON.stringify(task)], { stdio: ["ignore", "pipe", "inherit"] });
  const parts: Buffer[] = [];
  child.stdout.on("data", (part) => parts.push(part));
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`ReNO ${task.size} ${task.plan} ended with status ${code}.`);
  return JSON.parse(Buffer.concat(parts).toString()) as RenoResult;
}

/** diffusers' U-Net and VAE and upstream's ImageReward on the same weights, the prompt encoded at every iteration as ReNO does. */
async function upstreamIteration(folder: string, size: number, options: RenoOptions): Promise<UpstreamIteration> {
  const { home, say, imageReward, threads, iterations } = options;
  const { environment, python } = await upstreamEnvironment(home, say);
  if (!existsSync(join(environment, "with-diffusers"))) {
    await execute(python, ["-m", "pip", "install", "-q", "--no-deps", "diffusers==0.39.0", "accelerate==1.12.0"]);
    await execute(python, ["-m", "pip", "install", "-q", "psutil", "importlib_metadata", "httpx<1.0.0"]);
    await writeFile(join(environment, "with-diffusers"), "");
  }
  await writeFile(join(environment, "vocab.txt"), loadBertTokenizer().vocabulary.join("\n"));
  say(`measuring: upstream's iteration at ${size}x${size}`);
  const places = [environment, join(environment, "vocab.txt"), imageReward, folder];
  const flags = ["--prompt", prompt, "--size", String(size), "--threads", String(threads)];
  const script = join(root, "bench/reference_iteration.py");
  const { stdout } = await execute(python, [script, ...places, ...flags, "--iterations", String(iterations)], {
    maxBuffer: 2 ** 26,
  });
  return JSON.parse(stdout) as UpstreamIteration;
}

const gb = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
/** What is aimed at, by size: of the fastest plan's speed against upstream, and of plans' memory and seconds. */
const targets: Readonly<Record<string, { ratio?: string } & { [plan in PlanName]?: string }>> = {
  256: { ratio: "1.7x", whole: "9.3 GB" },
  512: { segments: "12 GB, 50 s" },
};

export function renoRows({ ours, upstream }: RenoFigures, peak: number): Row[] {
  const rows: Row[] = [];
  for (const [name, run] of Object.entries(ours)) {
    const [size, plan] = name.split(" ") as [string, PlanName];
    const target = targets[size]?.[plan];
    const off = `${((100 * (run.predicted - run.peak)) / run.peak).toFixed(0)} %`;
    rows.push(
      {
        what: `ReNO ${name}`,
        value: `${run.seconds.toFixed(1)} s an iteration, ${gb(run.peak)}, load ${run.loadSeconds.toFixed(1)} s`,
        ...(target && { target }),
      },
      { what: `ReNO ${name}, memory predicted`, value: `${gb(run.predicted)} (${off})`, target: "15 %" },
      {
        what: `ReNO ${name}, share of the best matrix product`,
        value: `${((100 * run.gflop) / run.seconds / peak).toFixed(1)} %`,
      },
    );
  }
  for (const [size, theirs] of Object.entries(upstream)) rows.push(...upstreamRows(size, theirs, ours));
  return rows;
}

function upstreamRows(size: string, theirs: UpstreamIteration, ours: RenoFigures["ours"]): Row[] {
  const same = planNames.flatMap((plan) => ours[`${size} ${plan}`] ?? []);
  const apart = same.map(({ losses, gradientNorms }) =>
    Math.max(Math.abs(losses[0]! - theirs.losses[0]!), Math.abs(gradientNorms[0]! / theirs.gradientNorms[0]! - 1)),
  );
  const { ratio } = targets[size] ?? {};
  const value = `${(theirs.seconds / Math.min(...same.map(({ seconds }) => seconds))).toFixed(2)}x`;
  return [
    {
      what: `upstream ${size}`,
      value: `${theirs.seconds.toFixed(1)} s an iteration, ${gb(theirs.peakBytes)}, load ${theirs.loadSeconds.toFixed(1)} s`,
    },
    { what: `ratio to upstream, ${size}`, value, ...(ratio && { target: ratio }) },
    {
      what: `first loss and gradient's norm apart from upstream's, ${size}`,
      value: Math.max(...apart).toExponential(1),
      target: "1e-3",
    },
  ];
}
