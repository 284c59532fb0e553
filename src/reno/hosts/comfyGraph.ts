// A ComfyUI graph walked from a saved picture back to the one sampling step that drew it (a125cd84: nodes.py,
// comfy_extras/nodes_custom_sampler.py, nodes_model_advanced.py). What each node does is told here; how it is computed, in comfyui.ts.

import { Graph, type GraphNode, type Role } from "../../metadata/dialects/comfyGraph.ts";
import type { Json, JsonObject } from "../../metadata/json.ts";
import type { Size } from "../pipeline.ts";
import { checkedSide, notOneStep, unknownSeed, wholeLatents } from "./making.ts";

/** What steers the U-Net. */
export type Steer =
  | { readonly do: "text"; readonly text: string; readonly stopAt: number | null }
  | { readonly do: "concat"; readonly parts: readonly [Steer, Steer] }
  | { readonly do: "average"; readonly parts: readonly [Steer, Steer]; readonly share: number }
  | { readonly do: "zero"; readonly of: Steer };

/** How the noise levels come about: named ones, or SDTurboScheduler's. */
export interface Levels {
  readonly scheduler: string;
  readonly steps: number;
  readonly denoise: number;
  /** KSamplerAdvanced's part of all steps. */
  readonly start: number;
  readonly end: number;
  /** Whether the last level becomes 0 when the part ends early. */
  readonly full: boolean;
  /** Whether the node, as KSampler does, asks for a step more where the sampler wants that. */
  readonly oneMore: boolean;
  readonly max?: number | undefined;
  readonly min?: number | undefined;
  readonly rho?: number | undefined;
}

export interface Latents extends Size {
  readonly count: number;
  /** LatentFromBatch's numbers, if it was used before the sampler. */
  readonly index: readonly number[] | undefined;
}

/** ModelSamplingDiscrete. */
export interface ModelSampling {
  readonly sampling: string;
  readonly zeroTerminalSnr: boolean;
}

export interface Drawing {
  /** The sampler's own id in the graph. */
  readonly node: string;
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
    const guider = this.#graph.source(node.inputs.guider)?.inputs;
    const told = guider ? { ...node.inputs, ...guider } : node.inputs;
    const latents = this.#latents(node.inputs.latent_image ?? node.inputs.latent, 0);
    const cfg = this.#number(told.cfg) ?? 1;
    this.#checkNoise(node.inputs);
    return {
      node: node.id,
      positive: this.#steer(told.positive ?? told.conditioning, "positive", 0),
      negative: cfg !== 1 && told.negative !== undefined ? this.#steer(told.negative, "negative", 0) : null,
      cfg,
      seed: this.#seed(node.inputs),
      sampler: this.#samplerName(node.inputs),
      levels: this.#levels(node),
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
    const before = () => this.#latents(inputs.samples ?? inputs.latent, depth + 1);
    if (type === "LatentFromBatch") return fromBatch(before(), this.#pick(inputs));
    if (type === "RepeatLatentBatch") return repeated(before(), this.#number(inputs.amount) ?? 1);
    if (harmless.test(type)) return this.#latents(anyLink(inputs), depth + 1);
    const [width, height] = [this.#number(inputs.width), this.#number(inputs.height)];
    if (!/Empty.*Latent/i.test(type) || width === undefined || height === undefined) {
      throw notOneStep(
        `The sampler began with the latents of "${type}", and not with empty ones: that picture is not in the file.`,
      );
    }
    const size = checkedSide(wholeLatents({ width, height }), `The latents' size is ${width}x${height}`);
    return { ...size, count: this.#number(inputs.batch_size) ?? 1, index: undefined };
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

  #levels(node: GraphNode): Levels {
    const { inputs } = node;
    const numbers = (from: JsonObject) => ({
      steps: this.#number(from.steps) ?? 1,
      denoise: this.#number(from.denoise) ?? 1,
    });
    const whole = { start: 0, end: Number.POSITIVE_INFINITY, full: true };
    const sigmas = this.#graph.source(inputs.sigmas);
    if (sigmas) {
      const scheduler = this.#graph.literal(sigmas.inputs.scheduler) ?? sigmaNodes[sigmas.type];
      if (typeof scheduler !== "string") {
        throw notOneStep(`The noise levels come from "${sigmas.type}", which is not known here.`);
      }
      const range = {
        max: this.#number(sigmas.inputs.sigma_max),
        min: this.#number(sigmas.inputs.sigma_min),
        rho: this.#number(sigmas.inputs.rho),
      };
      return { scheduler, ...numbers(sigmas.inputs), ...whole, ...range, oneMore: false };
    }
    const scheduler = String(this.#graph.literal(inputs.scheduler) ?? "normal");
    const part = {
      start: this.#number(inputs.start_at_step) ?? 0,
      end: this.#number(inputs.end_at_step) ?? Number.POSITIVE_INFINITY,
      full: inputs.return_with_leftover_noise !== "enable",
    };
    return { scheduler, ...numbers(inputs), ...part, oneMore: true };
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
    const text =
      this.#graph.literal(inputs.text ?? inputs.prompt) ??
      this.#graph.textAt({ id: "", type, inputs: { positive: inputs.text ?? null } }, "positive");
    if (typeof text !== "string") throw notOneStep(`The text of "${type}" comes from nodes that are not known.`);
    return { do: "text", text, stopAt: this.#lastLayer(inputs.clip, 0) };
  }

  /** Of several CLIPSetLastLayer the one nearest to the text counts. */
  #lastLayer(value: Json | undefined, depth: number): number | null {
    const node = this.#graph.source(value);
    if (!node || depth > maxDepth) return null;
    if (node.type === "CLIPSetLastLayer") return this.#number(node.inputs.stop_at_clip_layer) ?? -1;
    if (/lora/i.test(node.type)) this.#note("LoRAs are not applied.");
    return this.#lastLayer(node.inputs.clip, depth + 1);
  }

  // ---- small things

  #number(value: Json | undefined): number | undefined {
    const literal = this.#graph.literal(value);
    return typeof literal === "number" ? literal : typeof literal === "bigint" ? Number(literal) : undefined;
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

const sigmaNodes: Readonly<Record<string, string>> = {
  SDTurboScheduler: "sd_turbo",
  KarrasScheduler: "karras",
  ExponentialScheduler: "exponential",
};

// ---- batches

/** LatentFromBatch and ImageFromBatch: a run of pictures. */
interface Run {
  readonly from: number;
  readonly count: number;
}

function run<T>(all: readonly T[], { from, count }: Run): T[] {
  const start = Math.min(all.length - 1, from);
  return all.slice(start, start + count);
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

const picked = (count: number, picks: readonly Run[]): number[] => picks.reduce(run, numbers(count));

function fromBatch(latents: Latents, pick: Run): Latents {
  const index = run(latents.index ?? numbers(latents.count), pick);
  return { ...latents, count: index.length, index };
}

/** RepeatLatentBatch counts on from the numbers that there are; without such it is a larger batch. */
function repeated(latents: Latents, amount: number): Latents {
  const { index, count } = latents;
  if (!index) return { ...latents, count: count * amount };
  const offset = Math.max(...index) - Math.min(...index) + 1;
  const all = numbers(amount).flatMap((i) => index.map((one) => one + i * offset));
  return { ...latents, count: all.length, index: all };
}
