// Who works next: by priority, in turns between clients, and nobody waits for ever.

import { expect, test } from "vitest";
import { type Task, Turns } from "../../src/server/engine/turns.ts";

/** A task of so many turns that writes its name into the log. */
const task = (log: string[], name: string, priority: number, client = name, turns = 1, during?: () => void): Task => {
  let left = turns;
  return {
    priority,
    client,
    turn: async () => {
      log.push(name);
      during?.();
      left -= 1;
      return left > 0;
    },
  };
};

const quiet = () => new Promise((resolve) => setTimeout(resolve, 5));

test("what matters more goes first, and comes in between two turns of what matters less", async () => {
  const log: string[] = [];
  const turns = new Turns();
  const score = task(log, "score", 4);
  turns.add(task(log, "library", 1));
  turns.add(task(log, "refine", 2, "me", 3, () => log.length === 1 && turns.add(score)));
  await quiet();
  expect(log).toEqual(["refine", "score", "refine", "refine", "library"]);
});

test("clients of one priority take turns, however many works one of them has", async () => {
  const log: string[] = [];
  const turns = new Turns();
  for (const name of ["a1", "a2", "a3"]) turns.add(task(log, name, 4, "a"));
  for (const name of ["b1", "b2"]) turns.add(task(log, name, 4, "b"));
  await quiet();
  expect(log).toEqual(["a1", "b1", "a2", "b2", "a3"]);
});

test("who has waited three seconds goes before all others", async () => {
  const log: string[] = [];
  let now = 0;
  const turns = new Turns(() => now);
  const pass = () => {
    now += 800;
  };
  turns.add(task(log, "library", 1, "library", 2, pass));
  turns.add(task(log, "busy", 4, "busy", 8, pass));
  await quiet();
  expect(log).toEqual(["busy", "busy", "busy", "busy", "library", "busy", "busy", "busy", "busy", "library"]);
});

test("a task that is taken out has no turn", async () => {
  const log: string[] = [];
  const turns = new Turns();
  const unwanted = task(log, "unwanted", 4);
  turns.add(task(log, "first", 5));
  turns.add(unwanted);
  expect([turns.remove(unwanted), turns.remove(unwanted)]).toEqual([true, false]);
  await quiet();
  expect(log).toEqual(["first"]);
});
