// Stands in until the library and the jobs are there.

import { EventEmitter } from "node:events";
import { SystemError } from "../errors.ts";
import type { Jobs, Library } from "./services.ts";

const absent = (): never => {
  throw new SystemError("This part of the server is not there yet.");
};

class Parts extends EventEmitter {
  page = () => ({ items: [], next: null, total: 0 });
  picture = absent;
  histogram = absent;
  facets = () => ({ hosts: [], models: [], folders: [], rewards: [], total: 0 });
  exportRows = absent;
  folders = () => [];
  addFolder = absent;
  removeFolder = absent;
  fileOf = absent;
  within = absent;
  thumbnail = absent;
  change = absent;
  delete = absent;
  undo = absent;
  operations = () => [];
  close = async () => {};
  start = absent;
  list = () => [];
  get = absent;
  cancel = absent;
  keep = absent;
  discard = absent;
  preview = absent;
  resume = () => {};
}

export const parts = () => new Parts() as unknown as Library & Jobs;
