// The models' engine, as the server sees it. The models live in a process of their own, because a running model holds its thread, because
// ending a process truly gives memory back, and because whoever runs out of memory there dies alone.

import { EventEmitter } from "node:events";
import { SystemError } from "../../errors.ts";
import { memoryFree } from "../../reno/memoryPlan.ts";
import type { EngineState, Settings } from "../api/system.ts";
import type {
  Computing,
  EnginePicture,
  GeneratePiece,
  GenerateWork,
  LoadedModel,
  ModelKind,
  RedrawWork,
  RefinePiece,
  RefineResult,
  RefineWork,
  ScoredPicture,
  Work,
} from "./messages.ts";
import { ModelProcess, ProcessEnded, type Reply } from "./modelProcess.ts";
import { type Task, Turns } from "./turns.ts";

export type * from "./messages.ts";

/** Whoever waits for an answer goes first; what runs for minutes gives way to it between its steps. */
export const priorities = { model: 5, score: 4, generate: 3, refine: 2, library: 1 } as const;

export interface EngineOptions {
  readonly home: string;
  readonly settings: { get(): Pick<Settings, "provider" | "idleMinutes"> };
  /** Of one operator; all cores unless given. */
  readonly threads?: number;
  readonly log?: { debug(message: string): void; warn(message: string): void };
}

export interface WorkOptions {
  readonly signal?: AbortSignal | undefined;
  readonly priority?: number | undefined;
  /** Whose work it is: clients take turns. */
  readonly client?: string | undefined;
}

export interface ScoreOptions extends WorkOptions {
  /** Each few pictures as they are scored, beginning with that index. */
  readonly onScored?: ((pictures: readonly ScoredPicture[], first: number) => void) | undefined;
}

export interface MakingOptions<Piece> extends WorkOptions {
  /** Each as soon as it is there. Its latents stay in the models' process. */
  readonly onPiece?: ((piece: Piece) => void) | undefined;
  /** A sentence for people: which model was chosen and why, what differs. */
  readonly onNote?: ((note: string) => void) | undefined;
}

type Given<W extends Work> = Omit<W, "kind" | "computing">;

/** Emits "models" when what is loaded has changed. */
export class Engine extends EventEmitter<{ models: [] }> {
  readonly #options: EngineOptions;
  readonly #turns = new Turns();
  readonly #notes = new Map<number, (note: string) => void>();
  #process: ModelProcess | undefined;
  #state: EngineState["state"] = "stopped";
  #provider: string | undefined;
  #models: readonly LoadedModel[] = [];
  #residentBytes = 0;
  #working = 0;
  #lastId = 0;
  #isClosed = false;
  #ending: NodeJS.Timeout | undefined;
  #toldIdle: number | undefined;

  constructor(options: EngineOptions) {
    super();
    this.#options = options;
  }

  state(): EngineState {
    const { provider } = this.#options.settings.get();
    return {
      state: this.#state,
      provider: provider === "auto" ? (this.#provider ?? provider) : provider,
      residentBytes: this.#residentBytes,
      freeBytes: memoryFree(),
    };
  }

  loaded(): readonly LoadedModel[] {
    return this.#models;
  }

  /** Of the models' process, while there is one. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** In the order of the pictures. Rejects where a reward can not be loaded; a picture that can not be scored has `error`. */
  async score(
    pictures: readonly EnginePicture[],
    rewards: readonly string[],
    { onScored, ...options }: ScoreOptions = {},
  ): Promise<ScoredPicture[]> {
    const results: ScoredPicture[] = [];
    let size = 1;
    await this.#inTurns({ priority: priorities.score, ...options }, async (id) => {
      options.signal?.throwIfAborted();
      const slice = pictures.slice(results.length, results.length + size);
      if (slice.length === 0) return false;
      const begun = performance.now();
      const { value } = await this.#do(id, {
        kind: "score",
        pictures: slice,
        rewards,
        computing: this.#computing(),
      });
      const scored = value as ScoredPicture[];
      onScored?.(scored, results.length);
      results.push(...scored);
      size = sliceSize((performance.now() - begun) / slice.length, size);
      return results.length < pictures.length;
    });
    return results;
  }

  /** Where it is cancelled, the best so far is the result. */
  async refine(given: Given<RefineWork>, options: MakingOptions<RefinePiece> = {}): Promise<RefineResult> {
    let after = given.after ?? -1;
    const onPiece = (piece: RefinePiece) => {
      if (piece.step <= after) return; // an earlier process has made it, and it was heard of
      after = piece.step;
      options.onPiece?.(piece);
    };
    const work = (): Work => ({ ...given, kind: "refine", computing: this.#computing(), after });
    return await this.#make(work, { priority: priorities.refine, ...options, onPiece });
  }

  /** How many there are at the end. */
  async generate(given: Given<GenerateWork>, options: MakingOptions<GeneratePiece> = {}): Promise<number> {
    let from = given.from;
    const onPiece = (piece: GeneratePiece) => {
      from = piece.index + 1;
      options.onPiece?.(piece);
    };
    const work = (): Work => ({ ...given, kind: "generate", computing: this.#computing(), from });
    return await this.#make(work, { priority: priorities.generate, ...options, onPiece });
  }

  /** The picture of another step than the best. */
  async redraw(given: Given<RedrawWork>, options: WorkOptions = {}): Promise<RefineResult> {
    const work = (): Work => ({ ...given, kind: "redraw", computing: this.#computing() });
    return await this.#make(work, { priority: priorities.generate, ...options });
  }

  async load(name: string, of?: ModelKind, options: WorkOptions = {}): Promise<void> {
    const work = (): Work => ({ kind: "load", name, of, computing: this.#computing() });
    await this.#make(work, { priority: priorities.model, ...options });
  }

  /** What is at work goes when its work is done. With the last model the process goes too. */
  async unload(name: string, of?: ModelKind): Promise<void> {
    if (!this.#process?.isAlive) return;
    this.#working += 1;
    try {
      await this.#do(this.#nextId(), { kind: "unload", name, of }); // not in turns: who holds the model may be waiting for its own
    } finally {
      this.#working -= 1;
    }
    await this.#endIfEmpty();
  }

  /** What is in hand fails; nothing begins any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#ending);
    await this.#process?.end();
  }

  // ---- works

  /** A work that gives pieces and waits after each for its next turn. Where its process dies, another takes it up once at that place. */
  async #make<Piece, Result>(work: () => Work, options: MakingOptions<Piece>): Promise<Result> {
    const { signal, onPiece, onNote } = options;
    let result: Result | undefined;
    let inProcess: ModelProcess | undefined;
    let hasDiedHere = false;
    await this.#inTurns(options, async (id) => {
      const process = this.#running();
      if (!inProcess) signal?.throwIfAborted();
      if (onNote) this.#notes.set(id, onNote);
      const abort = () => process.tell({ type: "abort", id });
      signal?.addEventListener("abort", abort);
      try {
        const isNew = inProcess !== process;
        inProcess = process;
        if (!isNew && signal?.aborted) abort(); // before it goes on
        const asked = process.ask(isNew ? { type: "do", id, work: work() } : { type: "go", id });
        if (isNew && signal?.aborted) abort(); // what another process had come to is the result
        const reply = await asked;
        if (reply.type === "piece") {
          if (reply.value === undefined) return true; // it only gave way
          hasDiedHere = false;
          onPiece?.(reply.value as Piece);
          return true;
        }
        result = reply.value as Result;
        return false;
      } catch (error) {
        if (!(error instanceof ProcessEnded) || hasDiedHere || this.#isClosed) throw error;
        hasDiedHere = true;
        onNote?.(`${error.message} It is tried once more from where it was.`);
        return true;
      } finally {
        signal?.removeEventListener("abort", abort);
      }
    });
    return result as Result;
  }

  /** Runs `turn` whenever it is this work's turn, until it is false; rejects when it fails or is cancelled while it waits. */
  #inTurns({ signal, priority = priorities.score, client = "" }: WorkOptions, turn: (id: number) => Promise<boolean>) {
    const id = this.#nextId();
    return new Promise<void>((resolve, reject) => {
      let begun = false;
      const leave = () => {
        this.#working -= 1;
        this.#notes.delete(id);
        signal?.removeEventListener("abort", cancelled);
        this.#endSoonIfEmpty();
      };
      const task: Task = {
        priority,
        client,
        turn: async () => {
          begun = true;
          try {
            if (await turn(id)) return true;
            resolve();
          } catch (error) {
            reject(error);
          }
          leave();
          return false;
        },
      };
      /** What has begun ends in its next turn, with what it has. */
      const cancelled = () => {
        if (begun || !this.#turns.remove(task)) return;
        reject(signal!.reason);
        leave();
      };
      this.#working += 1;
      if (signal?.aborted) {
        reject(signal.reason);
        leave();
        return;
      }
      signal?.addEventListener("abort", cancelled);
      this.#turns.add(task);
    });
  }

  #do(id: number, work: Work): Promise<Reply> {
    return this.#running().ask({ type: "do", id, work });
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  #computing(): Computing {
    const { settings, threads } = this.#options;
    const { provider } = settings.get();
    return { ...(provider !== "auto" && { provider }), ...(threads !== undefined && { threads }) };
  }

  // ---- the process

  #running(): ModelProcess {
    if (this.#isClosed) throw new SystemError("The server is stopping: nothing new is begun.");
    if (!this.#process?.isAlive) this.#process = this.#start();
    const { idleMinutes } = this.#options.settings.get();
    if (idleMinutes !== this.#toldIdle) {
      this.#process.tell({ type: "idle", ms: idleMinutes === 0 ? Number.POSITIVE_INFINITY : idleMinutes * 60_000 });
    }
    this.#toldIdle = idleMinutes;
    return this.#process;
  }

  #start(): ModelProcess {
    const { home, log } = this.#options;
    this.#state = "starting";
    const process: ModelProcess = new ModelProcess(home, {
      onReady: (provider) => {
        if (this.#process !== process) return;
        this.#provider = provider;
        this.#state = "ready";
        this.emit("models");
      },
      onModels: ({ models, residentBytes }) => {
        if (this.#process === process) this.#take(models, residentBytes);
      },
      onNote: (id, note) => this.#notes.get(id)?.(note),
      onOutput: (text) => log?.debug(text.trimEnd()),
      onEnd: () => {
        if (this.#process === process) this.#forgetProcess();
      },
    });
    this.#toldIdle = undefined;
    return process;
  }

  #take(models: readonly LoadedModel[], residentBytes: number): void {
    const changed = JSON.stringify(models) !== JSON.stringify(this.#models);
    this.#models = models;
    this.#residentBytes = residentBytes;
    if (changed) this.emit("models");
    this.#endSoonIfEmpty();
  }

  /** Not at once: whoever meant a model that is not there may try another. */
  #endSoonIfEmpty(): void {
    clearTimeout(this.#ending);
    this.#ending = setTimeout(() => void this.#endIfEmpty(), lingerMs).unref();
  }

  /** Ending the process truly gives memory back: what runtimes keep, too. */
  async #endIfEmpty(): Promise<void> {
    const process = this.#process;
    if (!process?.isAlive || this.#state !== "ready" || this.#working > 0 || this.#models.length > 0) return;
    this.#forgetProcess();
    await process.end();
  }

  #forgetProcess(): void {
    this.#process = undefined;
    this.#state = "stopped";
    this.#models = [];
    this.#residentBytes = 0;
    this.emit("models");
  }
}

/** How long a process with no model and no work stays. */
const lingerMs = 1_000;

/** So many pictures that others wait half a second at most. */
function sliceSize(msEach: number, before: number): number {
  return Math.max(1, Math.min(Math.floor(500 / Math.max(1, msEach)), 4 * before, 32));
}
