// A module of ours as a process of its own, spoken to by messages.

import { type ForkOptions, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** As this file lies: TypeScript in a checkout under test, JavaScript in the product. */
const isSource = import.meta.url.endsWith(".ts");

/** `module` by its name without the ending, as in ./reader, seen from `from`, the asker's own import.meta.url. */
export function forkModule(module: string, from: string, args: readonly string[] = [], options: ForkOptions = {}) {
  const file = fileURLToPath(new URL(`${module}.${isSource ? "ts" : "js"}`, from));
  const execArgv = [...(isSource ? ["--import", "tsx"] : []), ...(options.execArgv ?? [])];
  return fork(file, args, { serialization: "advanced", ...options, execArgv });
}
