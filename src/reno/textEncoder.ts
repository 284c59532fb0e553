// A prompt as the U-Net reads it: the states of CLIP's text encoder, chunk by chunk.

import { RequestError } from "../errors.ts";
import { type CompileOptions, cast, input } from "../graph/index.ts";
import { clipText } from "../models/clipText.ts";
import { type ClipTextConfig, clipTextOptions } from "../models/config.ts";
import { SessionCache } from "../scoring/sessionCache.ts";
import type { Weights } from "../weights/weights.ts";

/** States of a prompt's tokens, [1, tokens, width]. */
export interface Embedding {
  readonly data: Float32Array;
  readonly tokens: number;
  readonly width: number;
}

export interface EncodeOptions {
  /** How many of the last layers are not run: diffusers' clip_skip, and what the WebUIs call "Clip skip" less one. */
  readonly skipLayers?: number | undefined;
  /** Whether the last norm follows all the same; true unless said. */
  readonly finalNorm?: boolean | undefined;
}

export class TextEncoder {
  readonly #weights: Weights;
  readonly #config: ClipTextConfig;
  readonly #sessions: SessionCache;

  constructor(weights: Weights, config: ClipTextConfig, options: CompileOptions) {
    this.#weights = weights;
    this.#config = config;
    this.#sessions = new SessionCache(options);
  }

  get width(): number {
    return this.#config.hidden_size;
  }

  /** Places there are for tokens. */
  get places(): number {
    return this.#config.max_position_embeddings;
  }

  /** Builds the graph, so that a missing tensor is told of at once. */
  check(): void {
    this.#graph(this.places, {});
  }

  async encode(ids: readonly number[], options: EncodeOptions = {}): Promise<Embedding> {
    this.#checkIds(ids);
    const key = JSON.stringify([ids.length, options.skipLayers ?? 0, options.finalNorm ?? true]);
    const feeds = { ids: BigInt64Array.from(ids, BigInt) };
    const run = this.#sessions.run(key, () => this.#graph(ids.length, options), feeds);
    this.#sessions.keepNewest(1, ""); // another number of skipped layers comes with another picture, if at all
    const { states } = await run;
    return { data: states!, tokens: ids.length, width: states!.length / ids.length };
  }

  async unload(): Promise<void> {
    await this.#sessions.release();
  }

  #graph(tokens: number, { skipLayers = 0, finalNorm = true }: EncodeOptions) {
    const ids = input("ids", [1, tokens], "int64");
    const states = clipText(this.#weights, ids, { ...clipTextOptions(this.#config), skipLayers, finalNorm });
    return { states: cast(states, "float32") };
  }

  #checkIds(ids: readonly number[]): void {
    const { vocab_size: size } = this.#config;
    if (ids.length === 0 || ids.length > this.places) {
      throw new RequestError(`A chunk of ${ids.length} tokens was given; the text encoder has ${this.places} places.`);
    }
    const unknown = ids.find((id) => id >= size || id < 0);
    if (unknown === undefined) return;
    throw new RequestError(`The text encoder has embeddings for ${size} tokens, but the prompt has token ${unknown}.`, {
      hint: "The tokenizer is another model's.",
    });
  }
}
