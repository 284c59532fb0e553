// Texts and numbers that ComfyUI's own nodes put together (a125cd84, comfy_extras/nodes_primitive.py and nodes_string.py).

import type { Graph } from "../../metadata/dialects/comfyGraph.ts";
import type { Json } from "../../metadata/json.ts";

/** A number, or the one in the primitive node that it is linked to. */
export function numberAt(graph: Graph, value: Json | undefined): number | undefined {
  const literal = graph.literal(value);
  return typeof literal === "number" ? literal : typeof literal === "bigint" ? Number(literal) : undefined;
}

/** undefined where a text comes from a node that is not known here, or is none. */
export function textBehind(graph: Graph, value: Json | undefined, depth = 0): string | undefined {
  if (typeof value === "string") return value;
  const node = graph.source(value);
  const make = node && stringNodes[node.type];
  if (!make || depth > maxDepth) return undefined;
  return make(
    (name) => textBehind(graph, node.inputs[name], depth + 1),
    (name) => numberAt(graph, node.inputs[name]),
    (name) => node.inputs[name] === true,
  );
}

/** Loops end here. */
const maxDepth = 50;

type Text = (name: string) => string | undefined;
type Count = (name: string) => number | undefined;
type Flag = (name: string) => boolean;
type Make = (text: Text, number: Count, is: Flag) => string | undefined;

const stringNodes: Readonly<Record<string, Make>> = {
  PrimitiveString: (text) => text("value"),
  PrimitiveStringMultiline: (text) => text("value"),
  StringConcatenate: (text) => whole([text("string_a"), text("delimiter"), text("string_b")]),
  StringReplace(text) {
    const [string, find, replace] = [text("string"), text("find"), text("replace")];
    return find === undefined || replace === undefined ? undefined : string?.replaceAll(find, () => replace);
  },
  RegexReplace: (text, number, is) =>
    patternReplaced({
      text: text("string"),
      pattern: text("regex_pattern"),
      by: text("replace"),
      flags: `g${is("case_insensitive") ? "i" : ""}${is("multiline") ? "m" : ""}${is("dotall") ? "s" : ""}`,
      count: number("count") || Number.POSITIVE_INFINITY,
    }),
  StringTrim: (text) => changed(text("string"), trims[text("mode") ?? ""]),
  CaseConverter: (text) => changed(text("string"), cases[text("mode") ?? ""]),
  /** Python counts characters, and not halves of them. */
  StringSubstring: (text, number) =>
    changed(text("string"), (string) => Array.from(string).slice(number("start"), number("end")).join("")),
};

type Change = (text: string) => string;

const changed = (text: string | undefined, change: Change | undefined) =>
  text === undefined ? undefined : change?.(text);

function whole(parts: readonly (string | undefined)[]): string | undefined {
  return parts.includes(undefined) ? undefined : parts.join("");
}

const trims: Readonly<Record<string, Change>> = {
  Both: (text) => text.trim(),
  Left: (text) => text.trimStart(),
  Right: (text) => text.trimEnd(),
};

const capitalized = ([first = "", ...rest]: string) => first.toUpperCase() + rest.join("").toLowerCase();

const cases: Readonly<Record<string, Change>> = {
  UPPERCASE: (text) => text.toUpperCase(),
  lowercase: (text) => text.toLowerCase(),
  Capitalize: capitalized,
  "Title Case": (text) => text.replace(/\p{L}+/gu, capitalized),
};

interface Replacing {
  readonly text: string | undefined;
  readonly pattern: string | undefined;
  readonly by: string | undefined;
  readonly flags: string;
  /** How often at most. */
  readonly count: number;
}

/** Python's patterns and JavaScript's mean the same in plain English without names, looks behind and ends of lines. */
const alike = /^(?:[^\\$(]|\((?!\?)|\(\?[:=!]|\\[^AZabfnruvxU\d]|\\[bn])*$/;
const plainEnglish = /^[\n\x20-\x7e]*$/;

function patternReplaced({ text, pattern, by, flags, count }: Replacing): string | undefined {
  if (text === undefined || pattern === undefined || by === undefined) return undefined;
  if (!plainEnglish.test(text + pattern) || !alike.test(pattern) || /\\[^\d\\]/.test(by)) return undefined;
  let left = count;
  return text.replaceAll(new RegExp(pattern, flags), (found: string, ...groups: (string | number)[]) =>
    left-- > 0
      ? by.replace(/\\(\d|\\)/g, (_, which) => (which === "\\" ? "\\" : groupOf(found, groups, which)))
      : found,
  );
}

const groupOf = (found: string, groups: readonly (string | number | undefined)[], which: string): string =>
  which === "0" ? found : String(groups[Number(which) - 1] ?? "");
