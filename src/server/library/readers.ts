// The processes that read files, seen from the library. They start when there is work and end when there has been none for a while;
// when one dies its batch's files are taken one by one, so that a single file is to blame and no other suffers.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { forkModule } from "../forkModule.ts";
import type { Facts } from "./facts.ts";

export type Reading =
  | { readonly facts: Facts }
  | { readonly failure: { readonly code: string; readonly message: string } };

interface Batch {
  readonly paths: readonly string[];
  readonly done: (readings: Reading[]) => void;
}

/** So that readers seldom wait for messages, and little is lost with one. */
const BATCH = 16;
const IDLE_MS = 20_000;

/** Of JavaScript's own objects; a file's bytes lie outside of it. */
const HEAP_MB = 512;

export class Readers {
  readonly #waiting: Batch[] = [];
  readonly #readers = new Map<ChildProcess, Batch | undefined>();
  readonly #most = Math.max(1, Math.min(4, availableParallelism() - 1));
  #idle: NodeJS.Timeout | undefined;
  #closed = false;

  /** In the order of the paths. */
  async read(paths: readonly string[]): Promise<Reading[]> {
    const batches = Array.from({ length: Math.ceil(paths.length / BATCH) }, (_, i) =>
      this.#take(paths.slice(i * BATCH, (i + 1) * BATCH)),
    );
    return (await Promise.all(batches)).flat();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#idle);
    for (const batch of this.#waiting.splice(0)) batch.done(failures(batch.paths, "the library was closed"));
    await Promise.all([...this.#readers.keys()].map(end));
  }

  #take(paths: readonly string[]): Promise<Reading[]> {
    if (this.#closed) return Promise.resolve(failures(paths, "the library was closed"));
    return new Promise((done) => {
      this.#waiting.push({ paths, done });
      this.#next();
    });
  }

  #next(): void {
    clearTimeout(this.#idle);
    while (this.#waiting.length > 0 && !this.#closed) {
      const reader = this.#free();
      if (!reader) return;
      const batch = this.#waiting.shift()!;
      this.#readers.set(reader, batch);
      reader.send(batch.paths);
    }
    if (!this.#closed) this.#idle = setTimeout(() => this.#rest(), IDLE_MS).unref();
  }

  #free(): ChildProcess | undefined {
    const free = [...this.#readers].find(([, batch]) => batch === undefined)?.[0];
    return free ?? (this.#readers.size < this.#most ? this.#start() : undefined);
  }

  #start(): ChildProcess {
    const reader = forkModule("./reader", import.meta.url, [], { execArgv: [`--max-old-space-size=${HEAP_MB}`] });
    reader.on("message", (readings: Reading[]) => {
      const batch = this.#readers.get(reader);
      this.#readers.set(reader, undefined);
      batch?.done(readings);
      this.#next();
    });
    reader.on("error", () => {}); // a message to one that has just died; its end is told below
    reader.on("exit", (code, signal) => this.#mourn(reader, `its reader ended with ${signal ?? `status ${code}`}`));
    this.#readers.set(reader, undefined);
    return reader;
  }

  #mourn(reader: ChildProcess, reason: string): void {
    const batch = this.#readers.get(reader);
    this.#readers.delete(reader);
    if (!batch) return;
    if (batch.paths.length === 1 || this.#closed) batch.done(failures(batch.paths, reason));
    else void this.#oneByOne(batch);
    this.#next();
  }

  async #oneByOne({ paths, done }: Batch): Promise<void> {
    done((await Promise.all(paths.map((path) => this.#take([path])))).flat());
  }

  #rest(): void {
    for (const [reader, batch] of this.#readers) {
      if (batch) continue;
      this.#readers.delete(reader); // at once: it would take no more work on its way out
      reader.disconnect();
    }
  }
}

async function end(reader: ChildProcess): Promise<void> {
  if (reader.exitCode !== null || reader.signalCode !== null) return;
  const closed = once(reader, "exit");
  reader.kill("SIGKILL"); // it only reads
  await closed;
}

const failures = (paths: readonly string[], reason: string): Reading[] =>
  paths.map((path) => ({ failure: { code: "", message: `${path} could not be read: ${reason}.` } }));
