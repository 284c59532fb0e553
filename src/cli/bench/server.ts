// The server under load, as its users start it: many clients that score, sockets that watch a refine, and somebody with the page open.

import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Load, type LoadResult, loadServer } from "./serverLoad.ts";
import type { Row } from "./table.ts";

export interface ServerBench extends Omit<Load, "url"> {
  /** The server's data folder is made in it. */
  readonly folder: string;
  readonly say: (text: string) => void;
}

export async function measureServer({ folder, say, ...load }: ServerBench): Promise<LoadResult> {
  await mkdir(folder, { recursive: true });
  const home = await mkdtemp(join(folder, "server-home-"));
  const server = await startServer(home);
  try {
    say(`measuring: ${load.clients} clients scoring, ${load.watchers} watching a refine, for ${load.seconds} s`);
    return await loadServer({ url: server.url, ...load });
  } finally {
    await server.end();
    await rm(home, { recursive: true, force: true });
  }
}

async function startServer(home: string): Promise<{ url: string; end: () => Promise<void> }> {
  const program = fileURLToPath(new URL("../../../bin/renoir.mjs", import.meta.url));
  const child = spawn(process.execPath, [program, "start", "--port", "0", "--json"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, RENOIR_HOME: home },
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (text) => {
      const said = /"url":"([^"]+)"/.exec(String(text));
      if (said) resolve(said[1]!);
    });
    ended.then(() => reject(new Error("The server ended before it listened.")));
  });
  const end = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  return { url, end };
}

const mb = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MB`;
const atTimes = (values: readonly number[]) => [0, 0.5, 1].map((share) => mb(at(values, share))).join(", ");

function spreadOf(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  return `${[0.5, 0.95, 1].map((share) => at(sorted, share).toFixed(0)).join(", ")} ms`;
}

/** The value a share of the way through; 0 of none. */
const at = (values: readonly number[], share: number): number => values[Math.round((values.length - 1) * share)] ?? 0;

export function serverRows({ load, scores, page, waits, errors, watched, samples }: LoadResult): Row[] {
  const worst = (key: "p99Ms" | "maxMs") => Math.max(...samples.map(({ eventLoop }) => eventLoop[key])).toFixed(0);
  return [
    { what: "clients scoring, sockets watching", value: `${load.clients}, ${load.watchers}, for ${load.seconds} s` },
    {
      what: "pictures scored",
      value: `${scores.length}, ${(scores.length / load.seconds).toFixed(0)} a second`,
    },
    { what: "errors", value: String(errors.length), target: "0" },
    { what: "asked to wait (429), and waited", value: String(waits) },
    { what: "a score: median, 95 %, longest", value: spreadOf(scores) },
    { what: "a page of the library meanwhile", value: spreadOf(page) },
    {
      what: "steps of the refine, each to every socket once",
      value: `${watched.steps}, missed or doubled: ${watched.wrong}`,
      target: "0",
    },
    { what: "event loop held up: 99 %, longest", value: `${worst("p99Ms")}, ${worst("maxMs")} ms`, target: "50 ms" },
    {
      what: "server's memory: start, middle, end",
      value: atTimes(samples.map(({ server }) => server)),
      target: "flat",
    },
    {
      what: "models' process: start, middle, end",
      value: atTimes(samples.map(({ engine }) => engine)),
      target: "flat",
    },
  ];
}
