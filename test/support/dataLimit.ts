// A limit on this process's memory that really runs out: of what it may have of private, writable pages (RLIMIT_DATA, Linux).

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Runs `work` with so many bytes beyond what the process has now. */
export async function withinBytes<T>(extra: number, work: () => Promise<T>): Promise<T> {
  const has = 1024 * Number(/VmData:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]);
  limitTo(String(has + Math.round(extra)));
  try {
    return await work();
  } finally {
    limitTo("unlimited");
  }
}

/** The soft limit alone, which may be raised again. */
const limitTo = (bytes: string) => execFileSync("prlimit", ["--pid", String(process.pid), `--data=${bytes}:`]);
