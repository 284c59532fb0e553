// The rewards by their names, and where their weights lie.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { RequestError } from "../errors.ts";
import { chooseDType, type Provider } from "../graph/index.ts";
import { openCheckpoint } from "../weights/checkpoint.ts";
import { loadBertTokenizer } from "./bertTokenizer.ts";
import { ImageReward } from "./imageReward.ts";
import { int8Checkpoint } from "./int8.ts";
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
  const path = await checkpointOf(name, options.weights);
  if (!path) {
    throw new RequestError(`The reward "${name}" has no checkpoint yet.`, {
      hint: `Fetch it with \`renoir models pull ${name}\`, or name the file: ${name}@path/to/checkpoint.pt.`,
    });
  }
  const vocabulary = kind.builtIn && (await readFile(kind.builtIn.vocabulary, "utf8")).trimEnd().split("\n");
  const checkpoint = await openCheckpoint(path);
  const dtype = parseDType(options.dtype);
  const int8 = dtype === "int8";
  const provider = options.provider as Provider | "auto" | undefined;
  return new ImageReward(checkpoint, await loadBertTokenizer(vocabulary ? { vocabulary } : {}), {
    displayName: kind.displayName,
    int8: int8 ? await int8Checkpoint(checkpoint) : undefined,
    dtype: await chooseDType(dtype === "float16" ? dtype : "float32", { provider }), // scores are to be exact unless asked
    provider,
    threads: options.threads,
    prepack: options.prepack ?? int8, // the eight-bit product is only fast on reordered weights
  });
}

/** Where a reward's checkpoint lies: at the path given, with Renoir, or where the registry on disk says. */
export const checkpointOf = async (name: string, path?: string): Promise<string | undefined> =>
  path ?? rewards[name.toLowerCase()]?.builtIn?.weights ?? (await findStored(name))?.path;

const dtypes = ["auto", "float32", "float16", "int8"] as const;

function parseDType(text = "auto"): (typeof dtypes)[number] {
  const known = dtypes.find((dtype) => dtype === text);
  if (known) return known;
  throw new RequestError(
    `Rewards are not computed in ${JSON.stringify(text)}; wanted is auto, float32, float16 or int8.`,
    {
      hint: "auto is float32, on every provider; float16 and int8 are approximate.",
    },
  );
}
