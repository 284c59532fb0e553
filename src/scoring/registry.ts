// The rewards in memory: loaded at their first use, shared, and let go on demand, after a while of idleness, or when memory runs short.

import { availableParallelism, freemem, totalmem } from "node:os";
import type { Reward } from "./reward.ts";

/** What keeping a reward needs of it. */
export type LoadedReward = Pick<Reward, "unload">;

/** Which reward, from which checkpoint, run how. Two equal specs are one reward in memory. */
export interface RewardSpec {
  readonly name: string;
  readonly path?: string;
  readonly provider?: string;
  readonly dtype?: string;
  readonly threads?: number;
}

export interface RegistryOptions<R extends LoadedReward> {
  load(spec: RewardSpec): Promise<R>;
  /** How long an unused reward stays, asked when it comes out of use; Infinity is for ever. 5 minutes unless given. */
  idleMs?: number | (() => number);
  /** Told after a reward was loaded or has gone. */
  onChange?: () => void;
  /** Bytes of memory that shall stay free; below it, unused rewards go. A twentieth of the machine's unless given. */
  reserve?: number;
  /** Bytes of memory that are free now. */
  free?: () => number;
  /** How often free memory is looked at. */
  watchMs?: number;
}

export interface Lease<R> {
  readonly reward: R;
  release(): void;
}

interface Entry<R> {
  readonly spec: RewardSpec;
  readonly reward: Promise<R>;
  users: number;
  lastUsed: number;
  ready: boolean;
  /** Set once the reward has been asked to go: resolves when it has gone. */
  leaving?: { gone: Promise<void>; go: () => void };
  idle?: NodeJS.Timeout;
}

/** The key under which equal specs meet. */
const keyOf = ({ name, path, provider, dtype, threads }: RewardSpec) =>
  JSON.stringify([name, path ?? null, provider ?? "auto", dtype ?? "auto", threads ?? availableParallelism()]);

export class RewardRegistry<R extends LoadedReward> {
  readonly #entries = new Map<string, Entry<R>>();
  readonly #options: Required<RegistryOptions<R>>;
  #watch: NodeJS.Timeout | undefined;

  constructor(options: RegistryOptions<R>) {
    this.#options = {
      idleMs: 5 * 60_000,
      reserve: totalmem() / 20,
      free: freemem,
      watchMs: 5_000,
      onChange() {},
      ...options,
    };
  }

  /** The reward, loaded first if need be; it stays loaded until every lease of it is released. */
  async lease(spec: RewardSpec): Promise<Lease<R>> {
    const entry = this.#entries.get(keyOf(spec)) ?? this.#load(spec);
    entry.users += 1;
    clearTimeout(entry.idle);
    let held = true;
    const release = () => {
      if (held) this.#release(entry);
      held = false;
    };
    try {
      return { reward: await entry.reward, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Runs `work` with the reward leased. */
  async use<T>(spec: RewardSpec, work: (reward: R) => Promise<T>): Promise<T> {
    const { reward, release } = await this.lease(spec);
    try {
      return await work(reward);
    } finally {
      release();
    }
  }

  /** What is loaded or being loaded now. */
  loaded(): { spec: RewardSpec; ready: boolean; users: number }[] {
    return [...this.#entries.values()].map(({ spec, ready, users }) => ({ spec, ready, users }));
  }

  /** Lets go of the rewards of that name, or of all; each goes when its last work is done. Who asks for it anew loads it anew. */
  async unload(name?: string): Promise<void> {
    const chosen = [...this.#entries.values()].filter(({ spec }) => name === undefined || spec.name === name);
    await Promise.all(chosen.map((entry) => this.#dismiss(entry)));
  }

  #load(spec: RewardSpec): Entry<R> {
    const crowd = this.relieve();
    const entry: Entry<R> = {
      spec,
      reward: crowd.then(() => this.#options.load(spec)),
      users: 0,
      lastUsed: Date.now(),
      ready: false,
    };
    this.#entries.set(keyOf(spec), entry);
    entry.reward.then(
      () => {
        entry.ready = true;
        this.#options.onChange();
      },
      // A load that failed leaves nothing behind: the next use tries again.
      () => this.#forget(entry),
    );
    this.#watch ??= setInterval(() => void this.relieve(), this.#options.watchMs).unref();
    return entry;
  }

  #release(entry: Entry<R>): void {
    entry.users -= 1;
    entry.lastUsed = Date.now();
    if (entry.users > 0) return;
    if (entry.leaving) entry.leaving.go();
    else if (entry.ready) this.#letGoWhenIdle(entry);
  }

  #letGoWhenIdle(entry: Entry<R>): void {
    const { idleMs } = this.#options;
    const wait = typeof idleMs === "number" ? idleMs : idleMs();
    if (Number.isFinite(wait)) entry.idle = setTimeout(() => void this.#dismiss(entry), wait).unref();
  }

  /** Lets unused rewards go, the longest unused first, until enough memory is free. */
  async relieve(): Promise<void> {
    const unused = [...this.#entries.values()]
      .filter(({ users, ready }) => users === 0 && ready)
      .sort((a, b) => a.lastUsed - b.lastUsed);
    for (const entry of unused) {
      if (this.#options.free() >= this.#options.reserve) return;
      if (entry.users === 0) await this.#dismiss(entry);
    }
  }

  #dismiss(entry: Entry<R>): Promise<void> {
    this.#forget(entry);
    if (!entry.leaving) {
      let go = () => {};
      const released = new Promise<void>((resolve) => {
        go = resolve;
      });
      entry.leaving = { gone: released.then(() => this.#end(entry)), go };
      if (entry.users === 0) go();
    }
    return entry.leaving.gone;
  }

  async #end(entry: Entry<R>): Promise<void> {
    const reward = await entry.reward.catch(() => undefined);
    await reward?.unload();
    this.#options.onChange();
  }

  #forget(entry: Entry<R>): void {
    clearTimeout(entry.idle);
    if (this.#entries.get(keyOf(entry.spec)) === entry) this.#entries.delete(keyOf(entry.spec));
    if (this.#entries.size > 0) return;
    clearInterval(this.#watch);
    this.#watch = undefined;
  }
}
