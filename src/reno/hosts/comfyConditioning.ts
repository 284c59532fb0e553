// What steers the U-Net in a ComfyUI graph, as the U-Net gets it (a125cd84: nodes.py, comfy/samplers.py, comfy/sd1_clip.py).

import type { Cleaning } from "../clipTokenizer.ts";
import type { Embedding, Pipeline, WeightedStates } from "../pipeline.ts";
import { joined } from "../prompt/chunk.ts";
import { chunks, emphasized, emptyChunk, hasWeights } from "../prompt/comfyui.ts";
import { notOneStep } from "./making.ts";
import type { SigmaTable } from "./sigmas.ts";

/** A conditioning of the graph. */
export type Steer =
  | { readonly do: "text"; readonly text: string; readonly stopAt: number | null }
  | { readonly do: "concat"; readonly parts: readonly [Steer, Steer] }
  | { readonly do: "average"; readonly parts: readonly [Steer, Steer]; readonly share: number }
  | { readonly do: "combine"; readonly parts: readonly [Steer, Steer] }
  | { readonly do: "strength"; readonly of: Steer; readonly strength: number }
  | { readonly do: "range"; readonly of: Steer; readonly start: number; readonly end: number }
  | { readonly do: "zero"; readonly of: Steer };

/** Prompts whose predictions are added up; the first is the wanted one, and the weights make 1. */
export type Mixture = readonly { readonly steer: Steer; readonly weight: number }[];

/** The words, for people and for rewards. */
export function wordsOf(steer: Steer): string {
  if (steer.do === "text") return steer.text;
  if (steer.do === "zero") return "";
  return "of" in steer ? wordsOf(steer.of) : steer.parts.map(wordsOf).filter(Boolean).join(", ");
}

export interface Reader {
  readonly pipeline: Pipeline;
  readonly cleaning: Cleaning;
}

/** Where on the way down the model is asked. */
export interface Moment {
  readonly sigma: number;
  readonly table: SigmaTable;
}

/** Each prompt's states and their weight in the sum of predictions. */
export async function mixed(mixture: Mixture, moment: Moment, reader: Reader): Promise<WeightedStates[]> {
  const all: WeightedStates[] = [];
  for (const { steer, weight } of mixture) {
    const now = branches(steer).filter((branch) => holds(branch, moment));
    const whole = now.reduce((sum, { strength }) => sum + strength, 0);
    if (whole === 0) {
      throw notOneStep(
        `None of the conditionings of "${wordsOf(steer)}" holds at the step: all that it drew was noise.`,
      );
    }
    for (const { states, strength } of now) {
      all.push({ states: await encode(states, reader), weight: (weight * strength) / whole });
    }
  }
  return all;
}

/** The first of its texts, for another model's step. */
export const firstStates = async (steer: Steer, reader: Reader): Promise<Embedding> =>
  await encode(branches(steer)[0]!.states, reader);

// ---- what a conditioning consists of

/** One prompt's states. */
type States =
  | Extract<Steer, { do: "text" }>
  | { readonly do: "concat"; readonly parts: readonly [States, States] }
  | { readonly do: "average"; readonly parts: readonly [States, States]; readonly share: number }
  | { readonly do: "zero"; readonly of: States };

/** ComfyUI's conditionings are lists: the sampler takes the mean of their predictions by strength. */
interface Branch {
  readonly states: States;
  readonly strength: number;
  /** Parts of the way down in which it holds. */
  readonly start: number;
  readonly end: number;
}

function branches(steer: Steer): Branch[] {
  switch (steer.do) {
    case "text":
      return [{ states: steer, strength: 1, start: 0, end: 1 }];
    case "combine":
      return steer.parts.flatMap(branches);
    case "strength":
      return branches(steer.of).map((branch) => ({ ...branch, strength: steer.strength }));
    case "range":
      return branches(steer.of).map((branch) => ({ ...branch, start: steer.start, end: steer.end }));
    case "zero":
      return branches(steer.of).map((branch) => ({ ...branch, states: { do: "zero", of: branch.states } }));
    default: {
      // Of the second list both nodes take the first entry alone.
      const [to, [from]] = [branches(steer.parts[0]), branches(steer.parts[1])];
      return to.map((branch) => ({ ...branch, states: { ...steer, parts: [branch.states, from!.states] } }));
    }
  }
}

/** samplers.py, calculate_start_end_timesteps and get_area_and_mult; model_sampling.py, percent_to_sigma. */
function holds({ start, end }: Branch, { sigma, table }: Moment): boolean {
  const level = (part: number) => table.sigma((1 - part) * (table.sigmas.length - 1));
  return (start <= 0 || sigma <= level(start)) && (end >= 1 || sigma >= level(end));
}

// ---- their numbers

async function encode(states: States, reader: Reader): Promise<Embedding> {
  if (states.do === "text") return encodeText(states, reader);
  if (states.do === "zero") {
    const { data, tokens, width } = await encode(states.of, reader);
    return { data: new Float32Array(data.length), tokens, width };
  }
  const [to, from] = [await encode(states.parts[0], reader), await encode(states.parts[1], reader)];
  return states.do === "concat" ? joined([to, from]) : averaged(to, from, states.share);
}

/** ConditioningAverage: the second is cut or filled up with zeros to the first one's length. */
const averaged = (to: Embedding, from: Embedding, share: number): Embedding => ({
  ...to,
  data: to.data.map((value, i) => value * share + (from.data[i] ?? 0) * (1 - share)),
});

type Text = Extract<Steer, { do: "text" }>;

async function encodeText({ text, stopAt }: Text, { pipeline, cleaning }: Reader): Promise<Embedding> {
  const { tokenizer } = pipeline;
  const options = { skipLayers: skippedLayers(stopAt, pipeline) };
  const parts = chunks(text, tokenizer, cleaning);
  const states = await pipeline.encodeChunks(
    parts.map(({ ids }) => ids),
    options,
  );
  if (!hasWeights(parts)) return joined(states);
  const [empty] = await pipeline.encodeChunks([emptyChunk(tokenizer).ids], options);
  return joined(emphasized(states, empty!, parts));
}

/** CLIPSetLastLayer counts from -1, the last; SD2, told by its padding, is loaded without its last layer, and stops at -2 unless told. */
function skippedLayers(stopAt: number | null, { tokenizer }: Pipeline): number {
  const last = tokenizer.pad === tokenizer.end ? -1 : -2;
  return Math.max(last - (stopAt ?? last), 0);
}
