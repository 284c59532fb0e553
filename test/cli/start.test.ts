import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { ask } from "../server/serving.ts";
import { freshFolder, jsonLines, type Running, run, start } from "./command.ts";

const prompt = "a yellow triangle above a green circle";
const token = "a-secret-for-this-test";

/** A server as a person starts one, and where it is. */
async function serve(home: string, args: readonly string[] = []): Promise<Running & { url: string }> {
  const running = start(["start", "--port", "0", ...args], { env: { RENOIR_HOME: home } });
  onTestFinished(() => running.kill("SIGKILL"));
  await running.says("Renoir 0.1.0 is at ");
  return { ...running, url: /is at (http:\S+?)(\/\?|\s)/.exec(running.said())![1]! };
}

async function free(): Promise<{ port: number; close: () => void }> {
  const server = createServer((_, response) => response.end("something else")).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

const refine = async (url: string, iterations: number): Promise<string> =>
  (await ask(url, "/api/v1/refine", { body: { prompt, model: "shapes", rewards: ["shapes"], seed: 3, iterations } }))
    .json.id;

async function untilSteps(url: string, id: string, count: number) {
  for (;;) {
    const { json } = await ask(url, `/api/v1/jobs/${id}`);
    if (json.steps.length >= count || json.ended) return json;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test("a server that is stopped, or killed, goes on where it was: no step is lost or doubled", {
  timeout: 240_000,
}, async () => {
  const home = await freshFolder();
  const first = await serve(home);
  const id = await refine(first.url, 4);
  await untilSteps(first.url, id, 1);
  const began = performance.now();
  first.kill("SIGTERM");
  expect((await first.ended).code).toBe(0);
  expect(performance.now() - began).toBeLessThan(6000);

  const second = await serve(home);
  await untilSteps(second.url, id, 2);
  second.kill("SIGKILL");
  await second.ended;

  const third = await serve(home); // the lock that the killed one left is taken over
  const job = await untilSteps(third.url, id, 100);
  expect([job.state, job.error]).toEqual(["done", null]);
  expect(job.steps.map(({ step }: { step: number }) => step)).toEqual([0, 1, 2, 3, 4].slice(0, job.steps.length));
  expect(job.steps.length).toBeGreaterThanOrEqual(4);
  const said = [first, second, third].map((server) => server.said()).join("");
  expect(said).toContain(`refine ${id}`);
  expect(said).not.toContain("yellow triangle");
});

test("whoever comes second is told who is there, and how to have both", { timeout: 120_000 }, async () => {
  const home = await freshFolder();
  const first = await serve(home);
  const { port } = new URL(first.url);
  const sameHome = await run(["start", "--port", "0"], { env: { RENOIR_HOME: home } });
  expect([sameHome.code, sameHome.stderr]).toEqual([
    1,
    expect.stringContaining(`Renoir is running already, at ${first.url}: another one uses ${home}.`),
  ]);
  const samePort = await run(["start", "--port", port], { env: { RENOIR_HOME: await freshFolder() } });
  expect([samePort.code, samePort.stderr]).toEqual([
    1,
    expect.stringContaining(`Renoir is running already, at ${first.url}.`),
  ]);
  const other = await free();
  const taken = await run(["start", "--port", String(other.port)], { env: { RENOIR_HOME: await freshFolder() } });
  other.close();
  expect(taken.code).toBe(1);
  expect(taken.stderr).toContain(`Port ${other.port} of 127.0.0.1 is taken by another program.`);
  expect(taken.stderr).toContain(`--port ${other.port + 1}`);
});

test("what would open the machine to others, or can not be, is refused before anything listens", {
  timeout: 120_000,
}, async () => {
  const refused: [string[], number, string][] = [
    [["--host", "0.0.0.0"], 2, "no token was given"],
    [["--host", "203.0.113.7", "--token", "x"], 2, "203.0.113.7 is no address of this machine"],
    [["--port", "70000"], 2, "whole number up to 65535"],
    [["--library", "/nowhere/at/all"], 2, "there is no such folder"],
    [["--allow-origin", "everyone"], 2, '"everyone" is no origin'],
  ];
  const ended = await Promise.all(
    refused.map(async ([flags]) =>
      run(["start", "--port", "0", ...flags], { env: { RENOIR_HOME: await freshFolder() } }),
    ),
  );
  expect(ended.map(({ code, stdout }) => [code, stdout])).toEqual(refused.map(([, code]) => [code, ""]));
  for (const [index, { stderr }] of ended.entries()) expect(stderr).toContain(refused[index]![2]);
});

test("with --json stdout has JSON alone, and the token is in no line", { timeout: 120_000 }, async () => {
  const running = start(["start", "--port", "0", "--json"], {
    env: { RENOIR_HOME: await freshFolder(), RENOIR_DEBUG: "1", RENOIR_TOKEN: token },
  });
  onTestFinished(() => running.kill("SIGKILL"));
  await running.says('"listening"');
  const [{ url }] = jsonLines(running.said().split("\n")[0]!);
  const headers = { authorization: `Bearer ${token}` };
  expect((await ask(url, `/api/v1/library?token=${token}&text=yellow`)).status).toBe(200);
  expect((await ask(url, `/api/v1/library?text=yellow`, { headers })).status).toBe(200);
  await running.says("GET /api/v1/library 200", 2);
  running.kill("SIGINT");
  const { stdout, code } = await running.ended;
  expect(code).toBe(0);
  expect(jsonLines(stdout)).toEqual([{ event: "listening", url }]);
  expect(running.said()).not.toContain(token);
  expect(running.said()).not.toContain("yellow");
});
