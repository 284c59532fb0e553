// Upstream's ImageReward on the same checkpoint and pictures, in a Python environment made for it (bench/reference_score.py).

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { loadBertTokenizer } from "../../scoring/bertTokenizer.ts";
import { prompts } from "./prompts.ts";

const execute = promisify(execFile);
const root = fileURLToPath(new URL("../../../", import.meta.url));

export interface UpstreamResult {
  readonly imagesPerSecond: number;
  readonly loadSeconds: number;
  readonly peakBytes: number;
  /** In the order of the pictures. */
  readonly scores: number[];
}

interface Base {
  readonly weights: string;
  readonly files: readonly string[];
  readonly pictures: string;
  readonly threads: number;
  readonly home: string;
}

/** Scores the folder with one prompt for all, then with one each. */
export async function upstreamScores(base: Base, say: (text: string) => void) {
  const { environment, python } = await upstreamEnvironment(base.home, say);
  await writeFile(join(environment, "vocab.txt"), loadBertTokenizer().vocabulary.join("\n"));
  const each = join(base.home, "prompts.json");
  const names = base.files.map((file) => file.slice(base.pictures.length + 1));
  await writeFile(
    each,
    JSON.stringify(Object.fromEntries(names.map((name, i) => [name, prompts[i % prompts.length]]))),
  );
  say("measuring: upstream, one prompt for all");
  const one = await run(base, python, environment, ["--prompt", prompts[0]!], names);
  say("measuring: upstream, one prompt each");
  return { one, each: await run(base, python, environment, ["--prompts", each], names) };
}

async function run(
  base: Base,
  python: string,
  environment: string,
  prompt: string[],
  names: string[],
): Promise<UpstreamResult> {
  const script = join(root, "bench/reference_score.py");
  const places = [environment, join(environment, "vocab.txt"), base.weights, base.pictures];
  const { stdout } = await execute(python, [script, ...places, ...prompt, "--threads", String(base.threads)], {
    maxBuffer: 2 ** 26,
  });
  const result = JSON.parse(stdout) as Omit<UpstreamResult, "scores"> & { scores: Record<string, number> };
  return { ...result, scores: names.map((name) => result.scores[name]!) };
}

/** The Python environment that upstream runs in, made where it is not there yet. */
export async function upstreamEnvironment(home: string, say: (text: string) => void) {
  const environment = join(home, "upstream");
  const python = join(environment, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
  if (!existsSync(join(environment, "ImageReward"))) {
    say("making a Python environment for upstream (once)");
    await makeEnvironment(environment, python);
  }
  return { environment, python };
}

async function makeEnvironment(environment: string, python: string): Promise<void> {
  await execute("python3", ["-m", "venv", environment]);
  const pip = (...args: string[]) => execute(python, ["-m", "pip", "install", "-q", ...args], { maxBuffer: 2 ** 26 });
  await pip("-r", join(root, "test/reference/requirements.txt"));
  await pip("--no-deps", "torchvision==0.28.0");
  // The package's own pins would break these; only its files are wanted, and upstream.py imports them by name.
  const wheels = join(environment, "wheels");
  await mkdir(wheels, { recursive: true });
  await execute(python, ["-m", "pip", "download", "-q", "--no-deps", "-d", wheels, "image-reward==1.5"]);
  await execute(python, ["-m", "zipfile", "-e", join(wheels, "image_reward-1.5-py3-none-any.whl"), environment]);
}
