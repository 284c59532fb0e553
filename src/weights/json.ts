// JSON from strangers: UTF-8 or nothing, and no key said twice.
import { WeightError } from "../errors.ts";

/** Parses `bytes`; `what` names them in errors, as in "the header of x.safetensors". */
export function parseJson(what: string, bytes: Uint8Array): unknown {
  const text = decode(what, bytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(what, `is not JSON: ${(cause as Error).message}`, cause);
  }
  const twice = repeatedKey(text);
  if (twice === undefined) return value;
  throw damaged(what, `has the key "${twice}" twice, and readers differ in which one they believe`);
}

const damaged = (what: string, why: string, cause?: unknown) =>
  new WeightError(`${what[0]!.toUpperCase()}${what.slice(1)} ${why}.`, {
    hint: "Download the file again from its publisher.",
    cause,
  });

function decode(what: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw damaged(what, "is not text in UTF-8", cause);
  }
}

/** What it takes to walk text that JSON.parse has accepted. (One expression for a whole string overflows on long ones.) */
const tokens = /\\.|["{}]/g;
const colon = /\s*:/y;

/** JSON.parse keeps the last of two equal keys and says nothing; this finds such a key. */
function repeatedKey(text: string): string | undefined {
  const objects: Set<string>[] = [];
  let start: number | undefined; // of the string that we are in
  for (const { 0: token, index } of text.matchAll(tokens)) {
    if (start !== undefined) {
      if (token !== '"') continue;
      const key = keyAt(text, start, index + 1);
      start = undefined;
      if (key === undefined) continue;
      if (objects.at(-1)!.has(key)) return key;
      objects.at(-1)!.add(key);
    } else if (token === '"') start = index;
    else if (token === "{") objects.push(new Set());
    else objects.pop();
  }
  return undefined;
}

/** The string text[start..end) if a colon makes it a key. */
function keyAt(text: string, start: number, end: number): string | undefined {
  colon.lastIndex = end;
  return colon.test(text) ? JSON.parse(text.slice(start, end)) : undefined;
}
