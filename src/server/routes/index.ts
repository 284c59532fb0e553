// Which handler answers which operation: the whole of the API on one screen.

import type { OperationName } from "../api/operations.ts";
import type { Handler } from "../handler.ts";
import * as jobs from "./jobs.ts";
import * as library from "./library.ts";
import * as models from "./models.ts";
import * as score from "./score.ts";
import * as system from "./system.ts";

export const handlers: { readonly [N in OperationName]: Handler<N> } = {
  health: system.health,
  score: score.score,
  info: score.info,
  refine: jobs.refine,
  generate: jobs.generate,
  jobs: jobs.list,
  job: jobs.get,
  cancelJob: jobs.cancel,
  jobPreview: jobs.preview,
  jobPicture: jobs.picture,
  keepJob: jobs.keep,
  discardJob: jobs.discard,
  library: library.page,
  changeLibrary: library.change,
  deletePictures: library.remove,
  undo: library.undo,
  operations: library.operations,
  rescore: library.rescore,
  histogram: library.histogram,
  facets: library.facets,
  exportLibrary: library.exportRows,
  folders: library.folders,
  addFolder: library.addFolder,
  removeFolder: library.removeFolder,
  scan: library.scan,
  picture: library.picture,
  file: library.file,
  thumbnail: library.thumbnail,
  models: models.list,
  addModel: models.add,
  removeModel: models.remove,
  loadModel: models.load,
  unloadModel: models.unload,
  pullModel: models.pull,
  hosts: system.hosts,
  settings: system.settings,
  changeSettings: system.changeSettings,
};

/** What takes long or much: of these a client has only so many under way. */
export const heavy: ReadonlySet<OperationName> = new Set([
  "score",
  "info",
  "refine",
  "generate",
  "exportLibrary",
  "changeLibrary",
  "deletePictures",
  "undo",
  "loadModel",
]);
