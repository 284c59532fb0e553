// JSON as hosts write it: Python's NaN and Infinity, and seeds of 64 bits, which JSON.parse would round (Node 20 has no source text access).

export type Json = null | boolean | number | bigint | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** Marks an integer that a number can not hold; U+0001 never stands unescaped in JSON. */
const BIG = "\u0001";

/** null where the text is no JSON object. Seeds beyond 2^53 come as bigint, NaN and the infinities as null. */
export function parseJsonObject(text: string | undefined): JsonObject | null {
  if (text === undefined || !/^\s*\{/.test(text)) return null;
  try {
    const plain = toPlainJson(text);
    const value: Json = plain === text ? JSON.parse(text) : JSON.parse(plain, restoreBig);
    return asObject(value);
  } catch {
    return null; // not JSON, or nested deeper than the stack
  }
}

export function asObject(value: Json | undefined): JsonObject | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
}

export function asString(value: Json | undefined): string | null {
  return typeof value === "string" ? value : null;
}

/** A number, or a text that is one. */
export function asNumber(value: Json | undefined): number | null {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : null;
}

function restoreBig(_key: string, value: unknown): unknown {
  return typeof value === "string" && value.startsWith(BIG) ? BigInt(value.slice(1)) : value;
}

/** Replaces, outside of strings, what JSON does not know. One pass: strings are stepped over, not matched, since they can have megabytes. */
function toPlainJson(text: string): string {
  let plain = "";
  let from = 0;
  const token = /"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|-?Infinity|NaN/g;
  for (let match = token.exec(text); match; match = token.exec(text)) {
    const [word] = match;
    if (word === '"') {
      token.lastIndex = behindString(text, match.index);
      continue;
    }
    const other = replacement(word);
    if (other === word) continue;
    plain += text.slice(from, match.index) + other;
    from = match.index + word.length;
  }
  return plain + text.slice(from);
}

function replacement(word: string): string {
  if (/[yN]/.test(word)) return "null";
  const unsafe = /^-?\d{16,30}$/.test(word) && !Number.isSafeInteger(Number(word));
  return unsafe ? `"\\u0001${word}"` : word;
}

function behindString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i + 1;
  }
  return text.length;
}
