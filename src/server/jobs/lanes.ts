// Which job begins next. One of each kind works at a time: several refines at once would only need more memory.

import type { StoredJob } from "./table.ts";

export type Queued = Pick<StoredJob, "id" | "kind" | "client" | "priority" | "started">;

export class Lanes {
  /** How often each client was served; who was served less goes first. */
  readonly #served = new Map<string, number>();

  /** Of jobs in the order of their coming: what was interrupted first, then by priority, then the client that had less. */
  choose<J extends Queued>(queued: readonly J[], isBusy: (kind: J["kind"]) => boolean): J | undefined {
    const free = queued.filter(({ kind }) => !isBusy(kind));
    const [next] = free.toSorted(
      (a, b) =>
        Number(b.started !== null) - Number(a.started !== null) ||
        b.priority - a.priority ||
        this.#servedTo(a.client) - this.#servedTo(b.client),
    );
    if (next) this.#served.set(next.client, this.#servedTo(next.client) + 1);
    if (queued.length <= 1) this.#served.clear();
    return next;
  }

  #servedTo(client: string): number {
    return this.#served.get(client) ?? 0;
  }
}
