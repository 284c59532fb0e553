// The server's operations (src/server/api/operations.ts), each as a typed function. Failures are thrown as ApiError.

import type { z } from "zod";
import type { ErrorReply, ImageSource } from "../../src/server/api/common.ts";
import type {
  generateRequest,
  Job,
  JobSummary,
  keepRequest,
  refineRequest,
  scoreJobRequest,
} from "../../src/server/api/jobs.ts";
import type {
  ChangeReply,
  Facets,
  Histogram,
  LibraryChange,
  LibraryFilter,
  LibraryFolder,
  LibraryPage,
  LibraryPicture,
  Operation,
} from "../../src/server/api/library.ts";
import type { InfoReply, ScoreReply, ScoreRequest } from "../../src/server/api/pictures.ts";
import type { EngineState, Health, HostList, Model, Settings } from "../../src/server/api/system.ts";

/** What the server, or the way to it, says went wrong. `status` 0: no answer came. */
export class ApiError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly status: number;

  constructor({ code, message, hint }: ErrorReply["error"], status: number) {
    super(message);
    this.name = "ApiError";
    this.code = code;
    this.hint = hint;
    this.status = status;
  }
}

type Started = { id: string };
type Items<T> = { items: T[] };
/** As it is written, in addresses and bodies alike: what is true there is a text here. */
export type Filter = Omit<LibraryFilter, "rejected"> & { rejected?: "true" | "false" };
type Which = { ids?: string[]; filter?: Filter };
type WhichModel = Pick<Model, "name" | "kind">;
type Sorted = { sort?: string };

/** Requests as they are written, with what has a default left out. */
export type RefineBody = z.input<typeof refineRequest>;
export type GenerateBody = z.input<typeof generateRequest>;
export type ScoreJobBody = z.input<typeof scoreJobRequest>;
export type KeepBody = z.input<typeof keepRequest>;

const one = encodeURIComponent;

export const api = {
  health: (signal?: AbortSignal) => ask<Health>("GET", "/health", { signal }),

  score: (body: ScoreRequest, signal?: AbortSignal) => ask<ScoreReply>("POST", "/score", { body, signal }),
  scoreFile: (file: Blob, prompt?: string, signal?: AbortSignal) =>
    ask<ScoreReply>("POST", "/score", { body: form({ images: file, prompt }), signal }),
  info: (image: ImageSource, signal?: AbortSignal) => ask<InfoReply>("POST", "/info", { body: { image }, signal }),
  infoOfFile: (image: Blob, signal?: AbortSignal) => ask<InfoReply>("POST", "/info", { body: form({ image }), signal }),

  refine: (body: RefineBody) => ask<Started>("POST", "/refine", { body }),
  generate: (body: GenerateBody) => ask<Started>("POST", "/generate", { body }),
  jobs: (signal?: AbortSignal) => ask<Items<JobSummary>>("GET", "/jobs", { signal }),
  job: (id: string, signal?: AbortSignal) => ask<Job>("GET", `/jobs/${one(id)}`, { signal }),
  cancelJob: (id: string) => ask<Job>("DELETE", `/jobs/${one(id)}`),
  keepJob: (id: string, body: KeepBody = {}) => ask<Job>("POST", `/jobs/${one(id)}/keep`, { body }),
  discardJob: (id: string) => ask<object>("POST", `/jobs/${one(id)}/discard`),

  library: (query: Filter & Sorted & { cursor?: string; limit?: number }, signal?: AbortSignal) =>
    ask<LibraryPage>("GET", "/library", { query, signal }),
  changeLibrary: (body: Which & Pick<LibraryChange, "action" | "to">) =>
    ask<ChangeReply>("PATCH", "/library", { body }),
  deletePictures: (body: Which) => ask<ChangeReply>("DELETE", "/library", { body }),
  undo: (operation?: string) => ask<ChangeReply>("POST", "/library/undo", { body: operation ? { operation } : {} }),
  operations: (signal?: AbortSignal) => ask<Items<Operation>>("GET", "/library/operations", { signal }),
  rescore: (body: ScoreJobBody) => ask<Started>("POST", "/library/score", { body }),
  histogram: (query: Filter & { bins?: number }, signal?: AbortSignal) =>
    ask<Histogram>("GET", "/library/histogram", { query, signal }),
  facets: (signal?: AbortSignal) => ask<Facets>("GET", "/library/facets", { signal }),
  exportUrl: (query: Filter & Sorted & { format: "csv" | "json" }) => address("/library/export", query),
  folders: (signal?: AbortSignal) => ask<Items<LibraryFolder>>("GET", "/library/folders", { signal }),
  addFolder: (path: string, watch = true) => ask<Started>("POST", "/library/folders", { body: { path, watch } }),
  removeFolder: (path: string) => ask<Items<LibraryFolder>>("DELETE", "/library/folders", { body: { path } }),
  scan: () => ask<Started>("POST", "/library/scan"),
  picture: (id: string, signal?: AbortSignal) => ask<LibraryPicture>("GET", `/library/${one(id)}`, { signal }),

  models: (signal?: AbortSignal) => ask<{ items: Model[]; engine: EngineState }>("GET", "/models", { signal }),
  addModel: (name: string, path: string) => ask<Model>("POST", "/models", { body: { name, path } }),
  removeModel: ({ name, kind }: WhichModel) =>
    ask<{ items: Model[]; engine: EngineState }>("DELETE", `/models/${one(name)}`, { query: { kind } }),
  loadModel: ({ name, kind }: WhichModel) => ask<Model>("POST", `/models/${one(name)}/load`, { query: { kind } }),
  unloadModel: ({ name, kind }: WhichModel) => ask<Model>("POST", `/models/${one(name)}/unload`, { query: { kind } }),
  pullModel: (name: string) => ask<Started>("POST", `/models/${one(name)}/pull`),

  hosts: (signal?: AbortSignal) => ask<HostList>("GET", "/hosts", { signal }),
  settings: (signal?: AbortSignal) => ask<Settings>("GET", "/settings", { signal }),
  changeSettings: (body: Partial<Settings>) => ask<Settings>("PATCH", "/settings", { body }),
};

type Query = Record<string, string | number | boolean | readonly string[] | undefined>;
type Ask = { query?: Query; body?: unknown; signal?: AbortSignal };

async function ask<T>(method: string, path: string, { query, body, signal }: Ask = {}): Promise<T> {
  const raw = body instanceof FormData;
  const response = await fetch(address(path, query), {
    method,
    signal,
    // A form names its own type, with the boundary in it. A token, where one is needed, is in a cookie since the page came.
    headers: body === undefined || raw ? undefined : { "content-type": "application/json" },
    body: body === undefined ? undefined : raw ? body : JSON.stringify(body),
  }).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw new ApiError(noAnswer, 0);
  });
  if (!response.ok) throw new ApiError(await errorOf(response), response.status);
  return (await response.json()) as T;
}

const noAnswer = {
  code: "offline",
  message: "Renoir's server does not answer.",
  hint: "Is it still running? Start it with npm start; this page goes on by itself.",
};

async function errorOf(response: Response): Promise<ErrorReply["error"]> {
  const reply = (await response.json().catch(() => undefined)) as ErrorReply | undefined;
  const message = `The server answered with status ${response.status} ${response.statusText}.`;
  return reply?.error ?? { code: "http", message };
}

/** Lists by repetition, as the server reads them. */
function address(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== undefined && item !== "") search.append(name, String(item));
    }
  }
  const text = search.toString();
  return `/api/v1${path}${text && `?${text}`}`;
}

/** Files go as they are: base64 would make them a third larger. */
function form(fields: Record<string, Blob | string | undefined>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) data.append(name, value);
  return data;
}
