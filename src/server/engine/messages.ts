// What crosses between the server and the models' process. One side is built with the other, so types are enough here.

import type { Provider } from "../../graph/index.ts";
import type { TraceStep } from "../../reno/trace.ts";
import type { MakingFlags } from "../../tasks/making.ts";
import type { Manner } from "../../tasks/refineSettings.ts";

/** Failures as they cross: a class does not, its code does. */
export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** Only what is not left to the models' process. */
export interface Computing {
  readonly provider?: Provider;
  readonly threads?: number;
}

// ---- score

export interface EnginePicture {
  /** A path, or the bytes. */
  readonly source: string | Uint8Array;
  /** Without one the picture's own metadata says. */
  readonly prompt?: string | undefined;
  /** How messages call it; its path unless given. */
  readonly name?: string | undefined;
}

export interface ScoreWork {
  readonly kind: "score";
  readonly pictures: readonly EnginePicture[];
  /** name[=weight][@path] */
  readonly rewards: readonly string[];
  readonly computing: Computing;
}

export interface Scored {
  /** By the rewards' display names. */
  readonly scores: Record<string, number>;
  readonly total: number;
  readonly prompt: string;
  readonly approximate: boolean;
  /** Which checkpoint each score came from. */
  readonly versions: Record<string, string>;
}

/** In the order of the pictures: what cannot be scored does not spoil its neighbours. */
export type ScoredPicture = Scored | { readonly error: WireError };

// ---- refine and generate

/** Where a picture's making is told: its file, infotext, or the flags alone. */
export interface MakingWork {
  readonly image?: string | undefined;
  readonly infotext?: string | undefined;
  readonly flags: Pick<MakingFlags, "prompt" | "negativePrompt" | "guidance" | "seed" | "size" | "model">;
  /** Where everything goes that the work makes. */
  readonly folder: string;
  readonly computing: Computing;
}

export interface RefineWork extends MakingWork, Manner {
  readonly kind: "refine";
  /** Default: as the command line chooses. */
  readonly rewards?: readonly string[] | undefined;
  readonly observe?: readonly string[] | undefined;
  /** The last step that the asker has: what an earlier process made beyond it comes first. */
  readonly after?: number | undefined;
}

/** The picture of another step than the best, drawn from its noise. */
export interface RedrawWork extends Omit<RefineWork, "kind"> {
  readonly kind: "redraw";
  readonly step: number;
  readonly out: string;
}

export interface GenerateWork extends MakingWork {
  readonly kind: "generate";
  readonly count: number;
  readonly rewards?: readonly string[] | undefined;
  /** The first of them that is not there yet. */
  readonly from: number;
}

/** One look of a refine. Its latents stay in the models' process. */
export interface RefinePiece extends TraceStep {
  readonly best: boolean;
  readonly noiseSize: number;
  /** What is painted, as the picture's file had it. */
  readonly prompt: string;
  /** JPEG; none for a step that an earlier process has made. */
  readonly preview?: Uint8Array | undefined;
}

export interface GeneratePiece {
  readonly index: number;
  readonly seed: string;
  readonly file: string;
  readonly ms: number;
  readonly scores?: Record<string, number> | undefined;
  readonly preview: Uint8Array;
}

/** Scores of the picture as it was and as it is. */
export interface BeforeAfter {
  readonly before: Record<string, number>;
  readonly after: Record<string, number>;
}

export interface RefineResult {
  readonly scores: BeforeAfter;
  readonly observed?: BeforeAfter | undefined;
  readonly best: number;
  readonly iterations: number;
  /** Why it ended before its last step; the best so far is saved all the same. */
  readonly failure?: WireError | undefined;
}

// ---- models

/** Where a name has both and none is said, both are meant. */
export type ModelKind = "reward" | "pipeline";

export interface LoadWork {
  readonly kind: "load";
  readonly name: string;
  readonly of?: ModelKind | undefined;
  readonly computing: Computing;
}

export interface UnloadWork {
  readonly kind: "unload";
  readonly name: string;
  readonly of?: ModelKind | undefined;
}

export interface LoadedModel {
  readonly name: string;
  readonly kind: ModelKind;
  /** What loading it added to the process's memory. */
  readonly residentBytes: number;
  readonly ready: boolean;
}

// ---- the messages

export type Work = ScoreWork | RefineWork | RedrawWork | GenerateWork | LoadWork | UnloadWork;

export type ToProcess =
  /** Begin this work. */
  | { readonly type: "do"; readonly id: number; readonly work: Work }
  /** Go on with it, after a piece. */
  | { readonly type: "go"; readonly id: number }
  /** End it soon, with the best so far. */
  | { readonly type: "abort"; readonly id: number }
  /** How long an unused model stays, in milliseconds. */
  | { readonly type: "idle"; readonly ms: number };

export type FromProcess =
  | { readonly type: "ready"; readonly provider: string }
  /** A part of a work's result; it waits for "go". */
  | { readonly type: "piece"; readonly id: number; readonly value: unknown }
  | { readonly type: "done"; readonly id: number; readonly value: unknown }
  | { readonly type: "failed"; readonly id: number; readonly error: WireError }
  | { readonly type: "note"; readonly id: number; readonly note: string }
  | { readonly type: "models"; readonly models: readonly LoadedModel[]; readonly residentBytes: number };
