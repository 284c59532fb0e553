import { expect, test } from "vitest";
import { measureServer, serverRows } from "../../../src/cli/bench/server.ts";
import { freshFolder } from "../command.ts";

test("the load on a server is counted: scores, pages, steps to every socket, memory", {
  timeout: 120_000,
}, async () => {
  const figures = await measureServer({
    folder: await freshFolder(),
    seconds: 12, // the first step waits until the model is open
    clients: 3,
    watchers: 2,
    say: () => {},
  });
  expect(figures.errors).toEqual([]);
  expect(figures.scores.length).toBeGreaterThanOrEqual(3);
  expect(figures.page.length).toBeGreaterThan(1);
  expect(figures.watched.steps).toBeGreaterThan(0);
  expect(figures.watched.wrong).toBe(0);
  const { server, engine, eventLoop } = figures.samples.at(-1)!;
  expect([server > 20 * 2 ** 20, engine > 20 * 2 ** 20, eventLoop.maxMs >= eventLoop.p99Ms]).toEqual([
    true,
    true,
    true,
  ]);
  const rows = Object.fromEntries(serverRows(figures).map(({ what, value }) => [what, value]));
  expect(rows).toMatchObject({ "clients scoring, sockets watching": "3, 2, for 12 s", errors: "0" });
});
