// A checkpoint in several files, and the index that says which tensor is in which: *.safetensors.index.json, *.bin.index.json.
// After transformers' and huggingface_hub's writers: { metadata: { total_size }, weight_map: { tensor: file } }.
import { basename, dirname, join } from "node:path";
import { WeightError } from "../errors.ts";
import type { Checkpoint, StoredTensor } from "./checkpoint.ts";
import { count, type OpenFile, readBytes } from "./file.ts";
import { parseJson } from "./json.ts";
import { list, nearest } from "./nearest.ts";
import { MAX_TENSORS } from "./tensor.ts";

/** At 100 bytes a tensor, room for 2^18 of them. */
export const MAX_INDEX_BYTES = 32 * 2 ** 20;
/** The largest published models are in a few hundred; each is opened. */
export const MAX_SHARDS = 4096;

/** `openShard` opens one file, and refuses another index. */
export async function openSharded(
  file: OpenFile,
  openShard: (path: string) => Promise<Checkpoint>,
): Promise<Checkpoint> {
  const weightMap = await readWeightMap(file);
  const shards = await openShards(file, weightMap, openShard);
  const tensors = new Map<string, StoredTensor>();
  for (const [name, shardName] of weightMap) {
    const shard = shards.get(shardName)!;
    const tensor = shard.tensors.get(name);
    if (!tensor) throw notInShard(file, name, shard);
    tensors.set(name, tensor);
  }
  return { path: file.path, name: file.name, kind: "sharded", tensors, metadata: {} };
}

async function readWeightMap(file: OpenFile): Promise<Map<string, string>> {
  const refuse = (why: string) =>
    new WeightError(`${file.name} is no index of a checkpoint: ${why}.`, {
      hint: "An index has a weight_map that gives each tensor's file. Download it again, or give a .safetensors file.",
    });
  if (file.size > MAX_INDEX_BYTES)
    throw refuse(`it has ${count(file.size)} bytes, more than ${count(MAX_INDEX_BYTES)}`);
  const index = parseJson(file.name, await readBytes(file.handle, 0, file.size)) as {
    weight_map?: unknown;
    error?: unknown;
  } | null;
  const said = typeof index?.error === "string" ? `, and says the error "${index.error.slice(0, 200)}"` : "";
  if (typeof index?.weight_map !== "object" || index.weight_map === null) throw refuse(`it has no weight_map${said}`);
  const entries = Object.entries(index.weight_map);
  if (entries.length > MAX_TENSORS)
    throw refuse(`it lists ${count(entries.length)} tensors, more than ${count(MAX_TENSORS)}`);
  for (const [name, shard] of entries) {
    if (typeof shard !== "string" || !isPlainName(shard)) {
      throw refuse(`it gives ${JSON.stringify(shard)} as the file of "${name}", but shards lie beside their index`);
    }
  }
  return new Map(entries as [string, string][]);
}

/** A file's name without any path: an index may not point to other folders. */
const isPlainName = (name: string) => name !== "" && name === basename(name) && !/[\\/:\0]|^\.{1,2}$/.test(name);

async function openShards(
  file: OpenFile,
  weightMap: ReadonlyMap<string, string>,
  openShard: (path: string) => Promise<Checkpoint>,
) {
  const names = [...new Set(weightMap.values())];
  if (names.length > MAX_SHARDS)
    throw new WeightError(`${file.name} names ${names.length} shards, more than ${MAX_SHARDS}.`);
  const shards = new Map<string, Checkpoint>();
  for (const name of names) {
    // Beside the index as the user gave it: in a hub cache both are links to files elsewhere.
    shards.set(
      name,
      await openShard(join(dirname(file.path), name)).catch((error) => rethrow(file, name, names, error)),
    );
  }
  return shards;
}

function rethrow(file: OpenFile, name: string, names: readonly string[], cause: unknown): never {
  if (!(cause instanceof WeightError)) throw cause;
  throw new WeightError(`${file.name} needs ${names.length} files, and "${name}" can not be used: ${cause.message}`, {
    hint: cause.hint ?? `Put all of them into one folder with ${file.name}.`,
    cause,
  });
}

const notInShard = (file: OpenFile, name: string, shard: Checkpoint) =>
  new WeightError(
    `${file.name} says that tensor "${name}" is in ${shard.name}, but it is not. ` +
      `The nearest names in it are ${list(nearest(name, shard.tensors.keys()))}.`,
    { hint: "The index and its files belong to different downloads: download all of them again." },
  );
