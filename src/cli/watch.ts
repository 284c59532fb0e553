// renoir watch: scores pictures as they appear in folders, for as long as it runs.

import { open, stat } from "node:fs/promises";
import { basename, resolve, sep } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { type FSWatcher, watch as watchFolders } from "chokidar";
import type { Command } from "commander";
import { RequestError } from "../errors.ts";
import { withinLimits } from "../scoring/filter.ts";
import type { RewardRegistry } from "../scoring/registry.ts";
import { rewardRegistry } from "../scoring/rewardRegistry.ts";
import { isScored, type Outcome, type Scored, type ScoringReward, scoreAll } from "../scoring/scorer.ts";
import { fallbackFolder } from "../tasks/reject.ts";
import { isPicture } from "./files.ts";
import { watchInterrupts } from "./interrupt.ts";
import { addScoreFlags, inFloat32, type Plan, planOf, type ScoreFlags } from "./options.ts";
import { errorBody, errorText, jsonLine, type Line, plainLine } from "./output.ts";
import { settle } from "./settle.ts";
import { certain, lineOf, promptOf, rankingScore } from "./verdict.ts";

const help = `
A picture is scored once it is completely written, and again when someone else changes it. Each result is printed as
soon as it is there; its rank is null, since more may come. A picture that fails does not stop the watch; Ctrl-C does.

Examples:
  $ renoir watch outputs/ --recursive --write
  $ renoir watch outputs/ --min 0 --reject-to outputs/rejected --json`;

interface WatchFlags extends ScoreFlags {
  readonly existing?: boolean;
  readonly poll?: boolean;
}

export function registerWatch(program: Command): void {
  addScoreFlags(program.command("watch").description("score pictures as they appear in folders"))
    .argument("<folder...>", "where pictures appear")
    .option("--recursive", "watch folders in folders as well")
    .option("--existing", "begin with the pictures that are there already")
    .option("--poll", "look every second, for network drives that report no changes")
    .addHelpText("after", help)
    .action(watch);
}

async function watch(folders: string[], flags: WatchFlags): Promise<void> {
  const plan = await planOf(flags);
  for (const folder of folders) await checkFolder(folder);
  const interrupt = watchInterrupts();
  const registry = rewardRegistry();
  const run = new Watch(plan, flags, registry, interrupt.signal);
  const watcher = openWatcher(folders, flags, plan, (file) => run.take(file));
  try {
    await run.untilStopped();
  } finally {
    await watcher.close();
    interrupt.release();
    await registry.unload();
  }
}

async function checkFolder(folder: string): Promise<void> {
  const facts = await stat(folder).catch(() => undefined);
  if (facts?.isDirectory()) return;
  throw new RequestError(`${folder} is ${facts ? "a file" : "not there"}; wanted is a folder to watch.`, {
    hint: "Name the folder that your generator saves pictures to.",
  });
}

/** Hosts write a picture over a second or two; its size must rest this long before it is taken for whole. */
const restingMs = 1000;

function openWatcher(
  folders: readonly string[],
  flags: WatchFlags,
  plan: Plan,
  take: (file: string) => void,
): FSWatcher {
  const { recursive = false, existing = false, poll = false } = flags;
  const roots = new Set(folders.map((folder) => resolve(folder)));
  const passed = passedOver(plan);
  const watcher = watchFolders([...folders], {
    ignored: (path, facts) => {
      if (roots.has(resolve(path))) return false;
      return passed(path) || (facts?.isFile() === true && !isPicture(path));
    },
    ignoreInitial: !existing,
    usePolling: poll,
    interval: 1000,
    awaitWriteFinish: { stabilityThreshold: restingMs, pollInterval: 100 },
    ...(recursive ? {} : { depth: 0 }),
  });
  watcher.on("add", take).on("change", take);
  watcher.on("ready", () => process.stderr.write(`Watching ${folders.join(", ")}. Press Ctrl-C to stop.\n`));
  // A folder that vanishes or may not be read is told, and the others are still watched.
  watcher.on("error", (error) => process.stderr.write(`${(error as Error).message}\n`));
  return watcher;
}

/** Hidden files and folders, and where rejected pictures go. */
function passedOver({ rejection }: Plan): (path: string) => boolean {
  const rejected = rejection.kind === "move" ? resolve(rejection.folder) : undefined;
  return (path) => {
    const name = basename(path);
    if (name.startsWith(".") || (rejection.kind === "trash" && name === fallbackFolder)) return true;
    const full = resolve(path);
    return rejected !== undefined && (full === rejected || full.startsWith(rejected + sep));
  };
}

class Watch {
  readonly #plan: Plan;
  readonly #json: boolean;
  readonly #registry: RewardRegistry<ScoringReward>;
  readonly #signal: AbortSignal;
  /** What waits to be scored; a file that changes twice meanwhile waits once. */
  readonly #waiting = new Set<string>();
  /** Each file as this run left it: such a change is its own. */
  readonly #left = new Map<string, string>();
  #wake = () => {};

  constructor(plan: Plan, { json = false }: WatchFlags, registry: RewardRegistry<ScoringReward>, signal: AbortSignal) {
    this.#plan = plan;
    this.#json = json;
    this.#registry = registry;
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#wake());
  }

  take(file: string): void {
    this.#waiting.add(file);
    this.#wake();
  }

  async untilStopped(): Promise<void> {
    while (!this.#signal.aborted) {
      if (this.#waiting.size === 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      const files = [...this.#waiting];
      this.#waiting.clear();
      await this.#score(files);
    }
  }

  async #score(files: readonly string[]): Promise<void> {
    const { prompt } = this.#plan;
    const pictures: { file: string; prompt: string | undefined }[] = [];
    for (const file of files) if (await this.#isNews(file)) pictures.push({ file, prompt });
    try {
      const rewards = this.#plan.write ? inFloat32(this.#plan) : this.#plan.rewards;
      for await (const outcome of this.#scores(pictures, rewards)) await this.#finish(outcome);
    } catch (error) {
      // The reward could not be loaded. A wrong request stays wrong, but memory or a disk may come back.
      if (error instanceof RequestError) throw error;
      process.stderr.write(`${(error as Error).message}\n`);
      for (const { file } of pictures) this.#waiting.add(file);
      await wait(5_000, undefined, { signal: this.#signal }).catch(() => {});
    }
  }

  readonly #scores = (pictures: readonly { file: string; prompt?: string | undefined }[], rewards: Plan["rewards"]) =>
    scoreAll(pictures, { rewards, registry: this.#registry, promptOf, signal: this.#signal });

  async #finish(outcome: Outcome): Promise<void> {
    const line = isScored(outcome)
      ? await this.#decide(outcome)
      : { file: outcome.picture.file, error: errorBody(outcome.error) };
    await this.#remember(line.file);
    process.stdout.write(this.#json ? jsonLine(line) : plainLine(line));
    if (line.error) process.stderr.write(`${errorText(line.error)}\n`);
  }

  async #decide(outcome: Scored): Promise<Line> {
    const scored = await certain(outcome, this.#plan, this.#scores);
    const kept = withinLimits(rankingScore(scored, this.#plan), this.#plan.limits);
    return await settle(lineOf(scored, kept, this.#plan), this.#plan);
  }

  async #isNews(file: string): Promise<boolean> {
    const state = await stateOf(file);
    return state !== undefined && state !== this.#left.get(file) && (await opens(file));
  }

  async #remember(file: string): Promise<void> {
    const state = await stateOf(file);
    if (state === undefined) this.#left.delete(file);
    else this.#left.set(file, state);
  }
}

/** Changes whenever someone writes the file; undefined once it has gone. */
const stateOf = (file: string): Promise<string | undefined> =>
  stat(file).then(
    ({ size, mtimeMs, ino }) => `${size} ${mtimeMs} ${ino}`,
    () => undefined,
  );

/** On Windows a file can not be opened while its writer holds it: it is given two seconds. Who can not open it then says why. */
async function opens(file: string): Promise<true> {
  for (let tries = 0; tries < 10; tries += 1) {
    const handle = await open(file).catch(() => undefined);
    await handle?.close();
    if (handle) return true;
    await wait(200);
  }
  return true;
}
