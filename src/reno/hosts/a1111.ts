// A1111's and Forge's infotext as a recipe (Forge dfdcbab6: modules/processing.py, sd_samplers_kdiffusion.py, rng.py).

import { RequestError } from "../../errors.ts";
import type { ImageMetadata } from "../../metadata/index.ts";
import { noise } from "../noise/index.ts";
import type { OneStep } from "../oneStep.ts";
import type { Conditioning, Embedding, Pipeline, Size } from "../pipeline.ts";
import { chunks, type Emphasis, type Emphasized, emphases, emphasized, emptyChunk, scaled } from "../prompt/a1111.ts";
import { filledUp, joined } from "../prompt/chunk.ts";
import { textsInTime } from "../prompt/schedule.ts";
import { alphasCumprod } from "../schedule.ts";
import {
  type Candidate,
  type Conditionings,
  checkedSide,
  type LatentShape,
  mixture,
  notOneStep,
  type Recipe,
  type RecipeOptions,
  unknownSeed,
  wholeLatents,
} from "./making.ts";
import { a1111Samplers, type Sampler } from "./samplers.ts";
import { a1111Aliases, a1111Schedules } from "./schedules.ts";
import { amplified, descend, SigmaTable, untouched } from "./sigmas.ts";

export function a1111Recipe(metadata: ImageMetadata, options: RecipeOptions): Recipe {
  const told = new Told(metadata, options);
  if (!options.anySteps) checkOneStep(told);
  const recipe = recipeOf(told, options);
  const followsRange = withinRange.has(told.samplerAndSchedule.schedule) && !told.has("Schedule max sigma");
  return { ...recipe, others: followsRange ? [recipeOf(told.inOldRange(), options)] : [] };
}

/** Schedules between a lowest and a highest level. */
const withinRange = new Set(["Karras", "Exponential", "Polyexponential"]);

/** "Use old karras scheduler sigmas", which infotext does not tell. */
const oldRange = { "Schedule min sigma": 0.1, "Schedule max sigma": 10 };

function recipeOf(told: Told, options: RecipeOptions): Recipe {
  const { prompt, negativePrompt } = told;
  return {
    host: told.host,
    prompt,
    negativePrompt,
    guidance: told.guidance,
    seed: told.seed,
    model: told.text("Model") ?? null,
    ...told.size,
    notes: told.notes,
    rounding: "down",
    condition: (pipeline) => condition(told, pipeline, options.anySteps ?? false),
    noises: (shape) => candidates(told, shape),
    others: [],
  };
}

/** The settings line, read. */
class Told {
  readonly host: string;
  readonly prompt: string;
  readonly negativePrompt: string;
  readonly seed: number | bigint;
  readonly size: Size;
  readonly notes: string[];
  readonly #metadata: ImageMetadata;
  readonly #settings: ImageMetadata["settings"];

  constructor(metadata: ImageMetadata, { imageSize }: RecipeOptions) {
    this.#metadata = metadata;
    this.#settings = metadata.settings;
    this.host = metadata.host ?? "a1111";
    if (metadata.prompt === null) throw new RequestError("The file names no prompt.", { hint: "Give one yourself." });
    if (metadata.seed === null) throw unknownSeed();
    this.prompt = metadata.prompt;
    this.negativePrompt = metadata.negativePrompt ?? "";
    this.seed = metadata.seed;
    const own =
      imageSize ?? (metadata.width && metadata.height ? { width: metadata.width, height: metadata.height } : undefined);
    this.notes = unfollowed.flatMap(([key, what]) => (this.has(key) ? [what] : []));
    this.size = this.#drawnSize(own);
    if (networks(this.prompt).length > 0) {
      this.notes.push(`The prompt names ${networks(this.prompt).join(", ")}, which is not applied.`);
    }
  }

  inOldRange(): Told {
    return new Told({ ...this.#metadata, settings: { ...this.#settings, ...oldRange } }, { imageSize: this.size });
  }

  has(key: string): boolean {
    return key in this.#settings;
  }

  text(key: string): string | undefined {
    const value = this.#settings[key];
    return value === undefined ? undefined : String(value);
  }

  number(key: string): number | undefined {
    const value = Number(this.#settings[key] ?? Number.NaN);
    return Number.isFinite(value) ? value : undefined;
  }

  get steps(): number {
    return this.number("Steps") ?? 1;
  }

  /** "Skip Early CFG" leaves the negative prompt out of the first step. */
  get guidance(): number {
    return this.has("Skip Early CFG") ? 1 : (this.number("CFG scale") ?? 7);
  }

  get emphasis(): Emphasis {
    return emphases.find((each) => each === this.text("Emphasis")) ?? "Original";
  }

  get isForge(): boolean {
    return this.host === "forge";
  }

  /** "DPM++ 2M Karras" is A1111's older way to say both. */
  get samplerAndSchedule(): { name: string; sampler: Sampler | undefined; schedule: string } {
    const said = this.text("Sampler") ?? "Euler";
    const type = this.text("Schedule type") ?? "Automatic";
    for (const [alias, label] of [
      ...[...a1111Schedules.keys()].map((each) => [each, each] as const),
      ...a1111Aliases,
    ]) {
      const name = said.slice(0, -alias.length - 1);
      if (said.endsWith(` ${alias}`) && a1111Samplers.has(name)) {
        return { name, sampler: a1111Samplers.get(name), schedule: label };
      }
    }
    const sampler = a1111Samplers.get(said);
    const known = a1111Aliases.get(type) ?? type;
    return { name: said, sampler, schedule: known === "Automatic" ? (sampler?.schedule ?? "Uniform") : known };
  }

  /** Infotext's size, unless the file has none; what an upscaler made of the picture afterwards does not count. */
  #drawnSize(own: Size | undefined): Size {
    const [, width, height] = /^(\d+)x(\d+)$/.exec(this.text("Size") ?? "") ?? [];
    const said = width && height ? { width: Number(width), height: Number(height) } : own;
    if (!said) {
      throw new RequestError("Neither the file's text nor its pixels tell the picture's size.", {
        hint: "Give a size yourself.",
      });
    }
    const size = checkedSide(wholeLatents(said), `The picture's size is ${said.width}x${said.height}`);
    if (own && (own.width !== size.width || own.height !== size.height)) {
      this.notes.push(
        `The file has ${own.width}x${own.height} pixels, but the picture was drawn at ${size.width}x${size.height}: something changed its size afterwards.`,
      );
    }
    return size;
  }
}

/** What changes the picture and is not repeated here. */
const unfollowed: readonly (readonly [key: string, note: string])[] = [
  ["Lora hashes", "LoRAs are not applied."],
  ["TI", "Textual inversions are not applied: their names stay in the prompt as words."],
  ["Tiling", "The picture was made to be tiled, which is not repeated."],
  ["Face restoration", "Faces were restored, which is not repeated."],
  ["Refiner", "A second model refined the picture, which is not repeated."],
  ["Token merging ratio", "Tokens were merged, which is not repeated."],
  ["ControlNet 0", "ControlNet steered the picture, which is not repeated."],
  ["VAE", "The picture was decoded by a VAE of its own; the model's is used."],
  ["Module 1", "Modules beside the checkpoint were used; the model's own are taken."],
  ["VAE Decoder", "The picture was decoded by an approximation; the whole VAE is used."],
  ["freeu_enabled", "FreeU changed the model, which is not repeated."],
  ["FP8 weight", "The weights were rounded to 8 bits, which is not repeated."],
  ["Diffusion in Low Bits", "The weights were rounded, which is not repeated."],
];

const NETWORK = /<(\w+):([^>]+)>/g;
const networks = (prompt: string): string[] => [...prompt.matchAll(NETWORK)].map(([tag]) => tag);

// ---- whether it is one step

function checkOneStep(told: Told): void {
  const { steps, samplerAndSchedule: chosen } = told;
  if (steps !== 1) {
    throw notOneStep(`The picture was drawn in ${steps} steps ("Steps: ${steps}"); only one step can be made again.`);
  }
  const hires = ["Hires upscale", "Hires steps", "Hires resize", "Hires upscaler"].find((key) => told.has(key));
  if (hires) {
    throw notOneStep(`The picture was drawn a second time at a larger size ("${hires}"), which is more than one step.`);
  }
  if (told.has("Denoising strength")) {
    throw notOneStep(
      `The picture was made from another one ("Denoising strength: ${told.text("Denoising strength")}"), which is not in the file.`,
    );
  }
  if (Number(told.text("Sigma churn") ?? 0) > 0) {
    throw notOneStep('The sampler added noise of its own to the step\'s ("Sigma churn"), which is not repeated here.');
  }
  if (told.isForge && Math.abs(weightOf(parts(told.prompt))) < leastWeight) {
    throw notOneStep(
      'The weights of the prompts that "AND" joins add up to 0, by which Forge divides: it drew nothing.',
    );
  }
  if (!chosen.sampler) {
    throw notOneStep(`The sampler is "${chosen.name}"; known are ${[...a1111Samplers.keys()].join(", ")}.`);
  }
  if (chosen.sampler.refused) throw notOneStep(`The sampler ${chosen.name} ${chosen.sampler.refused}.`);
  if (!a1111Schedules.has(chosen.schedule)) {
    throw notOneStep(`The schedule is "${chosen.schedule}"; known are ${[...a1111Schedules.keys()].join(", ")}.`);
  }
  stepOf(told, { alphasCumprod: alphasCumprod(), predictionType: "epsilon" });
}

// ---- the step

function stepOf(told: Told, model: Pick<Pipeline, "alphasCumprod" | "predictionType">): OneStep {
  const { name, sampler, schedule } = told.samplerAndSchedule;
  if (sampler!.untouched) return untouched(1);
  const plain = SigmaTable.of(model.alphasCumprod);
  const table = told.has("Noise Schedule") ? plain.withZeroTerminalSnr() : plain;
  const [from, to] = levels(told, sampler!, schedule, table);
  const pure = told.text("SGM noise multiplier") === "True";
  if (sampler!.toLowest) return descend(table, { from, at: table.max, to: table.min, pure }, model.predictionType);
  if (to > 0 && sampler!.leaves !== "share") {
    throw notOneStep(
      `One step of ${name} on the schedule ${schedule} ends above 0, for which it adds noise of its own or asks the model again.`,
    );
  }
  return descend(table, { from, to, pure }, model.predictionType);
}

/** The noise level that the step begins at, and the one that it ends at. */
function levels(told: Told, sampler: Sampler, schedule: string, whole: SigmaTable): [number, number] {
  const table = sampler.everyTwentieth ? whole.everyTwentieth() : whole;
  const oneMore = sampler.oneMore || told.text("Discard penultimate sigma") === "True";
  const options = {
    min: told.number("Schedule min sigma") ?? table.min,
    max: told.number("Schedule max sigma") ?? table.max,
    rho: told.number("Schedule rho"),
  };
  const all = a1111Schedules.get(schedule)!(oneMore ? 2 : 1, table, options);
  return oneMore ? [all[0]!, all.at(-1)!] : [all[0]!, all[1]!];
}

// ---- the prompts

async function condition(told: Told, pipeline: Pipeline, anySteps: boolean): Promise<Conditionings> {
  const composed = parts(told.prompt);
  const texts: Weighted[] = [];
  for (const { text, weight } of composed) texts.push({ text: await encode(told, pipeline, text), weight });
  const whole = weightOf(composed);
  const mean = times(texts, 1 / (whole || 1));
  if (anySteps) return conditionings(mean, pipeline.step);
  const step = stepOf(told, pipeline);
  // Forge leaves the negative prompt out before it looks at the weights, and then multiplies what is there.
  if (told.isForge && told.guidance === 1) return conditionings(mean, amplified(step, whole));
  // x0 = negative + Σ guidance·weight·(part − negative), after Liu et al. 2022, "Composable Diffusion".
  const guided = times(texts, told.guidance);
  const rest = 1 - told.guidance * whole;
  if (rest === 0) return conditionings(guided, step);
  return conditionings(guided, step, { text: await encode(told, pipeline, told.negativePrompt), weight: rest });
}

const weightOf = (composed: readonly WeightedPart[]): number => composed.reduce((sum, { weight }) => sum + weight, 0);

/** Sums below it are float32's rounding. */
const leastWeight = 1e-6;

/** The states of a prompt's chunks, each to be multiplied by its factor. */
type Encoded = readonly (Omit<Emphasized, "states"> & { readonly states: Embedding })[];

interface Weighted {
  readonly text: Encoded;
  /** Of its output. */
  readonly weight: number;
}

const times = (texts: readonly Weighted[], by: number): Weighted[] =>
  texts.map(({ text, weight }) => ({ text, weight: weight * by }));

/** `texts` are those that AND joins: one at least. */
function conditionings(texts: readonly Weighted[], step: OneStep, negative?: Weighted): Conditionings {
  const all = [...texts, ...(negative ? [negative] : [])];
  const unknown = all.flatMap(({ text }) => text).filter(({ factor }) => factor === null).length;
  const of = (factors: readonly number[] = []): Conditioning => {
    const left = [...factors];
    const states = all.map(({ text }) =>
      joined(text.map((chunk) => raised(chunk.states, chunk.factor ?? left.shift() ?? 1))),
    );
    const longest = Math.max(...states.slice(0, texts.length).map(({ tokens }) => tokens));
    return mixture(
      all.map(({ weight }, i) => ({ states: i < texts.length ? filledUp(states[i]!, longest) : states[i]!, weight })),
      step,
    );
  };
  if (!all.some(({ text }) => text.some(({ mayDivideBy0 }) => mayDivideBy0))) return { unknown, of };
  const plain = of();
  return { unknown, of, undefinedStates: { ...plain, positive: raised(plain.positive, Number.NaN) } };
}

const raised = (states: Embedding, factor: number) => (factor === 1 ? states : scaled(states, () => factor));

interface WeightedPart {
  readonly text: string;
  readonly weight: number;
}

const WEIGHT = /^([\s\S]*?)(?:\s*:\s*([-+]?(?:\d+\.?|\d*\.\d+)))?\s*$/;

/** Prompts that AND composes, each with the weight after its colon: ":1.2" at a prompt's end counts without any AND, and so does a time of day. */
function parts(prompt: string): WeightedPart[] {
  const bare = prompt.replace(NETWORK, "");
  return bare.split(/(?<![\p{L}\p{N}_])AND(?![\p{L}\p{N}_])/u).map((part) => {
    const [, text = part, weight = "1"] = WEIGHT.exec(part) ?? [];
    return { text, weight: Number(weight) };
  });
}

/** All that the prompt becomes in time is encoded at once, as the mean of the states is taken over all of it; the first is what counts. */
async function encode(told: Told, pipeline: Pipeline, prompt: string): Promise<Encoded> {
  const { tokenizer } = pipeline;
  const { emphasis } = told;
  const steps = told.steps * (told.samplerAndSchedule.sampler?.twice ? 2 : 1);
  const texts = textsInTime(prompt, steps).map((text) => chunks(text, tokenizer, emphasis));
  const count = Math.max(...texts.map((text) => text.length));
  const skipLayers = Math.max((told.number("Clip skip") ?? 1) - 1, 0);
  const all: Encoded[number][] = [];
  for (let i = 0; i < count; i++) {
    const together = texts.map((text) => text[i] ?? emptyChunk(tokenizer));
    const encoded = await pipeline.encodeChunks(
      together.map(({ ids }) => ids),
      { skipLayers },
    );
    const { states, ...mean } = emphasized(encoded, together, emphasis);
    all.push({ states: states[0]!, ...mean });
  }
  return all;
}

// ---- the noise

const sources = {
  cuda: { rng: "cuda", name: "noise as CUDA draws it" },
  nv: { rng: "cuda", name: 'noise by "RNG: NV"' },
  cpu: { rng: "cpu", name: "noise as a CPU draws it" },
} as const;

/** "GPU" is the default and leaves no word in the file; on a machine without a GPU it is the CPU's noise. */
const bySaid: Readonly<Record<string, readonly (keyof typeof sources)[]>> = { CPU: ["cpu"], NV: ["nv"] };

function candidates(told: Told, shape: LatentShape): Candidate[] {
  const said = bySaid[told.text("RNG") ?? "GPU"] ?? ["cuda", "cpu"];
  const [, width, height] = /^(\d+)x(\d+)$/.exec(told.text("Seed resize from") ?? "") ?? [];
  const subseed = told.text("Variation seed");
  return said.map((source) => ({
    name: sources[source].name,
    latents: () =>
      noise({
        host: "a1111",
        seed: told.seed,
        shape: [...shape],
        rng: sources[source].rng,
        ...(subseed !== undefined && {
          subseed: BigInt(subseed),
          subseedStrength: told.number("Variation seed strength") ?? 0,
        }),
        ...(width && height && { resizeFrom: { width: Number(width), height: Number(height) } }),
      }),
  }));
}
