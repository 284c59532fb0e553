// The form of Generate as a value.

import type { GenerateRequest } from "../../../../src/server/api/jobs.ts";
import type { Model, Settings } from "../../../../src/server/api/system.ts";
import type { GenerateBody } from "../../api.ts";

export interface Values {
  readonly prompt: string;
  readonly negativePrompt: string;
  readonly model: string;
  /** Empty: any. */
  readonly seed: string;
  readonly count: number;
  /** undefined: what the model was made for. */
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly rewards: readonly string[];
}

const isReady = ({ state }: Model) => state === "ready";
export const pipelinesOf = (models: readonly Model[]) =>
  models.filter((model) => model.kind === "pipeline" && isReady(model));
export const rewardsOf = (models: readonly Model[]) =>
  models.filter((model) => model.kind === "reward" && isReady(model));

export const isDemo = (models: readonly Model[], name: string) =>
  models.some((model) => model.name === name && model.kind === "pipeline" && model.builtIn);

/** A model of one's own comes before the demo. */
export function valuesFor(
  models: readonly Model[],
  settings: Settings,
  earlier: Partial<GenerateRequest> = {},
): Values {
  const pipelines = pipelinesOf(models);
  const model = (pipelines.find(({ builtIn }) => !builtIn) ?? pipelines[0])?.name ?? "";
  return {
    prompt: earlier.prompt ?? "",
    negativePrompt: earlier.negativePrompt ?? "",
    model: earlier.model ?? model,
    seed: earlier.seed ?? "",
    count: earlier.count ?? 4,
    width: earlier.width,
    height: earlier.height,
    rewards: earlier.rewards ?? (isDemo(models, earlier.model ?? model) ? demoRewards(models) : settings.rewards),
  };
}

export const demoRewards = (models: readonly Model[]) =>
  rewardsOf(models)
    .filter(({ builtIn }) => builtIn)
    .map(({ name }) => name);

export function problemOf({ prompt, seed, model }: Values): string | undefined {
  if (!model) return "No model is there that draws.";
  if (!prompt.trim()) return "Say what to draw.";
  if (!/^\d{0,20}$/.test(seed)) return "A seed is a whole number of up to 20 digits.";
  return undefined;
}

export function requestOf({
  prompt,
  negativePrompt,
  model,
  seed,
  count,
  width,
  height,
  rewards,
}: Values): GenerateBody {
  return {
    prompt,
    model,
    count,
    ...(negativePrompt && { negativePrompt }),
    ...(seed && { seed }),
    ...(width && { width }),
    ...(height && { height }),
    ...(rewards.length > 0 && { rewards: [...rewards] }),
  };
}
