// renoir info: what picture files say about their own making.

import type { Command } from "commander";
import { type ImageMetadata, readMetadata } from "../metadata/index.ts";
import { itemError } from "../scoring/scorer.ts";
import { gatherPictures } from "./files.ts";
import { watchInterrupts } from "./interrupt.ts";
import { errorBody, errorText, jsonLine, printable, scoreText } from "./output.ts";

const help = `
Reads what A1111, Forge, SD.Next, ComfyUI, InvokeAI, SwarmUI, Fooocus and others write into PNG, JPEG, WebP and AVIF.

Example:
  $ renoir info outputs/00012-1234.png --json`;

interface InfoFlags {
  readonly json?: boolean;
  readonly recursive?: boolean;
}

export function registerInfo(program: Command): void {
  program
    .command("info")
    .description("show what pictures say about their own making: prompt, seed, settings, scores")
    .argument("<file-or-folder...>", "pictures, or folders of them")
    .option("--recursive", "look into folders in folders")
    .option("--json", "JSON Lines on stdout, and nothing else there")
    .addHelpText("after", help)
    .action(info);
}

async function info(paths: string[], { json = false, recursive = false }: InfoFlags): Promise<void> {
  const interrupt = watchInterrupts();
  try {
    const { files, failed } = await gatherPictures(paths, { recursive });
    for (const { file, error } of failed) tellFailure(file, error, json);
    for (const file of files) {
      if (interrupt.signal.aborted) break;
      await tell(file, json);
    }
  } finally {
    interrupt.release();
  }
}

async function tell(file: string, json: boolean): Promise<void> {
  try {
    const { graph: _, ...metadata } = await readMetadata(file); // a graph can have megabytes, and the file holds it
    process.stdout.write(json ? jsonLine({ file, ...metadata }) : infoText(file, metadata));
  } catch (error) {
    tellFailure(file, error, json);
  }
}

function tellFailure(file: string, error: unknown, json: boolean): void {
  const body = errorBody(itemError(error, file));
  if (json) process.stdout.write(jsonLine({ file, error: body }));
  process.stderr.write(`${errorText(body)}\n`);
  process.exitCode = 1;
}

function infoText(file: string, metadata: ImageMetadata): string {
  const scores = Object.entries(metadata.scores).map(([name, score]) => `${name} ${scoreText(score)}`);
  const settings = Object.entries(metadata.settings).map(([name, value]) => `${name}: ${value}`);
  const rows: [string, string | null][] = [
    ["format", metadata.format],
    ["host", metadata.host],
    ["prompt", metadata.prompt],
    ["negative", metadata.negativePrompt],
    ["seed", metadata.seed === null ? null : String(metadata.seed)],
    ["settings", settings.join(", ")],
    ["scores", scores.join(", ")],
    ["found in", metadata.carriers.map(({ kind, keyword }) => `${kind} ${keyword}`.trim()).join(", ")],
    ...metadata.warnings.map((warning): [string, string] => ["note", warning]),
  ];
  const shown = rows.filter(([, value]) => value);
  return [printable(file), ...shown.map(([name, value]) => `  ${name.padEnd(9)} ${indented(value!)}`), ""]
    .map((row) => `${row}\n`)
    .join("");
}

/** A prompt's own lines stay lines, under each other. */
const indented = (text: string): string =>
  text
    .split(/\r?\n/)
    .map(printable)
    .join(`\n${" ".repeat(12)}`);
