// The registry that commands and the server use: of all the rewards that there are.

import { loadReward } from "./loadReward.ts";
import { type RegistryOptions, RewardRegistry } from "./registry.ts";
import type { Reward } from "./reward.ts";

export const rewardRegistry = (options: Omit<RegistryOptions<Reward>, "load"> = {}): RewardRegistry<Reward> =>
  new RewardRegistry({ load: ({ name, path, ...run }) => loadReward(name, { weights: path, ...run }), ...options });
