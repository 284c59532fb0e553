// What the routes and sockets work with. They own nothing themselves.

import type { EventEmitter } from "node:events";
import type { LiveStep } from "./api/events.ts";
import type { Job, JobKind, JobProgress, JobSummary } from "./api/jobs.ts";
import type {
  ChangeReply,
  Facets,
  Histogram,
  LibraryChange,
  LibraryFilter,
  LibraryFolder,
  LibraryPage,
  LibraryPicture,
  LibraryQuery,
  Operation,
} from "./api/library.ts";
import type { Engine } from "./engine/engine.ts";
import type { Fairness } from "./fairness.ts";
import type { Readers } from "./library/readers.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { ModelReports } from "./modelReports.ts";
import type { Policy } from "./security.ts";
import type { SettingsStore } from "./settings.ts";

export interface Library extends EventEmitter {
  page(query: LibraryQuery): LibraryPage;
  picture(id: string): Promise<LibraryPicture>;
  histogram(query: LibraryFilter & { bins: number }): Histogram;
  facets(): Facets;
  exportRows(query: LibraryFilter & { format: "csv" | "json"; sort: string }): AsyncIterable<string>;
  folders(): LibraryFolder[];
  addFolder(path: string, watch: boolean): Promise<void>;
  removeFolder(path: string): void;
  fileOf(id: string): string;
  within(path: string): Promise<string>;
  thumbnail(id: string): Promise<{ path: string }>;
  change(change: LibraryChange): Promise<ChangeReply>;
  delete(selection: { ids?: string[]; filter?: LibraryFilter }): Promise<ChangeReply>;
  undo(operation?: string): Promise<ChangeReply>;
  operations(): Operation[];
  close(): Promise<void>;
}

export interface Jobs extends EventEmitter {
  start(
    kind: JobKind,
    request: object,
    options?: { client?: string; priority?: number; source?: string },
  ): Job | Promise<Job>;
  list(): JobSummary[];
  get(id: string): Job;
  cancel(id: string): Promise<Job>;
  keep(id: string, which: { index: number; step?: number | undefined }): Promise<Job>;
  discard(id: string): Promise<void>;
  picture(id: string, name: string): string;
  preview(id: string, step: number): string;
  resume(): void;
  close(): Promise<void>;
}
export type { JobProgress, LiveStep };

export interface Services {
  readonly library: Library;
  readonly jobs: Jobs;
  readonly engine: Engine;
  readonly settings: SettingsStore;
  readonly models: ModelReports;
  readonly readers: Readers;
  readonly metrics: Metrics;
  readonly fairness: Fairness;
  readonly home: string;
  readonly version: string;
  readonly policy: Policy;
  readonly log: Logger;
}
