// Infotext, A1111's text about a picture: prompt, negative prompt, one line of parameters. Follows Forge's reader
// (modules/infotext_utils.py at dfdcbab6), as a scanner in linear time: its regular expression takes seconds for 32 kB without a colon.
import { rewardOf, scorePairs, scoreValue } from "./scoreNames.ts";

/** One "key: value" of a line. [start, end) covers the key to the comma, comma included. */
export interface Pair {
  key: string;
  value: string;
  start: number;
  end: number;
}

export interface Infotext {
  prompt: string;
  /** null where there is neither a negative prompt nor a line of parameters to say that it is empty. */
  negativePrompt: string | null;
  parameters: Map<string, string>;
  scores: Map<string, number>;
}

/** A line with fewer pairs is a part of the prompt to every host (infotext_utils.py:272). */
const FEWEST_PAIRS = 3;

// Python's \w and str.strip(), where JavaScript's differ: letters of all scripts count, U+FEFF is no white space, U+0085 is.
const WORD = /[\p{L}\p{N}_]/u;
const SPACES = new Set(
  "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000",
);

const isWord = (char: string) => WORD.test(char);
const isSpace = (char: string | undefined) => char !== undefined && SPACES.has(char);
const isKeyChar = (char: string) => char === " " || char === "-" || char === "/" || isWord(char);

export function readInfotext(text: string): Infotext {
  const layout = layOut(text);
  const parameters = new Map<string, string>();
  const scores = new Map<string, number>();
  for (const { key, value } of [...scanPairs(layout.line, { json: true }), ...layout.tail]) {
    const plain = unquote(value);
    const reward = rewardOf(key);
    const score = reward === null ? null : scoreValue(plain);
    if (score !== null) scores.set(reward!, score);
    else if (value !== "") parameters.set(key, plain); // the hosts drop a key without value as well
  }
  return { ...readPrompts(layout.head, layout.line !== ""), parameters, scores };
}

/** Whether hosts read the last line as parameters. A score must not be appended to any other text: it would become a prompt's end. */
export function hasParameterLine(text: string): boolean {
  const layout = layOut(text);
  return layout.line !== "" && layout.last;
}

/**
 * The text with the scores in its parameter line, and nothing else changed but white space at the end; the form
 * of ImageReward's own script (a line " ImageReward Score: 0.5812" at the end, which breaks every host's reader) moves into the line.
 * Text without a parameter line comes back as it is: see hasParameterLine.
 */
export const appendScores = (infotext: string, scores: Record<string, number>): string =>
  setParameters(
    infotext,
    scorePairs(scores).map(({ key, text }): [string, string] => [key, text]),
  );

/** The same for any parameters; one that is null goes from the line. */
export function setParameters(infotext: string, pairs: Iterable<readonly [string, string | null]>): string {
  const layout = layOut(infotext);
  if (layout.line === "" || !layout.last) return infotext;
  const rehomed = layout.tail.filter(({ value }) => scoreValue(value) !== null);
  const wanted = new Map<string, string | null>(rehomed.map(({ key, value }) => [key, value]));
  for (const [key, value] of pairs) wanted.set(key, value === null ? null : quote(value));
  return layout.start + setPairs(layout.line, wanted);
}

/** What a host would write for these: the prompt, a "Negative prompt:" line unless empty, one line of parameters. */
export function formatInfotext(prompt: string, negativePrompt: string, parameters: Iterable<[string, string]>): string {
  const line = [...parameters].map(([key, value]) => (key === value ? key : `${key}: ${quote(value)}`)).join(", ");
  return strip(`${prompt}\n${negativePrompt ? `Negative prompt: ${negativePrompt}\n` : ""}${line}`);
}

/** As infotext_utils.py:58 quotes: only what would end the value or the line. */
export function quote(value: string): string {
  return /[,\n:]/.test(value) ? JSON.stringify(value) : value;
}

/**
 * The pairs of one line, as findall of `\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)` gives them.
 * With json: true a value that opens with { or [ goes on to its closing brace, where the hosts cut it at its first comma (Civitai's "Hashes").
 */
export function scanPairs(line: string, { json = false } = {}): Pair[] {
  const pairs: Pair[] = [];
  let start = -1; // of the key that may be running here
  for (let i = 0; i < line.length; ) {
    const char = String.fromCodePoint(line.codePointAt(i)!);
    const next = i + char.length;
    if (char === ":" && start >= 0 && keyLength(line, start, i) >= 2) {
      const value = scanValue(line, next, json);
      pairs.push({ key: line.slice(start, i), value: value.text, start, end: value.end });
      start = -1;
      i = value.end;
      continue;
    }
    if (!isKeyChar(char)) start = -1;
    else if (start < 0 && isWord(char)) start = i;
    i = next;
  }
  return pairs;
}

/** In code points, 2 at most: as far as the rule "two characters or more" asks. */
function keyLength(line: string, start: number, end: number): number {
  const first = line.codePointAt(start)! > 0xffff ? 2 : 1;
  return start + first < end ? 2 : 1;
}

function scanValue(line: string, from: number, json: boolean): { text: string; end: number } {
  let start = from;
  while (isSpace(line[start])) start++;
  const closed =
    line[start] === '"'
      ? endOfString(line, start)
      : json && /[{[]/.test(line[start] ?? "")
        ? endOfJson(line, start)
        : -1;
  const whole = closed > 0 && (closed === line.length || line[closed] === ",");
  const comma = whole ? closed : line.indexOf(",", start);
  const stop = comma < 0 ? line.length : comma;
  return { text: line.slice(start, stop), end: Math.min(stop + 1, line.length) };
}

/** Behind the closing quote of the string that opens at `start`; -1 where there is none, or nothing between the two. */
function endOfString(line: string, start: number): number {
  for (let i = start + 1; i < line.length; i++) {
    if (line[i] === "\\") i++;
    else if (line[i] === '"') return i > start + 1 ? i + 1 : -1;
  }
  return -1;
}

/** Behind the brace that closes the one at `start`; -1 where none does. */
function endOfJson(line: string, start: number): number {
  let depth = 0;
  for (let i = start; i < line.length; i++) {
    const char = line[i];
    if (char === '"') {
      while (++i < line.length && line[i] !== '"') if (line[i] === "\\") i++;
    } else if (char === "{" || char === "[") depth++;
    else if ((char === "}" || char === "]") && --depth === 0) return i + 1;
  }
  return -1;
}

function unquote(value: string): string {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) return value;
  try {
    return String(JSON.parse(value));
  } catch {
    return value; // as the hosts do: a broken string stays as it stands
  }
}

interface Layout {
  /** The lines of prompt and negative prompt. */
  head: string[];
  /** All that stands before the parameter line, as it stands. */
  start: string;
  /** The parameter line; "" where there is none. */
  line: string;
  /** Whether the hosts see it: nothing but scores' own lines follow. */
  last: boolean;
  /** The scores below it. */
  tail: Pair[];
}

function layOut(text: string): Layout {
  const lines = stripEnd(text).split("\n");
  const tail: Pair[] = [];
  let count = lines.length;
  for (; count > 0; count--) {
    const line = strip(lines[count - 1]!);
    const scores = line === "" ? [] : legacyScores(line);
    if (scores === null) break;
    tail.unshift(...scores);
  }
  const at = isJsonObject(text) ? -1 : parameterLineBefore(lines, count);
  const head = lines.slice(0, at < 0 ? count : at);
  const start = head.map((line) => `${line}\n`).join("");
  const line = at < 0 ? "" : stripEnd(lines[at]!);
  return { head: at === 0 ? [] : strip(head.join("\n")).split("\n"), start, line, last: at === count - 1, tail };
}

/** The last line if it holds parameters; else the last that begins as A1111's does, above what some extension put below it. */
function parameterLineBefore(lines: string[], count: number): number {
  if (count === 0) return -1;
  if (isParameters(lines[count - 1]!)) return count - 1;
  for (let i = count - 2; i > 0; i--) if (lines[i]!.startsWith("Steps: ") && isParameters(lines[i]!)) return i;
  return -1;
}

/** Fooocus and SwarmUI keep JSON where others keep infotext; on one line it can look like pairs. */
function isJsonObject(text: string): boolean {
  if (!/^\s*\{\s*["}]/.test(text)) return false; // a prompt's {a|b} is none
  try {
    return typeof JSON.parse(text) === "object";
  } catch {
    return false;
  }
}

const isParameters = (line: string) => scanPairs(line).length >= FEWEST_PAIRS;

/** The pairs of a line that holds nothing but " X Score: 0.1234" (sdwebui/image_reward.py:94 of ImageReward); null for any other line. */
function legacyScores(line: string): Pair[] | null {
  if (line.length > 4096) return null;
  const pairs = scanPairs(line);
  const covered = pairs.reduce((sum, { start, end }) => sum + end - start, 0);
  const gaps = pairs.reduce((sum, { start }, i) => sum + start - (pairs[i - 1]?.end ?? 0), 0);
  const onlyScores = pairs.every(
    ({ key, value }) => rewardOf(key) && / Score$/.test(key) && /^(-?\d+\.\d{4}|nan|-?inf)\s*$/.test(value),
  );
  return pairs.length > 0 && onlyScores && covered + gaps === line.length ? pairs : null;
}

/** Sets each key once: where it stands last, else at the end. Earlier ones of the same key go, since readers differ in which they take. */
function setPairs(line: string, wanted: Map<string, string | null>): string {
  const pairs = scanPairs(line, { json: true });
  const last = new Map(pairs.map(({ key }, i): [string, number] => [key, i]));
  let text = "";
  let from = 0;
  pairs.forEach(({ key, start, end }, i) => {
    const value = wanted.get(key);
    if (value === undefined) return;
    text += line.slice(from, start);
    from = end;
    if (value !== null && last.get(key) === i) text += `${key}: ${value}${line[end - 1] === "," ? "," : ""}`;
    else while (isSpace(line[from])) from++;
  });
  text = stripEnd(text + line.slice(from));
  if (!line.endsWith(",")) text = text.replace(/,$/, ""); // behind it the last pair has gone
  for (const [key, value] of wanted) {
    if (value !== null && !last.has(key)) text += `${text.endsWith(",") ? "" : ","} ${key}: ${value}`;
  }
  return text;
}

/** infotext_utils.py:276: the first line that says so begins the negative prompt, and every later one loses the words too. */
function readPrompts(lines: string[], hasParameters: boolean): { prompt: string; negativePrompt: string | null } {
  const positive: string[] = [];
  const negative: string[] = [];
  let seen = false;
  for (const raw of lines) {
    const line = strip(raw);
    const says = line.startsWith("Negative prompt:");
    seen ||= says;
    const part = seen ? negative : positive;
    const text = says ? strip(line.slice("Negative prompt:".length)) : line;
    if (text !== "" || part.length > 0) part.push(text); // leading empty lines vanish, as they do there
  }
  return { prompt: positive.join("\n"), negativePrompt: seen || hasParameters ? negative.join("\n") : null };
}

function stripEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text[end - 1])) end--;
  return text.slice(0, end);
}

function strip(text: string): string {
  let start = 0;
  while (isSpace(text[start])) start++;
  return stripEnd(text.slice(start));
}
