// The rewards by their names, and where their weights lie.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { RequestError } from "../errors.ts";
import type { Provider } from "../graph/index.ts";
import { openCheckpoint } from "../weights/open.ts";
import { loadBertTokenizer } from "./bertTokenizer.ts";
import { ImageReward } from "./imageReward.ts";
import type { Reward } from "./reward.ts";
import { findStored } from "./store.ts";

export interface LoadRewardOptions {
  /** The checkpoint; without it, the built-in one or the place that `renoir models` knows. */
  readonly weights?: string | undefined;
  readonly provider?: string | undefined;
  readonly dtype?: string | undefined;
  readonly threads?: number | undefined;
  /** Copies weights for 5-8 % more speed at scoring; see CompileOptions. */
  readonly prepack?: boolean | undefined;
}

interface Kind {
  readonly displayName: string;
  readonly builtIn?: { readonly weights: string; readonly vocabulary: string };
}

const asset = (path: string) => fileURLToPath(new URL(`../../assets/${path}`, import.meta.url));

/** Each reward by the name that people type. */
export const rewards: Readonly<Record<string, Kind>> = {
  imagereward: { displayName: "ImageReward" },
  shapes: {
    displayName: "Shapes",
    builtIn: { weights: asset("shapes/reward.safetensors"), vocabulary: asset("shapes/vocab.txt") },
  },
};

/** A reward ready to score: its checkpoint opened and checked, nothing of it read yet. */
export async function loadReward(name: string, options: LoadRewardOptions = {}): Promise<Reward> {
  const kind = rewards[name.toLowerCase()];
  if (!kind) {
    throw new RequestError(`There is no reward "${name}"; there are ${Object.keys(rewards).join(", ")}.`, {
      hint: "`renoir models list` shows them.",
    });
  }
  const path = options.weights ?? kind.builtIn?.weights ?? (await findStored(name))?.path;
  if (!path) {
    throw new RequestError(`The reward "${name}" has no checkpoint yet.`, {
      hint: `Fetch it with \`renoir models pull ${name}\`, or name the file: ${name}@path/to/checkpoint.pt.`,
    });
  }
  const vocabulary = kind.builtIn && (await readFile(kind.builtIn.vocabulary, "utf8")).trimEnd().split("\n");
  const { provider, threads, prepack } = options;
  return new ImageReward(await openCheckpoint(path), await loadBertTokenizer(vocabulary ? { vocabulary } : {}), {
    displayName: kind.displayName,
    provider: provider as Provider | "auto" | undefined,
    threads,
    prepack,
  });
}
