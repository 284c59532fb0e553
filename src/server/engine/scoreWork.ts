// Pictures scored as `renoir score` scores them.

import { readMetadata } from "../../metadata/index.ts";
import type { RewardSpec } from "../../scoring/registry.ts";
import { isScored, type Picture, scoreAll } from "../../scoring/scorer.ts";
import { fingerprint } from "./fingerprint.ts";
import type { ScoredPicture, ScoreWork } from "./messages.ts";
import { type Models, specsOf } from "./models.ts";
import { toWire } from "./wire.ts";

/** In the order of the pictures. A reward that can not be loaded throws. */
export async function scoreWork({ pictures, rewards: texts, computing }: ScoreWork, models: Models) {
  const rewards = await specsOf(texts, computing);
  const versions = await Promise.all(rewards.map(({ spec }) => versionOf(spec)));
  const named = pictures.map(({ source, prompt, name }, index): Picture => {
    const file = name ?? (typeof source === "string" ? source : `Picture ${index + 1}`);
    return { file, source, prompt };
  });
  const results: ScoredPicture[] = [];
  for await (const outcome of scoreAll(named, { rewards, registry: models.rewards, promptOf })) {
    if (isScored(outcome)) {
      const { scores, total, prompt, approximate } = outcome;
      const by = Object.keys(scores).map((name, index) => [name, versions[index]!]);
      results.push({ scores, total, prompt, approximate, versions: Object.fromEntries(by) });
    } else results.push({ error: toWire(outcome.error) });
  }
  return results;
}

const promptOf = async ({ file, source }: Picture): Promise<string | undefined> =>
  (await readMetadata((source as string | Uint8Array | undefined) ?? file)).prompt ?? undefined;

/** The empty text where there is no checkpoint: loading says what is to be done about it. */
const versionOf = async ({ path }: RewardSpec): Promise<string> =>
  path === undefined ? "" : await fingerprint(path).catch(() => "");
