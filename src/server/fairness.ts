// One client's hundred requests do not keep another's one waiting: clients take turns, and have a limit of work under way.

import type { IncomingMessage } from "node:http";
import { BusyError } from "./errors.ts";

/**
 * Who asks. Everything on this machine has one address, so programs are told apart by X-Renoir-Client or what they call
 * themselves; from other machines only the address counts, which can not be chosen anew for each request.
 */
export function clientOf(request: Pick<IncomingMessage, "headers" | "socket">): string {
  const address = (request.socket.remoteAddress ?? "").replace(/^::ffff:/, "");
  if (!/^(127\.|::1$)/.test(address)) return address;
  const name = request.headers["x-renoir-client"] ?? request.headers["user-agent"] ?? "";
  return `${address} ${String(name).slice(0, 200)}`;
}

/** How much may be under way: of one client, and of all together. What waits lies on the disk, so that memory is no question. */
export interface Limits {
  readonly perClient: number;
  readonly altogether: number;
}

export const usualLimits: Limits = { perClient: 256, altogether: 1024 };

export class Fairness {
  readonly #limits: Limits;
  readonly #working = new Map<string, number>();
  #total = 0;
  readonly #queues = new Map<string, (() => void)[]>();
  #turning = false;

  constructor(limits: Limits = usualLimits) {
    this.#limits = limits;
  }

  /** Heavy work of a client begins; give back what it returns when it has ended. */
  begin(client: string): () => void {
    const count = this.#working.get(client) ?? 0;
    if (count >= this.#limits.perClient) throw tooMany(`This client has ${count} requests of this kind under way`);
    if (this.#total >= this.#limits.altogether) throw tooMany(`${this.#total} requests of this kind are under way`);
    this.#working.set(client, count + 1);
    this.#total++;
    return () => this.#end(client);
  }

  #end(client: string): void {
    const left = this.#working.get(client)! - 1;
    if (left === 0) this.#working.delete(client);
    else this.#working.set(client, left);
    this.#total--;
  }

  /** Resolves when it is this client's turn: one request of each client, then the next of each. */
  turn(client: string): Promise<void> {
    return new Promise((resolve) => {
      const queue = this.#queues.get(client);
      if (queue) queue.push(resolve);
      else this.#queues.set(client, [resolve]);
      if (this.#turning) return;
      this.#turning = true;
      setImmediate(() => this.#round());
    });
  }

  /** After each request the sockets are looked at, so that a newcomer has its turn before the rest of a long queue. */
  #round(): void {
    const [client, queue] = this.#queues.entries().next().value!;
    this.#queues.delete(client);
    queue.shift()!();
    if (queue.length > 0) this.#queues.set(client, queue); // behind all others
    this.#turning = this.#queues.size > 0;
    if (this.#turning) setImmediate(() => this.#round());
  }
}

const tooMany = (what: string) =>
  new BusyError(`${what}; more are taken when some of them have ended.`, {
    hint: "Ask again after the seconds that Retry-After says, or send several pictures in one request.",
  });
