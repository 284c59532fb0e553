// What settings may be beyond their form: each is refused before it is stored, so that nothing fails by it hours later.

import { constants } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { RequestError } from "../errors.ts";
import { rewards as known } from "../scoring/loadReward.ts";
import { parseRewardNames } from "../scoring/rewardName.ts";
import type { Settings } from "./api/system.ts";
import { parseUpstream } from "./gateway/upstream.ts";

export async function checkSettings({
  rewards,
  limits,
  outputFolder,
  upstream,
  gateway,
}: Partial<Settings>): Promise<void> {
  if (rewards) checkRewards(rewards);
  if (limits) for (const [reward, limit] of Object.entries(limits)) checkLimits(reward, limit);
  if (upstream) parseUpstream(upstream);
  if (gateway?.rewards) checkRewards(gateway.rewards.split(","));
  if (outputFolder !== undefined) await checkFolder(outputFolder);
}

function checkRewards(texts: readonly string[]): void {
  const unknown = parseRewardNames(texts).find(({ name }) => !Object.hasOwn(known, name));
  if (!unknown) return;
  throw new RequestError(`There is no reward "${unknown.name}"; there are ${Object.keys(known).join(", ")}.`);
}

function checkLimits(reward: string, { weak, great }: Settings["limits"][string]): void {
  if (weak <= great) return;
  throw new RequestError(`${reward}: weak below ${weak} and great from ${great} overlap.`, {
    hint: "Wanted is a limit for weak that is not above the one for great.",
  });
}

/** Made if need be: a folder that can not be made or written to is found out now, and not when a picture is to be kept. */
async function checkFolder(folder: string): Promise<void> {
  if (!isAbsolute(folder)) {
    throw new RequestError(`The output folder "${folder}" is no whole path.`, {
      hint: "Write it from the root on, as in /home/me/pictures or C:\\pictures.",
    });
  }
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK);
  } catch (cause) {
    const { message } = cause as Error;
    throw new RequestError(`Pictures can not be written into ${folder}: ${message}.`, {
      hint: "Choose a folder in which you may make files.",
      cause,
    });
  }
}
