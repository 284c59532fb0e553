// `renoir models`: the registry of rewards and pipelines, listed and changed.

import type { Command } from "commander";
import { RequestError } from "../errors.ts";
import { gigabytes, type Progress } from "../scoring/download.ts";
import { removeStored } from "../scoring/store.ts";
import { addModel, type ModelReport, pullModel, reportModels } from "../tasks/models.ts";
import { watchInterrupts } from "./interrupt.ts";
import { jsonLine } from "./output.ts";
import { duration } from "./progress.ts";

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
