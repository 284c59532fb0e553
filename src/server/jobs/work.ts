// What a kind of job is: a name for people, and a function that works. Each kind has a file; kinds.ts lists them.

import type { EventEmitter } from "node:events";
import type { JobProgress, JobResult, JobStep } from "../api/jobs.ts";
import type { ChangeReply, LibraryChange } from "../api/library.ts";
import type { Settings } from "../api/system.ts";
import type { Engine } from "../engine/engine.ts";
import type { StoredJob } from "./table.ts";

/** What jobs need of the library. */
export interface JobLibrary extends EventEmitter {
  scan(options: {
    signal?: AbortSignal;
    onProgress?: (progress: JobProgress) => void;
    folders?: string[];
  }): Promise<Record<string, number>>;
  /** Pictures that lack a score by one of these rewards; `again`: those that have it too. */
  wanting(rewards: string[], options: { ids?: string[]; again?: boolean }): string[];
  recordScores(id: string, entries: { reward: string; score: number; version: string; approximate: boolean }[]): void;
  fileOf(id: string): string;
  /** Its id; it throws outside of the library's folders. */
  addFile(path: string): Promise<string>;
  addFolder(path: string): Promise<void>;
  change(change: LibraryChange): Promise<ChangeReply>;
}

export interface JobSettings {
  get(): Settings;
  /** After models came or went. */
  refresh?(): Promise<void>;
}

export interface JobServices {
  readonly home: string;
  readonly engine: Engine;
  readonly library: JobLibrary;
  readonly settings: JobSettings;
  /** Pictures that are not scored unasked: what could not be scored, and what a person did not want scored. */
  readonly passedOver: Set<string>;
}

/** A job at work. */
export interface Running {
  readonly job: StoredJob;
  /** Its own, for everything that it makes. */
  readonly folder: string;
  readonly services: JobServices;
  /** Aborted where it is cancelled, or the server stops. */
  readonly signal: AbortSignal;
  /** The last step that is stored; -1 for none. */
  readonly lastStep: number;
  /** Those that are stored. */
  steps(): JobStep[];
  note(sentence: string): void;
  title(title: string): void;
  progress(progress: JobProgress): void;
  step(step: JobStep, image?: Uint8Array): void;
}

export interface Outcome {
  readonly result: JobResult | null;
  /** Why it ended early, where there is a result all the same. */
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string | undefined } | undefined;
}

export type Kind = (running: Running) => Promise<Outcome>;
