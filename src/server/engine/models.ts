// What the models' process holds in memory: rewards and pipelines, loaded at their first use and let go when nobody needs them.

import { type LoadPipelineOptions, loadPipeline, locatePipeline } from "../../reno/loadPipeline.ts";
import { memoryFree } from "../../reno/memoryPlan.ts";
import type { Pipeline } from "../../reno/pipeline.ts";
import type { WeightedReward } from "../../reno/stepGraph.ts";
import { checkpointOf, rewards as knownRewards, loadReward } from "../../scoring/loadReward.ts";
import { type Lease, RewardRegistry, type RewardSpec } from "../../scoring/registry.ts";
import type { Reward } from "../../scoring/reward.ts";
import { parseRewardNames, sameCheckpoint } from "../../scoring/rewardName.ts";
import type { Computing, LoadedModel, ModelKind } from "./messages.ts";

export interface ModelsOptions {
  readonly idleMs: () => number;
  readonly onChange: () => void;
}

type Kind = LoadedModel["kind"];

const resident = () => process.memoryUsage.rss();

export class Models {
  readonly rewards: RewardRegistry<Reward>;
  readonly pipelines: RewardRegistry<Pipeline>;
  /** What the process held when the model began to load, until its first work is done: weights come in with it. */
  readonly #fresh = new Map<string, number>();
  readonly #grown = new Map<string, number>();

  constructor(options: ModelsOptions) {
    const common = { ...options, free: memoryFree };
    const begins = (kind: Kind, name: string) => {
      this.#fresh.set(`${kind} ${name}`, resident());
      options.onChange(); // it is there from now on, though not ready
    };
    this.rewards = new RewardRegistry({
      ...common,
      load: ({ name, path, ...run }) => {
        begins("reward", name);
        return loadReward(name, { weights: path, ...run });
      },
    });
    this.pipelines = new RewardRegistry({
      ...common,
      load: async ({ name, path, ...run }) => {
        begins("pipeline", name);
        const { path: known } = await locatePipeline(name).catch(() => ({ path: undefined }));
        return await loadPipeline(known === path ? name : path!, run);
      },
    });
  }

  loaded(): LoadedModel[] {
    const of = (kind: Kind, registry: RewardRegistry<Reward> | RewardRegistry<Pipeline>) =>
      registry.loaded().map(({ spec: { name }, ready }) => {
        const residentBytes = this.#grown.get(`${kind} ${name}`) ?? 0;
        return { name, kind, ready, residentBytes };
      });
    return [...of("reward", this.rewards), ...of("pipeline", this.pipelines)];
  }

  /** After a piece of work: what the models that were new to it have added. */
  measure(): void {
    const now = resident();
    for (const [key, before] of this.#fresh) this.#grown.set(key, Math.max(0, now - before) / this.#fresh.size);
    this.#fresh.clear();
  }

  /** Every model of that name and kind; what is at work goes when its work is done. */
  async unload(name: string, of?: ModelKind): Promise<void> {
    const registries = { reward: this.rewards, pipeline: this.pipelines };
    for (const registry of of ? [registries[of]] : Object.values(registries)) {
      const inUse = registry.loaded().some(({ spec, users }) => spec.name === name && users > 0);
      const gone = registry.unload(name);
      if (!inUse) await gone;
    }
  }

  /** Every model of that name and kind, so that its first work finds it there. */
  async load(name: string, of: ModelKind | undefined, computing: Computing): Promise<void> {
    const leases = new Leases(this, computing);
    try {
      const kind = Object.hasOwn(knownRewards, name) ? knownRewards[name] : undefined;
      if (kind && of !== "pipeline") for (const { reward } of await leases.rewards([name])) await reward.load();
      if ((!kind || kind.builtIn) && of !== "reward") await (await leases.pipeline(name)).condition(""); // two built-in ones share a name
    } finally {
      leases.release();
    }
  }
}

/**
 * By the texts name[=weight][@path], in their order; a weight that was not written is left to who uses it. The checkpoint is a part of
 * it: where a name has got another one, another reward is meant.
 */
export const specsOf = (texts: readonly string[], computing: Computing) =>
  Promise.all(
    parseRewardNames(texts, sameCheckpoint).map(async ({ name, weight, ...given }, index) => {
      const path = await checkpointOf(name, given.path);
      const spec: RewardSpec = { name, ...(path !== undefined && { path }), ...computing };
      return { spec, weight, weightGiven: /^[^@]*=/.test(texts[index]!) };
    }),
  );

/** What one work holds until its end. */
export class Leases {
  readonly #models: Models;
  readonly #computing: Computing;
  readonly #held: Lease<unknown>[] = [];

  constructor(models: Models, computing: Computing) {
    this.#models = models;
    this.#computing = computing;
  }

  async pipeline(nameOrPath: string, { dtype, threads }: LoadPipelineOptions = {}): Promise<Pipeline> {
    const spec = { ...(await locatePipeline(nameOrPath)), ...this.#computing };
    return await this.#hold(
      this.#models.pipelines.lease({ ...spec, ...(dtype && { dtype }), ...(threads && { threads }) }),
    );
  }

  async rewards(texts: readonly string[]): Promise<WeightedReward[]> {
    const found: WeightedReward[] = [];
    for (const { spec, weight, weightGiven } of await specsOf(texts, this.#computing)) {
      const reward = await this.#hold(this.#models.rewards.lease(spec));
      found.push({ reward, weight: weightGiven ? weight : undefined });
    }
    return found;
  }

  release(): void {
    for (const { release } of this.#held) release();
  }

  async #hold<R>(leasing: Promise<Lease<R>>): Promise<R> {
    const lease = await leasing;
    this.#held.push(lease as Lease<unknown>);
    return lease.reward;
  }
}
