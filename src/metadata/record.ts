// Renoir's own record of scores, the PNG chunk `renoir`: ASCII JSON { v, model?, scores, prompt, pixels }. Its two SHA-256 tell when
// the scores belong to another picture or prompt: Forge's Extras, for one, copies every chunk onto what it upscales (postprocessing.py:70).
import { createHash } from "node:crypto";
import { asObject, asString, parseJsonObject } from "./json.ts";

export const RECORD = "renoir";

export interface ScoreRecord {
  model?: string;
  scores: Record<string, number>;
  /** SHA-256 of the prompt's UTF-8; null where no prompt was known. */
  prompt: string | null;
  /** SHA-256 of what makes the picture; null in a sidecar of a format whose parts are not told apart. */
  pixels: string | null;
}

export function parseRecord(text: string | undefined): ScoreRecord | null {
  const json = parseJsonObject(text);
  const scores = asObject(json?.scores);
  if (json?.v !== 1 || !scores) return null;
  const numbers = Object.entries(scores).filter((entry): entry is [string, number] => typeof entry[1] === "number");
  const model = asString(json.model) ?? undefined;
  return { model, scores: Object.fromEntries(numbers), prompt: asString(json.prompt), pixels: asString(json.pixels) };
}

/** The same record always gives the same text, so that writing twice changes nothing. */
export function formatRecord({ model, scores, prompt, pixels }: ScoreRecord): string {
  const sorted = Object.fromEntries(Object.entries(scores).sort(([a], [b]) => (a < b ? -1 : 1)));
  return toAscii(JSON.stringify({ v: 1, model, scores: sorted, prompt, pixels }));
}

export function sha256(parts: string | Uint8Array | Iterable<Uint8Array>): string {
  const hash = createHash("sha256");
  if (typeof parts === "string" || parts instanceof Uint8Array) hash.update(parts);
  else for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

/** A sentence for each way in which the record no longer fits its file. */
export function staleness(record: ScoreRecord, prompt: string | null, pixels: string | null): string[] {
  const stale: string[] = [];
  if (record.prompt !== null && record.prompt !== promptHash(prompt)) {
    stale.push("The scores were made for another prompt than the file now has; score it again.");
  }
  if (record.pixels !== null && pixels !== null && record.pixels !== pixels) {
    stale.push("The picture was changed or encoded anew since it was scored; score it again.");
  }
  return stale;
}

export function promptHash(prompt: string | null): string | null {
  return prompt === null ? null : sha256(prompt);
}

function toAscii(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
