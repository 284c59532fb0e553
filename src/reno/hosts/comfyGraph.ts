// A ComfyUI graph walked from a saved picture back to the one sampling step that drew it (a125cd84: nodes.py,
// comfy_extras/nodes_custom_sampler.py, nodes_model_advanced.py). What each node does is told here; how it is computed, in comfyui.ts.

import { Graph, type GraphNode, type Role } from "../../metadata/dialects/comfyGraph.ts";
import type { Json, JsonObject } from "../../metadata/json.ts";
import { fromBatch, type Latents, picked, type Run, repeated, reseeded, together } from "./comfyBatch.ts";
import type { Mixture, Steer } from "./comfyConditioning.ts";
import { type Levels, levelsOf } from "./comfyLevels.ts";
import { numberAt, textBehind } from "./comfyText.ts";
import { checkedSide, notOneStep, unknownSeed, wholeLatents } from "./making.ts";

/** ModelSamplingDiscrete. */
export interface ModelSampling {
  readonly sampling: string;
  readonly zeroTerminalSnr: boolean;
}

export interface Drawing {
  /** The sampler's own id in the graph. */
  readonly node: string;
  readonly mixture: Mixture;
  readonly positive: Steer;
  readonly negative: Steer | null;
  readonly cfg: number;
  readonly seed: number | bigint;
  readonly sampler: string;
  readonly levels: Levels;
  readonly latents: Latents;
  /** Which of the sampler's pictures were saved. */
  readonly saved: readonly number[];
  /** Whether SamplerCustom's second output was taken, the denoised picture. */
  readonly denoised: boolean;
  readonly modelSampling: ModelSampling | null;
  readonly model: string | null;
  readonly notes: readonly string[];
}

/** One for each sampler whose pictures are saved, in the graph's order. */
export function drawings(json: JsonObject): Drawing[] {
  const graph = Graph.parse(json);
  const savers = [...(graph?.nodes.values() ?? [])].filter(({ type }) => /save|preview|websocket/i.test(type));
  const reads = savers.map((saver) => attempt(() => new Walk(graph!).from(saver)));
  const read = reads.flatMap((each) => ("drawing" in each ? [each.drawing] : []));
  if (read.length > 0) return distinct(read);
  throw (
    reads.flatMap((each) => ("error" in each ? [each.error] : []))[0] ??
    notOneStep("No node of the file's graph saves a picture, so it is not known which sampler drew it.")
  );
}

/** A preview and a saver after one sampler tell of the same pictures. */
function distinct(read: readonly Drawing[]): Drawing[] {
  const keys = read.map(({ node, saved, denoised }) => `${node} ${saved} ${denoised}`);
  return read.filter((_, i) => keys.indexOf(keys[i]!) === i);
}

function attempt(read: () => Drawing): { drawing: Drawing } | { error: unknown } {
  try {
    return { drawing: read() };
  } catch (error) {
    return { error };
  }
}

/** Loops end here; the longest real chains have some dozens of nodes. */
const maxDepth = 200;

interface Found {
  readonly node: GraphNode;
  readonly slot: number;
}

class Walk {
  readonly #graph: Graph;
  readonly #notes = new Set<string>();

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  from(saver: GraphNode): Drawing {
    const image = this.#decoder(saver);
    const drawn = this.#sampler(image.node.inputs.samples ?? image.node.inputs.latent);
    const { node, slot } = drawn;
    const told = { ...node.inputs, ...this.#guider(node.inputs) };
    const latents = this.#latents(node.inputs.latent_image ?? node.inputs.latent, 0);
    this.#checkNoise(node.inputs);
    return {
      node: node.id,
      ...this.#guidance(told),
      seed: this.#seed(node.inputs),
      sampler: this.#samplerName(node.inputs),
      levels: levelsOf(this.#graph, node.inputs),
      latents,
      saved: picked(latents.count, [...drawn.picks, ...image.picks]),
      denoised: slot === 1,
      ...this.#model(told.model, 0),
      notes: [...this.#notes],
    };
  }

  // ---- from the saved picture to its latents

  #decoder(saver: GraphNode): { node: GraphNode; picks: Run[] } {
    const picks: Run[] = [];
    let node: GraphNode | undefined = saver;
    for (let depth = 0; node && depth < maxDepth; depth++) {
      if (/VAEDecode/i.test(node.type)) {
        if (/tiled/i.test(node.type)) this.#note("The picture was decoded in tiles, whose seams are not repeated.");
        this.#noteLoader(node.inputs.vae, "decoded by the autoencoder");
        return { node, picks: picks.reverse() };
      }
      if (node !== saver) this.#passImage(node, picks);
      const { inputs }: GraphNode = node;
      node = this.#graph.source(inputs.images ?? inputs.image ?? inputs.pixels ?? inputs.IMAGE ?? anyLink(inputs));
    }
    throw notOneStep("The saved picture does not come from a VAEDecode node, so it is not known how it was drawn.");
  }

  #passImage(node: GraphNode, picks: Run[]): void {
    if (node.type === "ImageFromBatch") picks.push(this.#pick(node.inputs));
    else if (!harmless.test(node.type)) {
      this.#note(`The picture went through "${node.type}" after it was decoded; what that did to it is not repeated.`);
    }
  }

  #sampler(value: Json | undefined): Found & { picks: Run[] } {
    const picks: Run[] = [];
    let link = value;
    for (let depth = 0; depth < maxDepth; depth++) {
      const node = this.#graph.source(link);
      if (!node) break;
      const slot = Array.isArray(link) && typeof link[1] === "number" ? link[1] : 0;
      if (this.#graph.isSampler(node)) return { node, slot, picks: picks.reverse() };
      if (node.type === "LatentFromBatch") picks.push(this.#pick(node.inputs));
      else if (!harmless.test(node.type)) {
        throw notOneStep(`The latents went through "${node.type}" after the sampler, which is not repeated here.`);
      }
      link = node.inputs.samples ?? node.inputs.latent ?? anyLink(node.inputs);
    }
    throw notOneStep("The decoded latents do not come from a sampler that is known.");
  }

  #pick({ batch_index: index, length }: JsonObject): Run {
    return { from: this.#number(index) ?? 0, count: this.#number(length) ?? 1 };
  }

  // ---- the sampler's own inputs

  /** As nodes.py makes them: only latents that were empty can be made again from a file. */
  #latents(value: Json | undefined, depth: number): Latents {
    const node = this.#graph.source(value);
    if (!node || depth > maxDepth) throw notOneStep("The latents that the sampler began with are not known.");
    const { inputs, type } = node;
    const before = (name = inputs.samples === undefined ? "latent" : "samples") =>
      this.#latents(inputs[name], depth + 1);
    if (type === "LatentFromBatch") return fromBatch(before(), this.#pick(inputs));
    if (type === "RepeatLatentBatch") return repeated(before(), this.#number(inputs.amount) ?? 1);
    if (type === "LatentBatch") return together(before("samples1"), before("samples2"));
    if (type === "LatentBatchSeedBehavior") return reseeded(before(), inputs.seed_behavior === "fixed");
    if (harmless.test(type)) return this.#latents(anyLink(inputs), depth + 1);
    if (this.#graph.isSampler(node)) {
      throw notOneStep(`The sampler went on from the latents of another one ("${type}"), which is more than one step.`);
    }
    const [width, height] = [this.#number(inputs.width), this.#number(inputs.height)];
    if (!/Empty.*Latent/i.test(type) || width === undefined || height === undefined) {
      throw notOneStep(
        `The sampler began with the latents of "${type}", and not with empty ones: that picture is not in the file.`,
      );
    }
    const size = checkedSide(wholeLatents({ width, height }), `The latents' size is ${width}x${height}`);
    return { ...size, count: this.#number(inputs.batch_size) ?? 1, index: undefined };
  }

  /** The node that holds what SamplerCustomAdvanced steers by. */
  #guider(inputs: JsonObject): JsonObject {
    const node = this.#graph.source(inputs.guider);
    if (!node || /^(?:Basic|CFG|DualCFG)Guider$/.test(node.type)) return node?.inputs ?? {};
    throw notOneStep(`The sampler was guided by "${node.type}", which is not known here.`);
  }

  /** nodes_custom_sampler.py, Guider_DualCFG; samplers.py, sampling_function, which leaves the negative prompt out where cfg is 1, within math.isclose. */
  #guidance(told: JsonObject): Pick<Drawing, "mixture" | "positive" | "negative" | "cfg"> {
    const dual = told.cond1 !== undefined;
    const positive = this.#steer(told.cond1 ?? told.positive ?? told.conditioning, "positive", 0);
    const cfg = this.#number(dual ? told.cfg_conds : told.cfg) ?? 1;
    const isOff = told.negative === undefined || (!dual && Math.abs(cfg - 1) <= 1e-9);
    const negative = isOff ? null : this.#steer(told.negative, "negative", 0);
    const wanted = { steer: positive, weight: cfg };
    if (!negative) return { mixture: [{ steer: positive, weight: 1 }], positive, negative, cfg };
    if (!dual) return { mixture: [wanted, { steer: negative, weight: 1 - cfg }], positive, negative, cfg };
    const middle = this.#steer(told.cond2, "positive", 0);
    const second = this.#number(told.cfg_cond2_negative) ?? 1;
    const [first, between] = told.style === "nested" ? [second * cfg, second * (1 - cfg)] : [cfg, second - cfg];
    const mixture = [
      { steer: positive, weight: first },
      { steer: middle, weight: between },
      { steer: negative, weight: 1 - second },
    ];
    return { mixture: mixture.filter(({ weight }, i) => i === 0 || weight !== 0), positive, negative, cfg };
  }

  #checkNoise(inputs: JsonObject): void {
    const isOff = inputs.add_noise === "disable" || inputs.add_noise === false;
    if (isOff || /DisableNoise/.test(this.#graph.source(inputs.noise)?.type ?? "")) {
      throw notOneStep("The sampler added no noise, so it went on from another sampler's latents.");
    }
  }

  #seed(inputs: JsonObject): number | bigint {
    const noise = this.#graph.source(inputs.noise)?.inputs ?? {};
    const values = [inputs.seed, inputs.noise_seed, noise.noise_seed, noise.seed];
    for (const value of values) {
      const seed = this.#graph.literal(value);
      if (typeof seed === "bigint" || (typeof seed === "number" && Number.isInteger(seed))) return seed;
    }
    throw unknownSeed();
  }

  /** A SAMPLER node has the name as an input, or in its own: SamplerEulerAncestral. */
  #samplerName(inputs: JsonObject): string {
    const own = this.#graph.literal(inputs.sampler_name);
    if (typeof own === "string") return own;
    const node = this.#graph.source(inputs.sampler);
    const said = this.#graph.literal(node?.inputs.sampler_name);
    if (typeof said === "string") return said;
    const byType = node && samplerNodes[node.type];
    if (byType) return byType;
    throw notOneStep(`The sampler is "${node?.type ?? "of no node that is known"}", which is not known here.`);
  }

  // ---- model, CLIP and conditioning

  #model(value: Json | undefined, depth: number): Pick<Drawing, "model" | "modelSampling"> {
    const node = this.#graph.source(value);
    if (!node || depth > maxDepth) return { model: null, modelSampling: null };
    const { inputs, type } = node;
    const name = ["ckpt_name", "unet_name", "model_name"]
      .map((key) => this.#graph.literal(inputs[key]))
      .find((each) => typeof each === "string");
    if (typeof name === "string" && inputs.model === undefined) return { model: name, modelSampling: null };
    const before = this.#model(inputs.model ?? anyLink(inputs), depth + 1);
    if (type === "ModelSamplingDiscrete") {
      const sampling = String(this.#graph.literal(inputs.sampling) ?? "eps");
      return { ...before, modelSampling: { sampling, zeroTerminalSnr: inputs.zsnr === true } };
    }
    this.#noteModel(type);
    return before;
  }

  #noteModel(type: string): void {
    if (/lora/i.test(type)) this.#note("LoRAs are not applied.");
    else if (!harmless.test(type)) this.#note(`The model went through "${type}", which is not repeated.`);
  }

  #steer(value: Json | undefined, role: Role, depth: number): Steer {
    const node = this.#graph.source(value);
    if (!node || depth > maxDepth) throw notOneStep(`The ${role} conditioning of the sampler is not known.`);
    const { inputs, type } = node;
    const next = (name: string) => this.#steer(inputs[name], role, depth + 1);
    switch (type) {
      case "CLIPTextEncode":
        return this.#text(node);
      case "ConditioningConcat":
        return { do: "concat", parts: [next("conditioning_to"), next("conditioning_from")] };
      case "ConditioningAverage": {
        const share = this.#number(inputs.conditioning_to_strength) ?? 1;
        return { do: "average", parts: [next("conditioning_to"), next("conditioning_from")], share };
      }
      case "ConditioningCombine":
        return { do: "combine", parts: [next("conditioning_1"), next("conditioning_2")] };
      case "ConditioningSetAreaStrength":
        return { do: "strength", of: next("conditioning"), strength: this.#number(inputs.strength) ?? 1 };
      case "ConditioningSetTimestepRange": {
        const [start, end] = [this.#number(inputs.start) ?? 0, this.#number(inputs.end) ?? 1];
        return { do: "range", of: next("conditioning"), start, end };
      }
      case "ConditioningZeroOut":
        return { do: "zero", of: next("conditioning") };
    }
    if (/Combine|SetArea|SetMask|SDXL|Flux|SD3|Hunyuan/i.test(type)) {
      throw notOneStep(`The ${role} conditioning comes from "${type}", which is not done here.`);
    }
    if (/TextEncode|Prompt/i.test(type) && this.#graph.source(inputs.clip)) return this.#text(node);
    const through = inputs[role] ?? inputs.conditioning ?? anyLink(inputs);
    if (!harmless.test(type)) this.#note(`The ${role} conditioning went through "${type}", which is not repeated.`);
    return this.#steer(through, role, depth + 1);
  }

  #text({ inputs, type }: GraphNode): Steer {
    const value = inputs.text ?? inputs.prompt;
    const text = textBehind(this.#graph, value) ?? this.#likelyText(value, type);
    if (typeof text !== "string") throw notOneStep(`The text of "${type}" comes from nodes that are not known.`);
    return { do: "text", text, stopAt: this.#lastLayer(inputs.clip, 0) };
  }

  /** What stands in the inputs of nodes that are not known. */
  #likelyText(value: Json | undefined, type: string): Json | undefined {
    const node = this.#graph.source(value);
    if (node && Object.keys(node.inputs).length > 1) {
      this.#note(`The text comes from "${node.type}", which is not known here: what stands in its inputs is taken.`);
    }
    return (
      this.#graph.literal(value) ??
      this.#graph.textAt({ id: "", type, inputs: { positive: value ?? null } }, "positive") ??
      undefined
    );
  }

  /** Of several CLIPSetLastLayer the one nearest to the text counts. */
  #lastLayer(value: Json | undefined, depth: number): number | null {
    const node = this.#graph.source(value);
    if (!node || depth > maxDepth) return null;
    if (node.type === "CLIPSetLastLayer") return this.#number(node.inputs.stop_at_clip_layer) ?? -1;
    if (/lora/i.test(node.type)) this.#note("LoRAs are not applied.");
    if (node.inputs.clip === undefined) this.#noteLoader(value, "steered by the text encoder");
    return this.#lastLayer(node.inputs.clip, depth + 1);
  }

  #noteLoader(value: Json | undefined, what: string): void {
    const node = this.#graph.source(value);
    if (!node || harmless.test(node.type)) return;
    this.#note(`The picture was ${what} of "${node.type}"; the model's own is taken.`);
  }

  // ---- small things

  #number(value: Json | undefined): number | undefined {
    return numberAt(this.#graph, value);
  }

  #note(sentence: string): void {
    this.#notes.add(sentence);
  }
}

/** Nodes that hand on what they were given. */
const harmless = /^(?:Reroute|PreviewImage|SaveImage|PreviewAny|Note)$|Renoir|Score|Probe|CheckpointLoader|Cache/i;

const anyLink = (inputs: JsonObject): Json | undefined =>
  Object.values(inputs).find((value) => Array.isArray(value) && value.length === 2);

/** Samplers that have a node of their own. */
const samplerNodes: Readonly<Record<string, string>> = {
  SamplerEulerAncestral: "euler_ancestral",
  SamplerEulerAncestralCFGPP: "euler_ancestral_cfg_pp",
  SamplerLMS: "lms",
  SamplerDPMPP_2M_SDE: "dpmpp_2m_sde",
  SamplerDPMPP_3M_SDE: "dpmpp_3m_sde",
  SamplerDPMPP_SDE: "dpmpp_sde",
  SamplerDPMPP_2S_Ancestral: "dpmpp_2s_ancestral",
  SamplerER_SDE: "er_sde",
  SamplerSASolver: "sa_solver",
  SamplerLCMUpscale: "lcm",
  SamplerDPMAdaptative: "dpm_adaptive",
};
