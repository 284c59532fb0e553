// What package.json's scripts run: set up, then the task. Each works as the first command after cloning.
import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ended, nodeProblem, prepare, root, SetupError } from "./setup.mjs";

/** A task is what runs after the set-up: a program of dist/ in this process, or tools one after the other. */
const tasks = {
  start: (args) => launch("cli/index.js", ["start", ...args], { page: true }),
  test: async (args) => {
    await prepare(root, { development: true, page: true });
    await runTools([
      ["typescript/bin/tsc", "--noEmit"],
      ["typescript/bin/tsc", "--noEmit", "-p", "ui"],
      ["@biomejs/biome/bin/biome", "check", "."],
      ["vitest/vitest.mjs", "run", ...args],
    ]);
  },
  demo: (args) => launch("cli/demo.js", args),
  bench: (args) => launch("cli/bench.js", args, { development: true, page: true }), // its sockets are those of the tests
  "bench:efficacy": (args) => launch("cli/bench/efficacy.js", args),
  "test:hosts": async (args) => {
    await prepare(root, { development: true });
    await runTools([["tsx/dist/cli.mjs", "test/hosts/run.ts", ...args]]);
  },
  screenshots: async (args) => {
    await prepare(root, { development: true, page: true });
    await runTools([["vitest/vitest.mjs", "run", "--config", "test/screenshots/vitest.config.ts", ...args]]);
  },
  fidelity: async (args) => {
    await prepare(root, { development: true });
    await runTools([["vitest/vitest.mjs", "run", "--config", "test/reference/vitest.config.ts", ...args]]);
  },
  "train:reward": (args) => launch("tuning/trainReward.js", args),
  "train:generator": (args) => launch("tuning/trainGenerator.js", args),
};

/** Imports a program of dist/ into this process, so that signals and exit codes need no passing on, and calls its `main`. */
export async function launch(program, args, needs = {}) {
  await prepare(root, needs);
  const file = join(root, "dist", program);
  if (!existsSync(file)) throw new SetupError(`${file} is missing: this copy of Renoir has no such program.`);
  process.argv = [process.argv[0], file, ...args];
  const { main } = await import(pathToFileURL(file).href);
  const code = await main(args);
  if (typeof code === "number") process.exitCode = code;
}

/** Runs development tools until one fails; the exit code, or the signal, is that one's. */
async function runTools(commands) {
  for (const [tool, ...args] of commands) {
    const child = spawn(process.execPath, [join(root, "node_modules", tool), ...args], { cwd: root, stdio: "inherit" });
    const { code, signal } = await ended(child);
    if (signal) process.kill(process.pid, signal);
    if (code !== 0) {
      process.exitCode = code ?? 1;
      return;
    }
  }
}

/** Checks this Node, runs `work`, and turns a set-up that failed into its message and exit status 1. */
export function start(work) {
  const problem = nodeProblem(process.version);
  if (problem) return fail(problem);
  return work().catch((error) => {
    if (error instanceof SetupError) fail(error.message);
    else throw error;
  });
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
}

function runTask([name, ...args]) {
  if (tasks[name]) return tasks[name](args);
  throw new SetupError(`There is no task "${name}". The tasks are ${Object.keys(tasks).join(", ")}.`);
}

// realpath: npm starts programs through links.
if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  start(async () => runTask(process.argv.slice(2)));
}
