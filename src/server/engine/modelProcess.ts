// The models' process as the server sees it: asked one thing after another, ended when it is not needed, and mortal.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { SystemError } from "../../errors.ts";
import { forkModule } from "../forkModule.ts";
import type { FromProcess, ToProcess } from "./messages.ts";
import { fromWire } from "./wire.ts";

export type Reply = Extract<FromProcess, { type: "piece" | "done" }>;

export interface ProcessEvents {
  onReady(provider: string): void;
  onNote(id: number, note: string): void;
  onModels(message: Extract<FromProcess, { type: "models" }>): void;
  /** What it printed, for the log. */
  onOutput(text: string): void;
  onEnd(): void;
}

/** It ended in the middle of a work, by the system or by a fault of its own. */
export class ProcessEnded extends SystemError {}

interface Asked {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

/** How long an ending process may take before it is made to end. */
const graceMs = 3_000;

export class ModelProcess {
  readonly #child: ChildProcess;
  readonly #asked = new Map<number, Asked>();
  readonly #events: ProcessEvents;
  readonly ended: Promise<void>;
  #isEnding = false;
  #lastWords = "";

  constructor(home: string, events: ProcessEvents) {
    this.#events = events;
    this.#child = forkModule("./main", import.meta.url, [], {
      env: { ...process.env, RENOIR_HOME: home },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.#child.on("message", (message: FromProcess) => this.#hear(message));
    this.#child.on("error", () => {}); // "exit" follows, or "spawn" never came: both end in #end
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.#lastWords = (this.#lastWords + text).slice(-2000);
        events.onOutput(text);
      });
    }
    this.ended = this.#watch();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether it can be asked. */
  get isAlive(): boolean {
    return this.#child.connected && !this.#isEnding;
  }

  /** Resolves with its next word on that work; rejects with the work's failure, or ProcessEnded. */
  ask(message: Extract<ToProcess, { type: "do" | "go" }>): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#asked.set(message.id, { resolve, reject });
      this.tell(message);
    });
  }

  tell(message: ToProcess): void {
    if (this.#child.connected) this.#child.send(message, () => {}); // what is lost with the process is told by its end
  }

  /** It goes at once, or after the step in hand. */
  async end(): Promise<void> {
    this.#isEnding = true;
    if (this.#child.connected) this.#child.disconnect();
    const killer = setTimeout(() => this.#child.kill("SIGKILL"), graceMs);
    await this.ended;
    clearTimeout(killer);
  }

  #hear(message: FromProcess): void {
    if (message.type === "ready") this.#events.onReady(message.provider);
    else if (message.type === "models") this.#events.onModels(message);
    else if (message.type === "note") this.#events.onNote(message.id, message.note);
    else this.#answer(message);
  }

  #answer(message: Reply | Extract<FromProcess, { type: "failed" }>): void {
    const asked = this.#asked.get(message.id);
    this.#asked.delete(message.id);
    if (message.type === "failed") asked?.reject(fromWire(message.error));
    else asked?.resolve(message);
  }

  async #watch(): Promise<void> {
    const how = await Promise.race([once(this.#child, "exit"), once(this.#child, "error")]).catch((error) => [error]);
    const error = this.#isEnding ? stopped() : diedOf(how as unknown as Exit, this.#lastWords);
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
    this.#events.onEnd();
  }
}

type Exit = readonly [code: number | null | Error, signal?: NodeJS.Signals | null];

const stopped = () => new ProcessEnded("The models' process was ended while it worked on this.");

function diedOf([code, signal]: Exit, lastWords: string): ProcessEnded {
  const cause = code instanceof Error ? code : undefined;
  const how = cause?.message ?? (signal ? `by ${signal}` : `with status ${code}`);
  const hint =
    signal === "SIGKILL"
      ? "Most often memory ran out: close other programs, or take a smaller picture or model. The next work starts it again."
      : lastWords.trim().split("\n").slice(-3).join(" ") || "The next work starts it again.";
  return new ProcessEnded(`The models' process ended in the middle of this, ${how}.`, { hint, cause });
}
