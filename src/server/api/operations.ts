// Every route by method and path (under /api/v1), with what it takes and gives: the routes parse by it, and OpenAPI is made from it.

import { z } from "zod";
import { errorReply } from "./common.ts";
import * as jobs from "./jobs.ts";
import * as library from "./library.ts";
import * as pictures from "./pictures.ts";
import * as system from "./system.ts";

export interface Operation {
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  /** As in Express: `/jobs/:id`. */
  readonly path: string;
  readonly summary: string;
  readonly tag: "pictures" | "jobs" | "library" | "models" | "system";
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** By status; a text instead of a schema names the media type of an answer that is no JSON. */
  readonly answers: Readonly<Record<number, z.ZodType | string>>;
}

const nothing = z.object({});
const picture = "image/*";

export const operations = {
  health: {
    method: "get",
    path: "/health",
    tag: "system",
    summary: "How the server is",
    answers: { 200: system.health },
  },

  score: {
    method: "post",
    path: "/score",
    tag: "pictures",
    summary: "Score pictures at once; multipart/form-data takes files named `images` too",
    body: pictures.scoreRequest,
    answers: { 200: pictures.scoreReply },
  },
  info: {
    method: "post",
    path: "/info",
    tag: "pictures",
    summary: "What a picture's bytes say; the body may be the picture itself",
    body: pictures.infoRequest,
    answers: { 200: pictures.infoReply },
  },

  refine: {
    method: "post",
    path: "/refine",
    tag: "jobs",
    summary: "Optimise a picture's noise (ReNO)",
    body: jobs.refineRequest,
    answers: { 202: jobs.jobStarted },
  },
  generate: {
    method: "post",
    path: "/generate",
    tag: "jobs",
    summary: "Draw pictures with a one-step model",
    body: jobs.generateRequest,
    answers: { 202: jobs.jobStarted },
  },
  jobs: {
    method: "get",
    path: "/jobs",
    tag: "jobs",
    summary: "All jobs, the newest first",
    answers: { 200: jobs.jobList },
  },
  job: { method: "get", path: "/jobs/:id", tag: "jobs", summary: "A job with its steps", answers: { 200: jobs.job } },
  cancelJob: {
    method: "delete",
    path: "/jobs/:id",
    tag: "jobs",
    summary: "Cancel a job; the best so far is kept",
    answers: { 200: jobs.job },
  },
  jobPreview: {
    method: "get",
    path: "/jobs/:id/steps/:step/preview",
    tag: "jobs",
    summary: "A step's picture",
    answers: { 200: "image/jpeg" },
  },
  jobPicture: {
    method: "get",
    path: "/jobs/:id/pictures/:name",
    tag: "jobs",
    summary: "A picture that a job made: result.png, before.png, 0.png ...",
    answers: { 200: "image/png" },
  },
  keepJob: {
    method: "post",
    path: "/jobs/:id/keep",
    tag: "jobs",
    summary: "Save a job's picture beside its source or in the output folder, and in the library",
    body: jobs.keepRequest,
    answers: { 200: jobs.job },
  },
  discardJob: {
    method: "post",
    path: "/jobs/:id/discard",
    tag: "jobs",
    summary: "Forget a job and what it made",
    answers: { 200: nothing },
  },

  library: {
    method: "get",
    path: "/library",
    tag: "library",
    summary: "Pictures, filtered, sorted, by pages",
    query: library.libraryQuery,
    answers: { 200: library.libraryPage },
  },
  changeLibrary: {
    method: "patch",
    path: "/library",
    tag: "library",
    summary: "Write scores, move, reject or restore pictures",
    body: library.libraryChange,
    answers: { 200: library.changeReply },
  },
  deletePictures: {
    method: "delete",
    path: "/library",
    tag: "library",
    summary: "Delete pictures; undo brings them back",
    body: library.libraryDelete,
    answers: { 200: library.changeReply },
  },
  undo: {
    method: "post",
    path: "/library/undo",
    tag: "library",
    summary: "Undo a change",
    body: library.undoRequest,
    answers: { 200: library.changeReply },
  },
  operations: {
    method: "get",
    path: "/library/operations",
    tag: "library",
    summary: "Changes that can be undone, the newest first",
    answers: { 200: library.operations },
  },
  rescore: {
    method: "post",
    path: "/library/score",
    tag: "library",
    summary: "Score pictures of the library",
    body: jobs.scoreJobRequest,
    answers: { 202: jobs.jobStarted },
  },
  histogram: {
    method: "get",
    path: "/library/histogram",
    tag: "library",
    summary: "How the scores are spread",
    query: library.histogramQuery,
    answers: { 200: library.histogram },
  },
  facets: {
    method: "get",
    path: "/library/facets",
    tag: "library",
    summary: "Hosts, models, folders and rewards, with counts",
    answers: { 200: library.facets },
  },
  exportLibrary: {
    method: "get",
    path: "/library/export",
    tag: "library",
    summary: "The pictures that a filter lets through, as CSV or JSON",
    query: library.exportQuery,
    answers: { 200: "text/csv" },
  },
  folders: {
    method: "get",
    path: "/library/folders",
    tag: "library",
    summary: "The library's folders",
    answers: { 200: library.folderList },
  },
  addFolder: {
    method: "post",
    path: "/library/folders",
    tag: "library",
    summary: "Add a folder; its scan is a job",
    body: library.addFolder,
    answers: { 202: jobs.jobStarted },
  },
  removeFolder: {
    method: "delete",
    path: "/library/folders",
    tag: "library",
    summary: "Forget a folder; its files stay",
    body: library.removeFolder,
    answers: { 200: library.folderList },
  },
  scan: {
    method: "post",
    path: "/library/scan",
    tag: "library",
    summary: "Look at all folders again",
    answers: { 202: jobs.jobStarted },
  },
  picture: {
    method: "get",
    path: "/library/:id",
    tag: "library",
    summary: "A picture with all that is known of it",
    answers: { 200: library.libraryPicture },
  },
  file: {
    method: "get",
    path: "/library/:id/file",
    tag: "library",
    summary: "The picture's file",
    answers: { 200: picture },
  },
  thumbnail: {
    method: "get",
    path: "/library/:id/thumbnail",
    tag: "library",
    summary: "A small WebP of it, 320 pixels at most",
    answers: { 200: "image/webp" },
  },

  models: {
    method: "get",
    path: "/models",
    tag: "models",
    summary: "Rewards and pipelines",
    answers: { 200: system.modelList },
  },
  addModel: {
    method: "post",
    path: "/models",
    tag: "models",
    summary: "Name a checkpoint that lies on this machine",
    body: system.addModelRequest,
    answers: { 200: system.model },
  },
  removeModel: {
    method: "delete",
    path: "/models/:name",
    tag: "models",
    summary: "Forget a model; its file goes only if it was pulled",
    query: system.whichModel,
    answers: { 200: system.modelList },
  },
  loadModel: {
    method: "post",
    path: "/models/:name/load",
    tag: "models",
    summary: "Load a model into memory",
    query: system.whichModel,
    answers: { 200: system.model },
  },
  unloadModel: {
    method: "post",
    path: "/models/:name/unload",
    tag: "models",
    summary: "Let a model go",
    query: system.whichModel,
    answers: { 200: system.model },
  },
  pullModel: {
    method: "post",
    path: "/models/:name/pull",
    tag: "models",
    summary: "Fetch a checkpoint from where it is published",
    answers: { 202: jobs.jobStarted },
  },

  hosts: {
    method: "get",
    path: "/hosts",
    tag: "system",
    summary: "Generation UIs found on this machine",
    answers: { 200: system.hostList },
  },
  settings: {
    method: "get",
    path: "/settings",
    tag: "system",
    summary: "The settings",
    answers: { 200: system.settings },
  },
  changeSettings: {
    method: "patch",
    path: "/settings",
    tag: "system",
    summary: "Change some of the settings",
    body: system.settingsChange,
    answers: { 200: system.settings },
  },
} satisfies Record<string, Operation>;

export type OperationName = keyof typeof operations;

/** Every route may answer so as well. */
export const anyError = errorReply;
