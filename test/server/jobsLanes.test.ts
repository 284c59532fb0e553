// Which job begins next.

import { expect, test } from "vitest";
import { Lanes, type Queued } from "../../src/server/jobs/lanes.ts";

const job = (id: string, more: Partial<Queued> = {}): Queued => ({
  id,
  kind: "refine",
  client: "me",
  priority: 0,
  started: null,
  ...more,
});

test("clients take turns; what was interrupted and what matters more goes first; a kind at work waits", () => {
  const lanes = new Lanes();
  const queued = [
    job("a1"),
    job("a2"),
    job("b1", { client: "you" }),
    job("high", { priority: 1 }),
    job("begun", { started: "2026-01-01T00:00:00.000Z" }),
    job("scan", { kind: "scan", priority: 9 }),
  ];
  const order: string[] = [];
  while (queued.length > 0) {
    const next = lanes.choose(queued, (kind) => kind === "scan" && queued.length > 1)!;
    order.push(next.id);
    queued.splice(queued.indexOf(next), 1);
  }
  expect(order).toEqual(["begun", "high", "b1", "a1", "a2", "scan"]);
  expect(lanes.choose([job("a1")], () => true)).toBeUndefined();
});
