// A prompt as the U-Net reads it: the states of CLIP's text encoder, chunk by chunk.

import { RequestError } from "../errors.ts";
import { type CompileOptions, compile, input, type Session } from "../graph/index.ts";
import { clipText } from "../models/clipText.ts";
import { type ClipTextConfig, clipTextOptions } from "../models/config.ts";
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
  readonly #options: CompileOptions;
  readonly #sessions = new Map<string, Promise<Session>>();

  constructor(weights: Weights, config: ClipTextConfig, options: CompileOptions) {
    this.#weights = weights;
    this.#config = config;
    this.#options = options;
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
    const session = await this.#session(ids.length, options);
    const { states } = await session.run({ ids: BigInt64Array.from(ids, BigInt) });
    return { data: states!, tokens: ids.length, width: states!.length / ids.length };
  }

  async unload(): Promise<void> {
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const session of sessions) await (await session.catch(() => undefined))?.release();
  }

  #graph(tokens: number, { skipLayers = 0, finalNorm = true }: EncodeOptions) {
    const ids = input("ids", [1, tokens], "int64");
    return { states: clipText(this.#weights, ids, { ...clipTextOptions(this.#config), skipLayers, finalNorm }) };
  }

  /** One kind at a time: another number of skipped layers comes with another picture, if at all. */
  async #session(tokens: number, options: EncodeOptions): Promise<Session> {
    const key = JSON.stringify([tokens, options.skipLayers ?? 0, options.finalNorm ?? true]);
    const known = this.#sessions.get(key);
    if (known) return known;
    await this.unload();
    const made = compile(this.#graph(tokens, options), this.#options);
    this.#sessions.set(key, made);
    made.catch(() => this.#sessions.delete(key));
    return made;
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
