// Sessions by name, made once and shared by concurrent callers. One that is dropped is released when its runs have ended.

import { type CompileOptions, compile, type Feeds, type Session, type Tensor } from "../graph/index.ts";

type Results = Awaited<ReturnType<Session["run"]>>;

interface Entry {
  readonly session: Promise<Session>;
  readonly runs: Set<Promise<Results>>;
}

export class SessionCache {
  readonly #options: CompileOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: CompileOptions) {
    this.#options = options;
  }

  /** Makes the session of that name unless it is there; a failed one is not kept. */
  async load(key: string, build: () => Record<string, Tensor>): Promise<void> {
    await this.#entry(key, build).session;
  }

  async run(key: string, build: () => Record<string, Tensor>, feeds: Feeds): Promise<Results> {
    const { session, runs } = this.#entry(key, build);
    const run = session.then((ready) => ready.run(feeds));
    runs.add(run);
    try {
      return await run;
    } finally {
      runs.delete(run);
    }
  }

  /** Drops the oldest sessions whose names begin so, but for the newest `count`. */
  keepNewest(count: number, prefix: string): void {
    const keys = [...this.#entries.keys()].filter((key) => key.startsWith(prefix));
    this.#drop(keys.slice(0, Math.max(0, keys.length - count))).catch(() => {}); // nobody waits for it
  }

  async release(): Promise<void> {
    await this.#drop([...this.#entries.keys()]);
  }

  #entry(key: string, build: () => Record<string, Tensor>): Entry {
    const known = this.#entries.get(key);
    if (known) return known;
    const entry = { session: compile(build(), this.#options), runs: new Set<Promise<Results>>() };
    this.#entries.set(key, entry);
    entry.session.catch(() => this.#entries.delete(key));
    return entry;
  }

  async #drop(keys: readonly string[]): Promise<void> {
    const dropped = keys.map((key) => this.#entries.get(key)!);
    for (const key of keys) this.#entries.delete(key);
    for (const { session, runs } of dropped) {
      await Promise.allSettled(runs);
      await (await session.catch(() => undefined))?.release();
    }
  }
}
