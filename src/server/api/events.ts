// What goes over the socket, by the events' names.

import type { Scores } from "./common.ts";
import type { Job, JobProgress, JobStep, JobSummary } from "./jobs.ts";

/** A step as it is sent: its preview is there as JPEG bytes too, so that no request follows. */
export interface LiveStep extends JobStep {
  readonly id: string;
  readonly image?: ArrayBuffer | Uint8Array;
}

export interface ServerEvents {
  /** In answer to job:join: the job with every step so far; job:step goes on from there without a gap or a doublet. */
  "job:steps": (job: Job) => void;
  "job:step": (step: LiveStep) => void;
  "job:progress": (progress: JobProgress & { id: string }) => void;
  "job:note": (note: { id: string; note: string }) => void;
  "job:done": (job: Job) => void;
  "job:failed": (job: Job) => void;
  "job:cancelled": (job: Job) => void;
  /** To everyone: a job came, went on, or ended. */
  "jobs:changed": (job: JobSummary) => void;
  "library:scored": (scored: { id: string; path: string; scores: Scores }) => void;
  /** To everyone: a job is no more, nor is what it made. */
  "jobs:discarded": (job: { id: string }) => void;
  /** To everyone: pictures came, went or moved; ask again for what is shown. At most a few a second. */
  "library:changed": (change: { added: number; removed: number; changed: number }) => void;
  "models:changed": () => void;
}

export interface ClientEvents {
  /** Into a job's room; the answer is the job, or an error's code and message. */
  "job:join": (
    id: string,
    answer?: (reply: { job: Job } | { error: { code: string; message: string } }) => void,
  ) => void;
  "job:leave": (id: string) => void;
}
