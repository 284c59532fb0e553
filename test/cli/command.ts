// The command as its users run it: a process of its own, with its exit status and what it printed.

import { spawn } from "node:child_process";
import { mkdtemp, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { png } from "../../src/metadata/carriers/png.ts";

const program = fileURLToPath(new URL("../../bin/renoir.mjs", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly ended: Promise<Ended>;
  /** Resolves when stdout or stderr holds the text; rejects when the process ends without it. */
  says(text: string, times?: number): Promise<void>;
  /** Everything so far, stdout first. */
  said(): string;
  kill(signal: NodeJS.Signals): void;
  /** As `| head` does when it has seen enough. */
  closeStdout(): void;
}

export interface Surroundings {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
}

export function start(args: readonly string[], { cwd, env }: Surroundings = {}): Running {
  const child = spawn(process.execPath, [program, ...args], { cwd, env: { ...process.env, NO_COLOR: "", ...env } });
  let stdout = "";
  let stderr = "";
  let look = () => {};
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
    look();
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
    look();
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return {
    ended,
    says: (text, times = 1) =>
      new Promise((resolve, reject) => {
        look = () => {
          if ((stdout + stderr).split(text).length > times) resolve();
        };
        ended.then(() => reject(new Error(`It ended without saying "${text}":\n${stdout}\n${stderr}`)));
        look();
      }),
    said: () => stdout + stderr,
    kill: (signal) => void child.kill(signal),
    closeStdout: () => void child.stdout.destroy(),
  };
}

export const run = (args: readonly string[], surroundings?: Surroundings): Promise<Ended> =>
  start(args, surroundings).ended;

export const jsonLines = (text: string) =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

/** A folder of its own, whose name has a space as people's have. */
export const freshFolder = async (): Promise<string> => realpath(await mkdtemp(join(tmpdir(), "renoir cli ")));

/** A PNG of one colour, with A1111's infotext in it where a prompt is given. */
export async function picture(colour: string, prompt?: string): Promise<Buffer> {
  const image = sharp({ create: { width: 96, height: 64, channels: 3, background: colour } });
  const bytes = await image.png().toBuffer();
  if (prompt === undefined) return bytes;
  const text = `${prompt}\nNegative prompt: blurry\nSteps: 1, Sampler: Euler a, CFG scale: 1, Seed: 7, Size: 96x64, Model: shapes`;
  return Buffer.from(png.edit!(bytes, [{ do: "add", kind: "text", keyword: "parameters", text }]));
}
