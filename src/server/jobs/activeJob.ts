// A job at work: what it tells is stored and sent on, no oftener than anybody can look.

import type { JobProgress, JobStep } from "../api/jobs.ts";
import type { JobTable, StoredJob } from "./table.ts";
import type { JobServices, Running } from "./work.ts";

export interface Teller {
  step(id: string, step: JobStep, image: Uint8Array | undefined): void;
  progress(id: string, progress: JobProgress): void;
  note(id: string, note: string): void;
  changed(id: string): void;
}

/** How often each is told at most. */
const everyMs = { progress: 100, stored: 1_000, changed: 500 } as const;

export class ActiveJob implements Running {
  readonly job: StoredJob;
  readonly folder: string;
  readonly services: JobServices;
  readonly controller = new AbortController();
  readonly lastStep: number;
  /** Resolves when it has ended, however. */
  ended: Promise<void> = Promise.resolve();
  latest: JobProgress | null;
  readonly #table: JobTable;
  readonly #tell: Teller;
  readonly #last = { progress: 0, stored: 0, changed: 0 };
  readonly #notes: string[];
  #title: string;
  #attempts: number;

  constructor(job: StoredJob, folder: string, services: JobServices, table: JobTable, tell: Teller) {
    this.job = job;
    this.folder = folder;
    this.services = services;
    this.lastStep = table.lastStep(job.id);
    this.latest = job.progress;
    this.#table = table;
    this.#tell = tell;
    this.#notes = [...job.notes];
    this.#title = job.title;
    this.#attempts = job.attempts;
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  steps(): JobStep[] {
    return this.#table.steps(this.job.id);
  }

  readonly note = (sentence: string): void => {
    const told = this.#withoutPath(sentence);
    if (this.#notes.some((note) => wordsOf(note) === wordsOf(told))) return; // a run that goes on says again how it began
    this.#notes.push(told);
    this.#table.change(this.job.id, { notes: this.#notes });
    this.#tell.note(this.job.id, told);
  };

  readonly title = (title: string): void => {
    if (title === this.#title) return;
    this.#title = title;
    this.#table.change(this.job.id, { title });
    this.#tell.changed(this.job.id);
  };

  readonly progress = (progress: JobProgress): void => {
    this.latest = progress;
    if (this.#isTime("stored")) this.#table.change(this.job.id, { progress, attempts: 0 });
    if (this.#isTime("progress") || progress.done === progress.total) this.#tell.progress(this.job.id, progress);
    if (this.#isTime("changed")) this.#tell.changed(this.job.id);
  };

  readonly step = (step: JobStep, image?: Uint8Array): void => {
    if (!this.#table.addStep(this.job.id, step)) return;
    if (this.#attempts > 0) this.#table.change(this.job.id, { attempts: 0 });
    this.#attempts = 0;
    this.#tell.step(this.job.id, step, image);
  };

  #isTime(what: keyof typeof everyMs): boolean {
    const now = performance.now();
    if (now - this.#last[what] < everyMs[what]) return false;
    this.#last[what] = now;
    return true;
  }

  /** Where a picture lies that was sent is nobody's business. */
  #withoutPath(sentence: string): string {
    const { picture } = this.job;
    return picture?.startsWith(this.folder) ? sentence.replaceAll(picture, "The picture") : sentence;
  }
}

/** What it says, whatever the numbers: those of memory are others each time. */
const wordsOf = (note: string) => note.replace(/[\d.]+/g, "#");
