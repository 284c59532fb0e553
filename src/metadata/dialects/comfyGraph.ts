// ComfyUI's `prompt`: nodes by id, each with class_type and inputs, an input being a value or a link [id, output slot]. Subgraphs come
// flattened, with ids like "12:5". Node packs are without number, so rules go by what inputs are called, not by lists of classes.
import { asObject, type Json, type JsonObject } from "../json.ts";

export interface GraphNode {
  id: string;
  type: string;
  inputs: JsonObject;
}

export type Role = "positive" | "negative";

/** Graphs come from strangers' files: loops end by the visited sets, long chains here. ComfyUI's own largest templates have about 150 nodes. */
const MAX_DEPTH = 500;
const MAX_VISITS = 20_000;

/** Inputs that lead from a picture to what steered it, and not to the picture that it was made from. */
const NO_PICTURE =
  /model|clip|vae|^pos|^neg|cond|control|guider|noise|sampler|sigmas|mask|lora|hook|style|text|prompt|seed|^width|^height/i;
const TEXT = /^(?:text|prompt|string|str|value|t5xxl|clip_[lgh]|llama|input|any)(?:_?[a-z]|_?\d+)?$/i;
const TEXT_JOINED = /concat|join|combine|merge/i;
const PRIMITIVE = /^(?:value|seed|noise_seed|int|float|number|string|text|input)$/i;

export class Graph {
  readonly nodes: ReadonlyMap<string, GraphNode>;
  private visits = 0;

  constructor(nodes: Iterable<GraphNode>) {
    this.nodes = new Map([...nodes].map((node) => [node.id, node]));
  }

  static parse(prompt: JsonObject): Graph | null {
    const nodes: GraphNode[] = [];
    for (const [id, value] of Object.entries(prompt)) {
      const node = asObject(value);
      if (typeof node?.class_type !== "string") continue;
      nodes.push({ id, type: node.class_type, inputs: asObject(node.inputs) ?? {} });
    }
    return nodes.length > 0 ? new Graph(nodes) : null;
  }

  /** The node that a link comes from; undefined where the value is no link or leads nowhere. */
  source(value: Json | undefined): GraphNode | undefined {
    if (!Array.isArray(value) || value.length !== 2 || typeof value[1] !== "number") return undefined;
    return this.nodes.get(String(value[0]));
  }

  /** The samplers a saved picture went through, the last one first, the one that began it at the end. */
  samplersBehind(node: GraphNode, seen = new Set<string>(), depth = 0): GraphNode[] {
    if (seen.has(node.id) || depth > MAX_DEPTH) return [];
    seen.add(node.id);
    const links = Object.entries(node.inputs).filter(([name]) => !NO_PICTURE.test(name));
    let behind: GraphNode[] = [];
    for (const [, value] of links) {
      const source = this.source(value);
      if (source) behind = this.samplersBehind(source, seen, depth + 1);
      if (behind.length > 0) break;
    }
    return this.isSampler(node) ? [node, ...behind] : behind;
  }

  isSampler({ type, inputs }: GraphNode): boolean {
    const linked = (name: string) => this.source(inputs[name]) !== undefined;
    if (linked("guider")) return true;
    const sampler = /sampler/i.test(type);
    if (linked("positive")) return sampler || "seed" in inputs || "noise_seed" in inputs;
    return sampler && (linked("conditioning") || linked("pipe") || linked("basic_pipe"));
  }

  /** What a sampler was told: its own conditioning, or its guider's, or its pipe's. */
  textAt({ inputs }: GraphNode, role: Role): string | null {
    this.visits = 0;
    const conditioning = role === "positive" ? inputs.conditioning : inputs.neg_conditioning;
    const value = inputs[role] ?? conditioning ?? inputs.guider ?? inputs.pipe ?? inputs.basic_pipe;
    return this.text(value, role, []);
  }

  /** The text behind a value: "" where it is empty on purpose (ConditioningZeroOut), null where there is none. */
  private text(value: Json | undefined, role: Role, path: string[]): string | null {
    if (typeof value === "string") return value;
    const node = this.source(value);
    if (!node || path.includes(node.id) || path.length > MAX_DEPTH || ++this.visits > MAX_VISITS) return null;
    return this.textOfNode(node, role, [...path, node.id]);
  }

  private textOfNode(node: GraphNode, role: Role, path: string[]): string | null {
    if (/ZeroOut/i.test(node.type)) return "";
    const { inputs } = node;
    const read = (value: Json | undefined) => this.text(value, role, path);
    const chosen = inputs[`input${inputs.select}`]; // Impact Pack's switch
    if (chosen !== undefined) return read(chosen);
    if (typeof inputs.populated_text === "string" && inputs.populated_text !== "") return inputs.populated_text;
    const own = ofRole(inputs, role)
      .map(read)
      .find((text) => text !== null);
    if (own !== undefined) return own;
    if (role === "negative" && /guider/i.test(node.type)) return ""; // BasicGuider has none
    const texts = entries(inputs, TEXT).map(read);
    if (texts.some((text) => text !== null)) return joinTexts(node, texts);
    const steered = entries(inputs, /cond/i).map(read);
    if (steered.some((text) => text !== null)) return distinct(steered);
    return this.throughAnyLink(inputs, read);
  }

  /** Reroutes, bypasses, set-area nodes: whatever hands on what it was given. */
  private throughAnyLink(inputs: JsonObject, read: (value: Json | undefined) => string | null): string | null {
    for (const [name, value] of Object.entries(inputs)) {
      if (!this.source(value) || /model|clip|vae|image|mask|latent|samples|pixels|control/i.test(name)) continue;
      const text = read(value);
      if (text !== null) return text;
    }
    return null;
  }

  /** The nearest value by one of these names, from a node or from what it is linked to. */
  find(from: Json | undefined, names: readonly string[]): Json | undefined {
    const node = this.findNode(from, ({ inputs }) => names.some((name) => this.literal(inputs[name]) !== undefined));
    const name = names.find((each) => this.literal(node?.inputs[each]) !== undefined);
    return name === undefined ? undefined : this.literal(node!.inputs[name]);
  }

  findNode(from: Json | undefined, fits: (node: GraphNode) => boolean): GraphNode | undefined {
    const queue = [this.source(from)];
    const seen = new Set(queue);
    for (const node of queue) {
      if (!node) continue;
      if (fits(node)) return node;
      for (const value of Object.values(node.inputs)) {
        const next = this.source(value);
        if (next && !seen.has(next)) queue.push(next);
        seen.add(next);
      }
    }
    return undefined;
  }

  /** A value, or the one in the primitive node that it is linked to. */
  literal(value: Json | undefined, depth = 0): string | number | bigint | undefined {
    if (typeof value === "string" || typeof value === "number" || typeof value === "bigint") return value;
    const node = this.source(value);
    if (!node || depth > 20) return undefined;
    const name = Object.keys(node.inputs).find((each) => PRIMITIVE.test(each));
    return name === undefined ? undefined : this.literal(node.inputs[name], depth + 1);
  }
}

/** "positive", "positive_prompt", "text_positive", ... */
function ofRole(inputs: JsonObject, role: Role): Json[] {
  return entries(inputs, new RegExp(`^(?:text_|prompt_)?${role}(?:_prompt|_text)?$`, "i"));
}

function entries(inputs: JsonObject, names: RegExp): Json[] {
  return Object.entries(inputs).flatMap(([name, value]) => (names.test(name) ? [value] : []));
}

/** Strings are joined as the node joins them; an encoder's several texts (SDXL's g and l, Flux's clip_l and t5xxl) count once each. */
function joinTexts(node: GraphNode, texts: (string | null)[]): string {
  const { delimiter, separator } = node.inputs;
  const between = [delimiter, separator].find((value) => typeof value === "string") as string | undefined;
  const joins = between !== undefined || TEXT_JOINED.test(node.type);
  return joins ? texts.filter((text) => text !== null).join((between ?? "").replaceAll("\\n", "\n")) : distinct(texts);
}

function distinct(texts: (string | null)[]): string {
  return [...new Set(texts.filter((text) => text !== null && text.trim() !== ""))].join(", ");
}
