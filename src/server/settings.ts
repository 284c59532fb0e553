// What a person has chosen, in home/settings/server.json: only what differs from the defaults, so that better defaults reach everyone.

import { EventEmitter } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SystemError } from "../errors.ts";
import { findStored } from "../scoring/store.ts";
import { writeWhole } from "../tasks/writeWhole.ts";
import { type Settings, settings, settingsChange } from "./api/system.ts";
import type { Logger } from "./log.ts";
import { checkSettings } from "./settingsChecks.ts";

type Choices = Partial<Settings>;

/** Emits "changed" with the settings as they then are. */
export class SettingsStore extends EventEmitter<{ changed: [Settings] }> {
  readonly #home: string;
  readonly #file: string;
  #choices: Choices;
  /** What a later Renoir has written: kept as it is. */
  readonly #unknown: Record<string, unknown>;
  #defaults: Settings;
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(home: string, choices: Choices, unknown: Record<string, unknown>, defaults: Settings) {
    super();
    this.#home = home;
    this.#file = settingsPath(home);
    this.#choices = choices;
    this.#unknown = unknown;
    this.#defaults = defaults;
  }

  static async open(home: string, log?: Logger): Promise<SettingsStore> {
    const file = settingsPath(home);
    const { choices, unknown } = parseFile(await readText(file), file);
    const names = Object.keys(unknown);
    if (names.length > 0) log?.warn(`${file} has settings that this Renoir does not know: ${names.join(", ")}.`);
    return new SettingsStore(home, choices, unknown, await defaultsOf(home));
  }

  get(): Settings {
    return { ...this.#defaults, ...this.#choices };
  }

  /** Stored before it counts: what a reply has told outlives a power cut. */
  async change(change: Choices): Promise<Settings> {
    await checkSettings(change);
    const work = this.#writing.then(() => this.#store({ ...this.#choices, ...settingsChange.parse(change) }));
    this.#writing = work.catch(() => {});
    return work;
  }

  /** After models came or went: the default rewards are those that can be used. */
  async refresh(): Promise<void> {
    this.#defaults = await defaultsOf(this.#home);
    this.emit("changed", this.get());
  }

  async #store(choices: Choices): Promise<Settings> {
    await writeWhole(this.#file, `${JSON.stringify({ ...this.#unknown, ...choices }, null, 2)}\n`);
    this.#choices = choices;
    this.emit("changed", this.get());
    return this.get();
  }
}

const settingsPath = (home: string) => join(home, "settings", "server.json");

async function defaultsOf(home: string): Promise<Settings> {
  const hasImageReward = (await findStored("imagereward", home)) !== undefined;
  return {
    rewards: [hasImageReward ? "imagereward" : "shapes"],
    // ImageReward's scores have mean 0 and deviation 1 over its own training pictures; those of shapes were trained to lie alike.
    limits: { ImageReward: { weak: 0, great: 1 }, Shapes: { weak: 0, great: 1 } },
    scoreNew: true,
    writeNew: false,
    idleMinutes: 15,
    outputFolder: join(home, "outputs"),
    provider: "auto",
    upstream: null,
    gateway: { enabled: false, rewards: "", filter: false, limit: 0, sort: true },
  };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return "{}";
    throw new SystemError(`${file} can not be read: ${(cause as Error).message}.`, { cause });
  }
}

function parseFile(text: string, file: string): { choices: Choices; unknown: Record<string, unknown> } {
  const entries = Object.entries(parseJson(text, file));
  const isKnown = ([name]: [string, unknown]) => Object.hasOwn(settings.shape, name);
  const parsed = settingsChange.safeParse(Object.fromEntries(entries.filter(isKnown)));
  const unknown = Object.fromEntries(entries.filter((entry) => !isKnown(entry)));
  if (parsed.success) return { choices: parsed.data, unknown };
  throw damaged(file, parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "));
}

function parseJson(text: string, file: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw damaged(file, (error as Error).message);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw damaged(file, "It is no object of settings");
}

const damaged = (file: string, why: string) =>
  new SystemError(`${file} does not hold settings that this Renoir can use. ${why}.`, {
    hint: "Mend the file, or move it away: without it the defaults apply.",
  });
