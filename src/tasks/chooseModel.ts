// Which model makes the picture: the one said; else the one its file names; else the only one there is.

import { RequestError } from "../errors.ts";
import { findInHubCache } from "../reno/hubCache.ts";
import { builtInPipeline } from "../reno/loadPipeline.ts";
import { rewards } from "../scoring/loadReward.ts";
import { listStored, type StoredModel } from "../scoring/store.ts";
import { list } from "../weights/nearest.ts";

export interface Choice {
  /** For loadPipeline. */
  readonly model: string;
  /** A sentence for people, where they did not choose themselves. */
  readonly why?: string;
}

export interface Wanted {
  /** --model */
  readonly said?: string | undefined;
  /** The picture's file, and the model that it names. */
  readonly file?: string | undefined;
  readonly named?: string | undefined;
}

export async function chooseModel({ said, file, named }: Wanted): Promise<Choice> {
  if (said !== undefined) return { model: said };
  const stored = (await listStored()).filter(({ name }) => !Object.hasOwn(rewards, name));
  return named === undefined ? theOnlyOne(stored, file) : await theNamed(named, stored, file!);
}

async function theNamed(named: string, stored: readonly StoredModel[], file: string): Promise<Choice> {
  const says = `${file} says that it was made by "${named}"`;
  if (named === builtInPipeline.name) return { model: named, why: `${says}, the built-in demo model.` };
  const match = stored.find(({ name, path }) => sameName(name, named) || sameName(path, named));
  if (match) return { model: match.name, why: `${says}: the model "${match.name}" of the registry is used.` };
  const bare = stem(named);
  if (await findInHubCache(bare)) return { model: bare, why: `${says}, which the Hugging Face cache has.` };
  throw new RequestError(`${says}, which is no model that Renoir knows.`, {
    hint:
      `If you have it: \`renoir models add ${suggestedName(named)} PATH\`, or --model PATH. ` +
      "Otherwise --model with another one-step model begins from the same prompt and noise, but from another picture.",
  });
}

function theOnlyOne(stored: readonly StoredModel[], file: string | undefined): Choice {
  const says = file === undefined ? "No --model was given" : `${file} names no model`;
  if (stored.length === 0)
    return {
      model: builtInPipeline.name,
      why: `${says} and none was added: the built-in demo model "shapes" is used.`,
    };
  if (stored.length === 1)
    return { model: stored[0]!.name, why: `${says}: the only one that was added, "${stored[0]!.name}", is used.` };
  throw new RequestError(`${says}, and there are ${stored.length}: ${list(stored.map(({ name }) => name))}.`, {
    hint: `Choose one, as in --model ${stored[0]!.name}.`,
  });
}

/** Hosts write "sub/sd_turbo.safetensors" where people say "sd-turbo". */
const stem = (name: string): string =>
  name
    .replace(/^.*[/\\]/, "")
    .replace(/ \[[0-9a-f]{6,}\]$/i, "")
    .replace(/\.(safetensors|ckpt|pt|pth|bin)$/i, "");

const sameName = (a: string, b: string): boolean => plain(a) === plain(b);
const plain = (name: string): string =>
  stem(name)
    .toLowerCase()
    .replace(/[\s._-]+/g, "-");

/** As the registry wants names. */
const suggestedName = (named: string): string =>
  plain(named)
    .replace(/[^a-z0-9-]/g, "")
    .replace(/^-+/, "") || "my-model";
