// Texts that ComfyUI's own nodes put together (a125cd84, comfy_extras/nodes_primitive.py and nodes_string.py).

import type { Graph } from "../../metadata/dialects/comfyGraph.ts";
import type { Json, JsonObject } from "../../metadata/json.ts";

/** undefined where a text comes from a node that is not known here, or is none. */
export function textBehind(graph: Graph, value: Json | undefined, depth = 0): string | undefined {
  if (typeof value === "string") return value;
  const node = graph.source(value);
  const make = node && stringNodes[node.type];
  if (!make || depth > maxDepth) return undefined;
  return make((name) => textBehind(graph, node.inputs[name], depth + 1), numberOf(graph, node.inputs));
}

/** Loops end here. */
const maxDepth = 50;

type Text = (name: string) => string | undefined;
type Number_ = (name: string) => number | undefined;
type Make = (text: Text, number: Number_) => string | undefined;

const numberOf =
  (graph: Graph, inputs: JsonObject): Number_ =>
  (name) => {
    const value = graph.literal(inputs[name]);
    return value === undefined ? undefined : Number(value);
  };

const stringNodes: Readonly<Record<string, Make>> = {
  PrimitiveString: (text) => text("value"),
  PrimitiveStringMultiline: (text) => text("value"),
  StringConcatenate: (text) => whole([text("string_a"), text("delimiter"), text("string_b")]),
  StringReplace(text) {
    const [string, find, replace] = [text("string"), text("find"), text("replace")];
    return find === undefined || replace === undefined ? undefined : string?.replaceAll(find, () => replace);
  },
  StringTrim: (text) => trims[text("mode") ?? ""]?.(text("string") ?? ""),
  CaseConverter: (text) => cases[text("mode") ?? ""]?.(text("string") ?? ""),
  /** Python counts characters, and not halves of them. */
  StringSubstring: (text, number) =>
    Array.from(text("string") ?? "")
      .slice(number("start"), number("end"))
      .join(""),
};

function whole(parts: readonly (string | undefined)[]): string | undefined {
  return parts.includes(undefined) ? undefined : parts.join("");
}

const trims: Readonly<Record<string, (text: string) => string>> = {
  Both: (text) => text.trim(),
  Left: (text) => text.trimStart(),
  Right: (text) => text.trimEnd(),
};

const capitalized = ([first = "", ...rest]: string) => first.toUpperCase() + rest.join("").toLowerCase();

const cases: Readonly<Record<string, (text: string) => string>> = {
  UPPERCASE: (text) => text.toUpperCase(),
  lowercase: (text) => text.toLowerCase(),
  Capitalize: capitalized,
  "Title Case": (text) => text.replace(/\p{L}+/gu, capitalized),
};
