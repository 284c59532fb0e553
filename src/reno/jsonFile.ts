// The small files beside a model's weights: configurations and vocabularies, read whole and within bounds.

import { WeightError } from "../errors.ts";
import { readBytes, withFile } from "../weights/file.ts";
import { parseJson } from "../weights/json.ts";

/** The largest are tokenizer.json files with half a million tokens. */
const MAX_BYTES = 64 * 2 ** 20;

export type JsonObject = Readonly<Record<string, unknown>>;

export const isObject = (x: unknown): x is JsonObject => typeof x === "object" && x !== null && !Array.isArray(x);

export function readText(path: string): Promise<string> {
  return readWhole(path).then((bytes) => new TextDecoder().decode(bytes));
}

export async function readJsonObject(path: string): Promise<JsonObject> {
  const json = parseJson(path, await readWhole(path));
  if (isObject(json)) return json;
  throw new WeightError(`${path} holds ${JSON.stringify(json).slice(0, 40)}, but a JSON object was wanted.`, {
    hint: "Download the file again from its publisher.",
  });
}

function readWhole(path: string): Promise<Uint8Array> {
  return withFile(path, async ({ handle, size }) => {
    if (size <= MAX_BYTES) return readBytes(handle, 0, size);
    throw new WeightError(`${path} has ${size} bytes; at most ${MAX_BYTES} were wanted in such a file.`);
  });
}
