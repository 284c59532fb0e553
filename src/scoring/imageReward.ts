// ImageReward (Xu et al. 2023, arXiv 2304.05977; ImageReward/ImageReward.py at c1392c6): how much people would like a picture
// for a prompt. About 0 for the average of what models draw, spread about 1.

import { RequestError, WeightError } from "../errors.ts";
import {
  add,
  type CompileOptions,
  type ComputeDType,
  computedIn,
  constant,
  gradients,
  input,
  mul,
  resizeBicubic,
  type Tensor,
} from "../graph/index.ts";
import { bertFirstToken, blipSizes, imageReward, rewardHead, standardise, visionTransformer } from "../models/blip.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { findNonFinite } from "../weights/read.ts";
import { Weights } from "../weights/weights.ts";
import type { BertTokenizer } from "./bertTokenizer.ts";
import { type DecodedImage, decodeImage, type ImageInput } from "./decode.ts";
import { centerWindow, MEAN, preprocess, resizedSize, STD } from "./preprocess.ts";
import {
  type FloatPixels,
  floatPicture,
  type Ranking,
  type Reward,
  type RewardGradient,
  type RewardGraph,
} from "./reward.ts";
import { SessionCache } from "./sessionCache.ts";

const maxTokens = 35;
// Two sessions for text, not one for each length: each maps BERT's weights (0.47 GB) anew, while 16 tokens instead of 35
// save 3 % of a score's work.
const shortPrompt = 16;
const gradientSessionsKept = 4;

export interface ImageRewardOptions extends CompileOptions {
  readonly displayName?: string;
  /** The same weights in eight bits (int8.ts): scores are made with them, gradients with the exact ones. */
  readonly int8?: Checkpoint | undefined;
  /** What the model computes in; pictures and rewards are float32 all the same. Default float32. */
  readonly dtype?: ComputeDType | undefined;
}

/** A picture ready for the model: decoded, resized, normalised. Making it is the slow part that can run ahead. */
export class PreparedImage {
  readonly pixels: Float32Array;
  constructor(pixels: Float32Array) {
    this.pixels = pixels;
  }
}

export class ImageReward implements Reward {
  readonly name: string;
  readonly dtype: ComputeDType | "int8";
  readonly reno = { weight: 1, offset: 2 }; // ReNO's rewards/imagereward.py and arguments.py
  /** The side that pictures are resized to, in pixels; read from the weights. */
  readonly side: number;
  readonly #checkpoint: Checkpoint;
  readonly #weights: Weights;
  readonly #scoringWeights: Weights;
  readonly #tokenizer: BertTokenizer;
  readonly #tokens: number;
  readonly #vocabulary: number;
  readonly #sessions: SessionCache;

  /** Checks that the weights are all there and fit each other; nothing is read of them before the first score. */
  constructor(checkpoint: Checkpoint, tokenizer: BertTokenizer, options: ImageRewardOptions = {}) {
    this.#checkpoint = checkpoint;
    this.#tokenizer = tokenizer;
    this.#sessions = new SessionCache(options);
    this.name = options.displayName ?? "ImageReward";
    refuseOtherModels(checkpoint);
    const { dtype = "float32" } = options;
    this.dtype = options.int8 ? "int8" : dtype;
    this.#weights = Weights.fromCheckpoint(checkpoint, { dtype });
    this.#scoringWeights = options.int8 ? Weights.fromCheckpoint(options.int8) : this.#weights;
    const { side, vocabulary, positions } = blipSizes(this.#weights);
    this.side = side;
    this.#vocabulary = vocabulary;
    this.#tokens = Math.min(maxTokens, positions);
    this.#raw(input("pixels", [1, 3, side, side]), input("ids", [1, this.#tokens], "int64"));
  }

  /** A reward for each picture. Prompts: one for all, or one each; more than 35 tokens are cut off as upstream does. */
  async score(prompt: string | readonly string[], images: readonly (ImageInput | PreparedImage)[]): Promise<number[]> {
    const prompts = typeof prompt === "string" ? images.map(() => prompt) : prompt;
    if (prompts.length !== images.length) {
      throw new RequestError(`There are ${prompts.length} prompts for ${images.length} pictures.`, {
        hint: "Give one prompt for all pictures, or one for each.",
      });
    }
    const scores: number[] = [];
    let next = images.length ? this.prepare(images[0]!) : undefined;
    for (const [i, text] of prompts.entries()) {
      const prepared = await next!;
      next = i + 1 < images.length ? this.prepare(images[i + 1]!) : undefined; // decoded while the model works
      next?.catch(() => {}); // reported when it is its turn
      scores.push(await this.#scoreOne(text, prepared));
    }
    return scores;
  }

  /** Ranks the pictures for a prompt, 1 for the best (upstream's inference_rank; always lists here). */
  async rank(prompt: string, images: readonly (ImageInput | PreparedImage)[]): Promise<Ranking> {
    const rewards = await this.score(prompt, images);
    const order = rewards.map((_, i) => i).sort((a, b) => rewards[b]! - rewards[a]!);
    return { ranking: rewards.map((_, i) => order.indexOf(i) + 1), rewards };
  }

  async prepare(image: ImageInput | DecodedImage | PreparedImage): Promise<PreparedImage> {
    if (image instanceof PreparedImage) return image;
    return new PreparedImage(
      preprocess("mode" in Object(image) ? (image as DecodedImage) : await decodeImage(image as ImageInput), this.side),
    );
  }

  /**
   * The reward of a float picture [3, H, W] (values 0..1) and its gradient, through ReNO's preprocessing: antialiased
   * bicubic resize of the shorter side, centre crop, normalisation, nothing clamped.
   */
  async gradient(
    prompt: string,
    pixels: FloatPixels,
    size?: { width: number; height: number },
  ): Promise<RewardGradient> {
    const { data, width, height } = floatPicture(pixels, size);
    const { ids, length } = this.#encode(prompt);
    const build = () => {
      const image = input("pixels", [1, 3, height, width]);
      const { reward } = this.graph(image, prompt);
      return { reward, gradient: gradients(reward, [image])[0]! };
    };
    const feeds = { pixels: data, ids: ids.slice(0, length) };
    const run = this.#sessions.run(`gradient ${width}x${height} ${length}`, build, feeds);
    this.#sessions.keepNewest(gradientSessionsKept, "gradient");
    const { reward, gradient } = await run;
    return { reward: await this.#finite(reward![0]!), gradient: gradient! };
  }

  graph(image: Tensor, prompt: string, name = "ids"): RewardGraph {
    const { ids, length } = this.#encode(prompt);
    const read = input(name, [1, length], "int64"); // without padding: the same to 6e-8, and less to do
    const raw = this.#raw(renoPreprocessing(image, this.side), read);
    return { reward: standardise(raw), feeds: { [name]: ids.slice(0, length) } };
  }

  /** The reward before standardisation of normalised pixels. */
  #raw(pixels: Tensor, ids: Tensor): Tensor {
    return computedIn(this.#weights.dtype, (pixels) => imageReward(this.#weights, pixels, ids), pixels);
  }

  /** Builds what scoring needs ahead of the first score; the weights' pages still come with the first run. */
  async load(): Promise<void> {
    await this.#sessions.load("vision", () => this.#visionGraph());
  }

  /** Gives the model's memory back; the next call loads it again. */
  async unload(): Promise<void> {
    await this.#sessions.release();
  }

  async #scoreOne(prompt: string, { pixels }: PreparedImage): Promise<number> {
    const { ids, mask, length } = this.#encode(prompt); // before the long run: it may refuse
    const { image } = await this.#sessions.run("vision", () => this.#visionGraph(), { pixels });
    const tokens = length <= shortPrompt ? Math.min(shortPrompt, this.#tokens) : this.#tokens;
    const feeds = { image: image!, ids: ids.slice(0, tokens), mask: mask.slice(0, tokens) };
    const { reward } = await this.#sessions.run(`text ${tokens}`, () => this.#textGraph(tokens, image!.length), feeds);
    return this.#finite(reward![0]!);
  }

  #encode(prompt: string): { ids: BigInt64Array; mask: Float32Array; length: number } {
    const { ids, mask } = this.#tokenizer.encode(prompt, this.#tokens);
    const unknown = ids.find((id) => id >= this.#vocabulary);
    if (unknown !== undefined) {
      throw new WeightError(
        `${this.#checkpoint.name} has embeddings for ${this.#vocabulary} tokens, but the prompt has token ${unknown}.`,
        { hint: "The checkpoint was trained with another vocabulary than BERT's." },
      );
    }
    return {
      ids: BigInt64Array.from(ids, BigInt),
      mask: Float32Array.from(mask),
      length: mask.reduce((sum, each) => sum + each, 0),
    };
  }

  #visionGraph() {
    const pixels = input("pixels", [1, 3, this.side, this.side]);
    const w = this.#scoringWeights;
    return { image: computedIn(w.dtype, (pixels) => visionTransformer(w, pixels), pixels) };
  }

  #textGraph(tokens: number, imageElements: number) {
    const width = this.#weights.get("blip.visual_encoder.norm.weight").shape[0]!;
    const image = input("image", [1, imageElements / width, width]);
    const ids = input("ids", [1, tokens], "int64");
    const mask = input("mask", [1, tokens]);
    const w = this.#scoringWeights;
    const judge = (image: Tensor) => rewardHead(this.#weights, bertFirstToken(w, ids, image, mask));
    return { reward: standardise(computedIn(w.dtype, judge, image)) };
  }

  /** The reward, or an error that says which weight is not a number. */
  async #finite(reward: number): Promise<number> {
    if (Number.isFinite(reward)) return reward;
    for (const tensor of this.#checkpoint.tensors.values()) {
      const at = tensor.dtype.includes("float") ? await findNonFinite(tensor) : null;
      if (at === null) continue;
      throw new WeightError(
        `${this.#checkpoint.name}: "${tensor.name}" has a value at ${at} that is no finite number.`,
        {
          hint: "The checkpoint is damaged or its training diverged: get it again.",
        },
      );
    }
    throw new WeightError(`${this.#checkpoint.name} gives ${reward} as a reward, though all its weights are finite.`, {
      hint: "Its weights overflow: is it really a reward model?",
    });
  }
}

/** ReNO's Resize(side, bicubic, antialias) -> CenterCrop -> Normalize on a float picture [1, 3, H, W]. */
export function renoPreprocessing(pixels: Tensor, side: number): Tensor {
  const [height, width] = pixels.shape.slice(-2) as [number, number];
  const size = resizedSize({ width, height }, side);
  const cropped = resizeBicubic(pixels, size, centerWindow(size, side));
  const scale = constant(
    STD.map((deviation) => 1 / deviation),
    [1, 3, 1, 1],
  );
  const shift = constant(
    STD.map((deviation, i) => -MEAN[i]! / deviation),
    [1, 3, 1, 1],
  );
  return add(mul(cropped, scale), shift);
}

// What a file's names betray when it is no ImageReward.
const otherModels: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/lora_|\.lora\./i, "a LoRA, which changes another model and is no reward"],
  [/^model\.diffusion_model\./, "a Stable Diffusion checkpoint"],
  [/^(down_blocks|up_blocks|mid_block)\./, "a diffusers U-Net"],
  [/^(text_model|vision_model)\./, "a CLIP of the transformers library"],
  [/^visual\.transformer\.resblocks\./, "an OpenCLIP model"],
  [/^first_stage_model\.|^decoder\.conv_in\./, "an autoencoder"],
  [/^(visual_encoder|text_encoder)\./, "a BLIP without ImageReward's head"],
];

function refuseOtherModels({ tensors, name }: Checkpoint): void {
  const keys = [...tensors.keys()];
  if (keys.some((key) => key.startsWith("blip."))) return;
  const what = otherModels.find(([pattern]) => keys.some((key) => pattern.test(key)))?.[1];
  const sample = keys.slice(0, 2).map((key) => `"${key}"`);
  throw new WeightError(
    `${name} is no ImageReward: it has no tensor whose name begins with "blip."` +
      (what
        ? `; it looks like ${what}.`
        : sample.length
          ? `; its names are such as ${sample.join(" and ")}.`
          : "; it holds no tensors."),
    { hint: "ImageReward.pt is at huggingface.co/zai-org/ImageReward; `renoir models pull imagereward` fetches it." },
  );
}
