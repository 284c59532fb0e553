// A text-to-image model that is run for one step: text encoder, U-Net and autoencoder, and the affine step between them.

import { RequestError, WeightError } from "../errors.ts";
import {
  add,
  type CompileOptions,
  clip,
  computedIn,
  constant,
  div,
  elementCount,
  input,
  mul,
  reshape,
  sub,
  type Tensor,
} from "../graph/index.ts";
import { decode } from "../models/autoencoderKl.ts";
import type { UnetConfig, VaeConfig } from "../models/config.ts";
import type { Layer } from "../models/layers.ts";
import { unet } from "../models/unet.ts";
import { SessionCache } from "../scoring/sessionCache.ts";
import type { Weights } from "../weights/weights.ts";
import type { ClipTokenizer } from "./clipTokenizer.ts";
import { noise } from "./noise/index.ts";
import { type OneStep, oneStep, type PredictionType, type SchedulerConfig } from "./oneStep.ts";
import { alphasCumprod } from "./schedule.ts";
import type { Embedding, EncodeOptions, TextEncoder } from "./textEncoder.ts";

export type { Embedding, EncodeOptions } from "./textEncoder.ts";

/** What stays the same while the noise changes. guidance 1 (or no negative): one U-Net pass; else x0 = negative + guidance·(positive − negative). */
export interface Conditioning {
  readonly positive: Embedding;
  readonly negative?: Embedding;
  readonly guidance: number;
  /** Further prompts, as hosts compose them: each adds weight·(its output − the positive prompt's) to the U-Net's output. */
  readonly others?: readonly WeightedStates[];
  readonly step: OneStep;
}

export interface WeightedStates {
  readonly states: Embedding;
  readonly weight: number;
}

export interface PictureRequest {
  readonly prompt: string;
  readonly negativePrompt?: string | undefined;
  readonly guidance?: number | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly seed?: number | bigint | undefined;
  /** The noise itself [1, C, h, w], before it is scaled, in place of a seed. */
  readonly latents?: Float32Array | undefined;
  /** In place of the prompt's own. */
  readonly conditioning?: Conditioning | undefined;
}

export interface Generated {
  /** [3, H, W], 0..1 */
  readonly pixels: Float32Array;
  /** The noise [1, C, h, w] before scaling. */
  readonly latents: Float32Array;
  readonly width: number;
  readonly height: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** What a checkpoint brings, however it is laid out. */
export interface PipelineParts {
  readonly name: string;
  readonly path: string;
  readonly unet: { readonly weights: Weights; readonly config: UnetConfig };
  readonly vae: { readonly weights: Weights; readonly config: VaeConfig };
  readonly text: TextEncoder;
  readonly tokenizer: ClipTokenizer;
  readonly scheduler: SchedulerConfig;
  readonly oneStepModel: boolean;
}

/** What the graph of a picture is given beside the noise. Numbers may be graph values: then one session serves every step. */
export interface GraphConditioning {
  readonly positive: Tensor;
  readonly negative?: Tensor | undefined;
  readonly guidance: number | Tensor;
  readonly others?: readonly { readonly states: Tensor; readonly weight: number | Tensor }[];
  readonly step: { readonly [K in keyof OneStep]: number | Tensor };
}

/** How long each prompt's states are: each needs a graph of its own. */
interface Tokens {
  readonly positive: number;
  readonly negative: number | undefined;
  readonly others: readonly number[];
}

/** Of pictures' sessions: on the CPU each holds its own copy of a float16 checkpoint's weights in float32. */
const sessionsKept = 2;
/** At 8 pixels a latent, 8192 pixels: larger pictures are slips of the pen. */
const maxLatentSide = 1024;

export class Pipeline {
  readonly name: string;
  readonly path: string;
  readonly latentChannels: number;
  /** Pixels per latent, along a side. */
  readonly scaleFactor: number;
  /** What the model was made for. */
  readonly size: Size;
  /** By its own scheduler. */
  readonly step: OneStep;
  /** Whether it was made to draw in one step, as far as its files and name tell. */
  readonly oneStepModel: boolean;
  readonly predictionType: PredictionType;
  /** For the hosts' own tables of sigmas. */
  readonly alphasCumprod: readonly number[];
  readonly tokenizer: ClipTokenizer;
  readonly #parts: PipelineParts;
  readonly #sessions: SessionCache;

  /** Checks that every tensor is there and fits; nothing of them is read before the first picture. */
  constructor(parts: PipelineParts, options: CompileOptions = {}) {
    checkPartsFit(parts);
    this.#parts = parts;
    this.#sessions = new SessionCache(options);
    this.name = parts.name;
    this.path = parts.path;
    this.latentChannels = parts.unet.config.in_channels;
    this.scaleFactor = 2 ** (parts.vae.config.block_out_channels.length - 1);
    this.size = this.#ownSize();
    this.step = oneStep(parts.scheduler);
    this.oneStepModel = parts.oneStepModel;
    this.predictionType = parts.scheduler.predictionType ?? "epsilon";
    this.alphasCumprod = alphasCumprod(parts.scheduler);
    this.tokenizer = parts.tokenizer;
    parts.text.check();
    this.#graph(this.size, { positive: parts.text.places, negative: parts.text.places, others: [] });
  }

  /** The states of chunks of ids, 77 each: what hosts make their conditionings of. */
  async encodeChunks(chunks: readonly (readonly number[])[], options: EncodeOptions = {}): Promise<Embedding[]> {
    const states: Embedding[] = [];
    for (const chunk of chunks) states.push(await this.#parts.text.encode(chunk, options));
    return states;
  }

  /** A prompt as diffusers encodes it: 77 tokens, padding attended to; a negative prompt only where guidance is above 1. */
  async condition(
    prompt: string,
    options: {
      negativePrompt?: string | undefined;
      guidance?: number | undefined;
      skipLayers?: number | undefined;
    } = {},
  ): Promise<Conditioning> {
    const { negativePrompt = "", guidance = 1, skipLayers } = options;
    if (!Number.isFinite(guidance)) throw new RequestError(`The guidance is ${guidance}; a number was wanted.`);
    const texts = guidance > 1 ? [prompt, negativePrompt] : [prompt];
    const chunks = texts.map((text) => this.tokenizer.padded(text));
    const [positive, negative] = await this.encodeChunks(chunks, { skipLayers });
    return { positive: positive!, ...(negative ? { negative } : {}), guidance, step: this.step };
  }

  /** Of a prompt of zeros: for a graph that is only measured. */
  blankConditioning(): Conditioning {
    const { places: tokens, width } = this.#parts.text;
    const positive = { data: new Float32Array(tokens * width), tokens, width };
    return { positive, guidance: 1, step: this.step };
  }

  /**
   * The graph: noise [1, C, h, w] to x0 and the picture [1, 3, H, W] clamped to 0..1, all of them float32: only the models
   * themselves compute in the weights' dtype.
   */
  picture(noise: Tensor, given: GraphConditioning, layer?: Layer): { x0: Tensor; image: Tensor } {
    const { unet: model, vae } = this.#parts;
    const { positive, negative, guidance, others = [], step } = given;
    const time = typeof step.timestep === "number" ? constant([step.timestep], [1]) : reshape(step.timestep, [1]);
    const sample = mul(noise, step.scale);
    const scaled = mul(sample, step.inputScale);
    const apply = (x: Tensor, text: Tensor) => unet(model.weights, x, time, text, model.config, layer);
    const predict = (text: Tensor) => computedIn(model.weights.dtype, apply, scaled, text);
    const wanted = predict(positive);
    const guided = negative && guidance !== 1 ? guide(predict(negative), wanted, guidance) : wanted;
    const toward = ({ states, weight }: (typeof others)[number]) => mul(sub(predict(states), wanted), weight);
    const output = others.reduce((sum, other) => add(sum, toward(other)), guided);
    const x0 = add(mul(sample, step.skip), mul(output, step.out));
    const shifted = add(div(x0, vae.config.scaling_factor), vae.config.shift_factor ?? 0);
    const image = computedIn(vae.weights.dtype, (z) => decode(vae.weights, z, vae.config, layer), shifted);
    return { x0, image: clip(add(mul(image, 0.5), 0.5), 0, 1) };
  }

  /** A picture of the noise of a seed (torch's on the CPU, as diffusers draws it), or of noise given. */
  async generate(request: PictureRequest): Promise<Generated> {
    const { width, height } = this.checkedSize(request);
    const shape = this.latentShape({ width, height });
    const latents = this.#noise(request, shape);
    const conditioning = request.conditioning ?? (await this.condition(request.prompt, request));
    const { positive, negative, guidance, others = [], step } = conditioning;
    const guided = negative !== undefined && guidance !== 1;
    const tokens = {
      positive: positive.tokens,
      negative: guided ? negative.tokens : undefined,
      others: others.map(({ states }) => states.tokens),
    };
    const feeds = {
      noise: latents,
      positive: positive.data,
      ...(guided ? { negative: negative.data, guidance: Float32Array.of(guidance) } : {}),
      ...Object.fromEntries(others.map(({ states }, i) => [`other ${i}`, states.data])),
      ...Object.fromEntries(others.map(({ weight }, i) => [`weight ${i}`, Float32Array.of(weight)])),
      ...Object.fromEntries(stepFields.map((field) => [field, Float32Array.of(step[field])])),
    };
    const key = JSON.stringify([width, height, tokens]);
    const run = this.#sessions.run(key, () => this.#graph({ width, height }, tokens), feeds);
    this.#sessions.keepNewest(sessionsKept, "");
    const { pixels } = await run;
    return { pixels: pixels!, latents, width, height };
  }

  /** [1, C, h, w] of the noise behind a picture of that size. */
  latentShape({ width, height }: Size): [number, number, number, number] {
    return [1, this.latentChannels, height / this.scaleFactor, width / this.scaleFactor];
  }

  /** The size asked for, or the model's own; whole latents along both sides. */
  checkedSize({ width = this.size.width, height = this.size.height }: Partial<Size>): Size {
    for (const [name, side] of Object.entries({ width, height })) {
      if (Number.isInteger(side / this.scaleFactor) && side > 0 && side <= maxLatentSide * this.scaleFactor) continue;
      throw new RequestError(
        `The ${name} is ${side}; a multiple of ${this.scaleFactor} was wanted, up to ${maxLatentSide * this.scaleFactor}.`,
        { hint: `${this.name} was made for ${this.size.width}x${this.size.height}.` },
      );
    }
    return { width, height };
  }

  /** Gives the sessions' memory back, or only the text encoder's; the next call builds them again. */
  async unload(part: "all" | "text" = "all"): Promise<void> {
    await this.#parts.text.unload();
    if (part === "text") return;
    await this.#sessions.release();
  }

  #ownSize(): Size {
    const { sample_size: latents = 64 } = this.#parts.unet.config;
    const [height, width] = Array.isArray(latents) ? latents : [latents, latents];
    return { width: (width ?? 64) * this.scaleFactor, height: (height ?? 64) * this.scaleFactor };
  }

  #noise({ latents, seed }: PictureRequest, shape: readonly number[]): Float32Array {
    if (latents) {
      if (latents.length === elementCount(shape)) return latents;
      throw new RequestError(
        `The latents have ${latents.length} numbers, but [${shape.join(", ")}] were wanted, which is ${elementCount(shape)}.`,
        { hint: "Give the width and height that they were made for." },
      );
    }
    if (seed === undefined) throw new RequestError("Neither a seed nor latents were given; one of them was wanted.");
    return noise({ host: "diffusers", seed, shape: [...shape] });
  }

  /** As inputs: the noise, the prompts' states and the step's numbers. */
  #graph(size: Size, tokens: Tokens) {
    const states = (name: string, count: number) => input(name, [1, count, this.#parts.text.width]);
    const { image } = this.picture(input("noise", this.latentShape(size)), {
      positive: states("positive", tokens.positive),
      negative: tokens.negative === undefined ? undefined : states("negative", tokens.negative),
      guidance: tokens.negative === undefined ? 1 : input("guidance", [1]),
      others: tokens.others.map((count, i) => ({
        states: states(`other ${i}`, count),
        weight: input(`weight ${i}`, [1]),
      })),
      step: Object.fromEntries(stepFields.map((field) => [field, input(field, [1])])) as Record<keyof OneStep, Tensor>,
    });
    return { pixels: reshape(image, image.shape.slice(1)) };
  }
}

/** The parts of a model may have been exchanged one by one. */
function checkPartsFit({ name, unet, vae, text }: PipelineParts): void {
  const { in_channels: channels, cross_attention_dim } = unet.config;
  const { latent_channels: latents } = vae.config;
  const reads = [cross_attention_dim].flat();
  const problem =
    channels !== latents
      ? `the U-Net makes latents of ${channels} channels, but the autoencoder reads ${latents}`
      : reads.some((width) => width !== text.width) &&
        `the U-Net reads prompts ${reads.join(", ")} numbers wide, but the text encoder writes ${text.width}`;
  if (!problem) return;
  throw new WeightError(`${name}: ${problem}.`, {
    hint: "Its parts are of different models: take all of them from the same one.",
  });
}

const stepFields: readonly (keyof OneStep)[] = ["scale", "inputScale", "timestep", "skip", "out"];

/** Classifier-free guidance (Ho & Salimans 2022) of the outputs; x0 is affine in them, so it is of x0 too. */
const guide = (negative: Tensor, positive: Tensor, guidance: number | Tensor) =>
  add(negative, mul(sub(positive, negative), guidance));
