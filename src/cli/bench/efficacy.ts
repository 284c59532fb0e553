// `npm run bench:efficacy`: whether refining by the built-in reward makes pictures right, by a checker that no optimiser sees.

import { spawn } from "node:child_process";
import { appendFile, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { locatePipeline } from "../../reno/loadPipeline.ts";
import { rewards } from "../../scoring/loadReward.ts";
import type { EfficacyCase, EfficacySettings, EfficacyTask } from "./efficacyCase.ts";
import { efficacyPlot, efficacyRows, efficacyText } from "./efficacyReport.ts";
import { printTable } from "./table.ts";

const usage = `Usage: npm run bench:efficacy -- [--sentences 100] [--seeds 2] [--iterations 50] [--optimizer sgd] [--lr 5] [--reg 0.01]

  --pipeline  the generator; default: shapes, the built-in one
  --workers   processes of one thread each; default: one for each core
  --state     where finished sentences are noted down, so that a run that was cut short goes on
  --docs      the folder for efficacy.md and efficacy.png; default: docs`;

export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      sentences: { type: "string", default: "100" },
      seeds: { type: "string", default: "2" },
      iterations: { type: "string", default: "50" },
      optimizer: { type: "string" },
      lr: { type: "string" },
      reg: { type: "string" },
      pipeline: { type: "string", default: "shapes" },
      workers: { type: "string", default: String(availableParallelism()) },
      state: { type: "string", default: "outputs/efficacy.jsonl" },
      docs: { type: "string", default: "docs" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
  const settings: EfficacySettings = {
    pipeline: values.pipeline,
    iterations: Number(values.iterations),
    sentences: Number(values.sentences),
    seeds: Number(values.seeds),
    optimizer: values.optimizer,
    lr: number(values.lr),
    reg: number(values.reg),
  };
  const cases = await allCases(settings, values.state, Number(values.workers));
  const rows = efficacyRows(cases);
  printTable(rows);
  await mkdir(values.docs, { recursive: true });
  await writeFile(`${values.docs}/efficacy.md`, efficacyText(rows, settings));
  await writeFile(`${values.docs}/efficacy.png`, await efficacyPlot(cases));
  return 0;
}

/** Those that the state file has, of the same settings, and the others made now. */
async function allCases(settings: EfficacySettings, state: string, workers: number): Promise<EfficacyCase[]> {
  const done = await readState(state, settings);
  const wanted = Array.from({ length: settings.sentences * settings.seeds }, (_, i) => i).filter((i) => !done.has(i));
  const parts = Array.from({ length: workers }, (_, k) => wanted.filter((_, i) => i % workers === k));
  const note = async (result: EfficacyCase) => {
    done.set(result.index, result);
    await appendFile(state, `${JSON.stringify(result)}\n`);
    process.stderr.write(`\r${done.size} of ${settings.sentences * settings.seeds} `);
  };
  await Promise.all(
    parts.filter((part) => part.length > 0).map((part) => runWorker({ ...settings, threads: 1, cases: part }, note)),
  );
  process.stderr.write("\n");
  return [...done.values()].sort((a, b) => a.index - b.index);
}

/** The first line holds the settings and models that the others were made with; a file of others is begun anew. */
async function readState(path: string, settings: EfficacySettings): Promise<Map<number, EfficacyCase>> {
  const { sentences: _, ...lasting } = settings;
  const { path: pipeline } = await locatePipeline(settings.pipeline);
  const models = [...(await filesOf(pipeline)), ...(await filesOf(rewards.shapes!.builtIn!.weights))];
  const head = JSON.stringify({ ...lasting, models });
  const [first, ...lines] = (await readFile(path, "utf8").catch(() => "")).split("\n");
  if (first === head) {
    const cases = lines.filter((line) => line.endsWith("}")).map((line) => JSON.parse(line) as EfficacyCase);
    const within = cases.filter(({ index }) => index < settings.sentences * settings.seeds);
    return new Map(within.map((each) => [each.index, each]));
  }
  await rm(path, { force: true });
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${head}\n`);
  return new Map();
}

/** The size and age of a model's file, or of each in its folder: enough to tell it from another. */
async function filesOf(path: string): Promise<string[]> {
  const found = await stat(path);
  if (!found.isDirectory()) return [`${found.size} ${found.mtimeMs}`];
  const inside = (await readdir(path)).sort().map((name) => filesOf(join(path, name)));
  return (await Promise.all(inside)).flat();
}

async function runWorker(task: EfficacyTask, note: (result: EfficacyCase) => Promise<void>): Promise<void> {
  const worker = fileURLToPath(new URL("./efficacyWorker.js", import.meta.url));
  const child = spawn(process.execPath, [worker, JSON.stringify(task)], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  for await (const line of createInterface(child.stdout)) await note(JSON.parse(line) as EfficacyCase);
  const code = await ended;
  if (code !== 0) throw new Error(`A process of the bench ended with status ${code}.`);
}
