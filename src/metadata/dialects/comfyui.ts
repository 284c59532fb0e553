// ComfyUI: `prompt` (the graph that ran) in PNG text, in the private chunk `comf`, or in WebP's EXIF as "prompt:{json}". The prompt
// is found by walking from the saved picture back to the sampler that began it, and from there to its texts.
import { asObject, asString, type Json, type JsonObject, parseJsonObject } from "../json.ts";
import { Graph, type GraphNode } from "./comfyGraph.ts";
import { type Dialect, type Reading, reading, seedOf, setSize, type Texts } from "./dialect.ts";

/** [infotext's name, the sampler's input that leads to it, the names it goes by there]; "" stands for the sampler itself. */
const SETTINGS: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["Steps", ["", "sigmas", "pipe"], ["steps"]],
  ["Sampler", ["", "sampler", "pipe"], ["sampler_name"]],
  ["Schedule type", ["", "sigmas", "pipe"], ["scheduler"]],
  ["CFG scale", ["", "guider", "pipe"], ["cfg"]],
  ["Distilled CFG Scale", ["positive", "guider", "conditioning"], ["guidance"]],
  ["Denoising strength", ["", "sigmas"], ["denoise"]],
  ["Model", ["model", "guider", "pipe"], ["ckpt_name", "unet_name", "model_name", "base_ckpt_name"]],
  ["RNG", ["", "noise"], ["noise_device", "rng"]],
];

const CIVITAI: readonly (readonly [string, string])[] = [
  ["steps", "Steps"],
  ["sampler", "Sampler"],
  ["cfgScale", "CFG scale"],
];

export const comfyui: Dialect = (texts) => {
  const prompt = parseJsonObject(part(texts, "prompt"));
  const graph = prompt && Graph.parse(prompt);
  if (graph) return { ...fromGraph(graph), ...fromCivitai(prompt), graph: prompt };
  return part(texts, "workflow") === undefined ? null : reading("comfyui", { warnings: [ONLY_WORKFLOW] });
};

const ONLY_WORKFLOW =
  "The file holds ComfyUI's workflow but not the graph that ran, so its prompt is not known. Give the prompt, or save with both.";

/** PNG keyword, or EXIF text "keyword:{json}" in any tag: ComfyUI counts tags down from Make. */
function part(texts: Texts, keyword: "prompt" | "workflow"): string | undefined {
  const chunk = texts.chunk(keyword);
  if (chunk !== undefined && /^\s*\{/.test(chunk)) return chunk;
  const start = `${keyword}:`;
  return texts.carriers
    .findLast(({ kind, text }) => kind === "exif" && text.startsWith(start))
    ?.text.slice(start.length);
}

/** Whether the file is ComfyUI's, readable or not. */
export function isComfyui(texts: Texts): boolean {
  return part(texts, "prompt") !== undefined || part(texts, "workflow") !== undefined;
}

function fromGraph(graph: Graph): Reading {
  const chains = savedPictures(graph).map((node) => graph.samplersBehind(node));
  const chain =
    chains.find((samplers) => samplers.length > 0) ?? [...graph.nodes.values()].filter((node) => graph.isSampler(node));
  const sampler = chain.at(-1);
  if (!sampler)
    return reading("comfyui", {
      warnings: ["The graph in the file has no sampler that is known, so its prompt is not known."],
    });
  const settings = samplerSettings(graph, sampler);
  const seed = seedAt(graph, sampler);
  if (typeof seed === "number") settings.set("Seed", seed);
  return reading("comfyui", {
    prompt: firstText(graph, chain, "positive"),
    negativePrompt: firstText(graph, chain, "negative"),
    seed,
    settings,
    warnings: ambiguity(chains),
  });
}

/** Nodes that save or show pictures and that nothing follows, savers first. */
function savedPictures(graph: Graph): GraphNode[] {
  const nodes = [...graph.nodes.values()];
  const used = new Set(nodes.flatMap(({ inputs }) => Object.values(inputs).map((value) => graph.source(value))));
  const isSaver = ({ type }: GraphNode) => /save|output|combine|websocket/i.test(type);
  const ends = nodes.filter((node) => !used.has(node) || /^SaveImage$/.test(node.type));
  return [...ends.filter(isSaver), ...ends.filter((node) => !isSaver(node))];
}

function ambiguity(chains: GraphNode[][]): string[] {
  const starts = new Set(chains.flatMap((chain) => chain.slice(-1)));
  if (starts.size < 2) return [];
  return [
    `The graph made pictures from ${starts.size} samplers and does not say which is this one; the first saved one's is told.`,
  ];
}

function firstText(graph: Graph, chain: GraphNode[], role: "positive" | "negative"): string | null {
  const texts = chain.toReversed().map((node) => graph.textAt(node, role));
  return texts.find((text) => text) ?? texts.find((text) => text === "") ?? null;
}

function seedAt(graph: Graph, { inputs }: GraphNode): number | bigint | null {
  const own = graph.literal(inputs.seed) ?? graph.literal(inputs.noise_seed);
  return seedOf(own ?? graph.find(inputs.noise, ["noise_seed", "seed"]) ?? graph.find(inputs.pipe, ["seed"]));
}

function samplerSettings(graph: Graph, { inputs }: GraphNode): Map<string, string | number> {
  const settings = new Map<string, string | number>();
  for (const [name, ways, keys] of SETTINGS) {
    const found = ways.map((way) => (way === "" ? own(graph, inputs, keys) : graph.find(inputs[way], keys)));
    const value = found.find((each) => each !== undefined);
    if (typeof value === "string" || typeof value === "number") settings.set(name, value);
  }
  const hasSize = (node: GraphNode) =>
    ["width", "height"].every((key) => typeof graph.literal(node.inputs[key]) === "number");
  const latent = graph.findNode(inputs.latent_image ?? inputs.latent ?? inputs.samples ?? inputs.pipe, hasSize);
  setSize(settings, graph.literal(latent?.inputs.width), graph.literal(latent?.inputs.height));
  return settings;
}

function own(graph: Graph, inputs: JsonObject, keys: readonly string[]): Json | undefined {
  return keys.map((key) => graph.literal(inputs[key])).find((value) => value !== undefined);
}

/** Civitai's generator puts what it was asked for beside the nodes, as a text of JSON. */
function fromCivitai(prompt: JsonObject | null): Partial<Reading> {
  const meta = asObject(prompt?.extraMetadata) ?? parseJsonObject(asString(prompt?.extraMetadata) ?? undefined);
  if (!meta || asString(meta.prompt) === null) return {};
  const settings = new Map<string, string | number>();
  for (const [key, name] of CIVITAI) {
    const value = meta[key];
    if (typeof value === "string" || typeof value === "number") settings.set(name, value);
  }
  setSize(settings, meta.width, meta.height);
  return {
    host: "civitai",
    prompt: asString(meta.prompt),
    negativePrompt: asString(meta.negativePrompt) ?? "",
    seed: seedOf(meta.seed),
    settings,
  };
}
