// How the models are, on the disk and in memory. Opening every checkpoint takes a while, so it is done again only when a file has changed.

import { stat } from "node:fs/promises";
import { SystemError } from "../errors.ts";
import { sources } from "../scoring/sources.ts";
import { storePath } from "../scoring/store.ts";
import type { ModelReport } from "../tasks/models.ts";
import type { Model } from "./api/system.ts";
import type { Engine, LoadedModel } from "./engine/engine.ts";
import { NotFoundError } from "./errors.ts";
import { forkModule } from "./forkModule.ts";

export class ModelReports {
  readonly #home: string;
  #signature = "";
  #reports: Promise<ModelReport[]> = Promise.resolve([]);

  constructor(home: string) {
    this.#home = home;
  }

  async list(engine: Pick<Engine, "loaded">): Promise<Model[]> {
    const loaded = engine.loaded();
    return (await this.#current()).map((report) => {
      const held = loaded.find(({ name, kind }) => name === report.name && kind === report.kind);
      return { ...report, ...memoryOf(held), pullable: Object.hasOwn(sources, report.name) };
    });
  }

  async get(name: string, engine: Pick<Engine, "loaded">, kind?: Model["kind"]): Promise<Model> {
    const models = await this.list(engine);
    const found = models.find((model) => model.name === name.toLowerCase() && (kind ?? model.kind) === model.kind);
    if (found) return found;
    throw new NotFoundError(`There is no ${kind ?? "model"} "${name}".`, {
      hint: `There are ${models.map((model) => model.name).join(", ")}.`,
    });
  }

  /** Concurrent askers share one look. */
  async #current(): Promise<ModelReport[]> {
    const known = await this.#reports.catch(() => []);
    const signature = await this.#signatureOf(known);
    if (signature !== this.#signature) {
      this.#signature = signature;
      this.#reports = reportApart(this.#home);
      this.#reports.catch(() => {
        this.#signature = ""; // the next asker tries again
      });
      this.#signature = await this.#signatureOf(await this.#reports);
    }
    return this.#reports;
  }

  async #signatureOf(reports: readonly ModelReport[]): Promise<string> {
    const paths = [storePath(this.#home), ...reports.flatMap(({ path }) => path ?? [])];
    return (await Promise.all(paths.map(timeOf))).join();
  }
}

/** In a process of its own; about a second, most of it the process. */
function reportApart(home: string): Promise<ModelReport[]> {
  const process = forkModule("./reportProcess", import.meta.url, [home]);
  return new Promise((resolve, reject) => {
    process.once("message", resolve);
    process.once("error", reject);
    process.once("exit", (code, signal) => {
      reject(new SystemError(`The process that looks at the models ended with ${signal ?? `status ${code}`}.`));
    });
  });
}

const memoryOf = (held: LoadedModel | undefined): Pick<Model, "memory" | "residentBytes"> =>
  held?.ready ? { memory: "loaded", residentBytes: held.residentBytes } : { memory: held ? "loading" : "unloaded" };

const timeOf = (path: string) =>
  stat(path).then(
    ({ mtimeMs, size }) => `${mtimeMs}:${size}`,
    () => "none",
  );
