// What a work in the models' process is given to do its work with.

import type { Models } from "./models.ts";

export interface Hands {
  readonly models: Models;
  /** Aborted where the work shall end soon, with the best so far. */
  readonly signal: AbortSignal;
  /** A sentence for people. */
  say(note: string): void;
  /** Gives a part of the result, or only way to others, and resolves when it is this work's turn again. */
  handOver(piece?: unknown): Promise<void>;
}
