// The product as a person starts it: `renoir start` in a process of its own, with a data folder of its own.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import type { Job } from "../../src/server/api/jobs.ts";
import type { LibraryPage } from "../../src/server/api/library.ts";
import { freshFolder, run, start } from "../cli/command.ts";
import { ask } from "../server/serving.ts";

export interface Served {
  readonly url: string;
  readonly home: string;
  kill(signal: NodeJS.Signals): Promise<void>;
}

export async function serve(home: string, port = 0): Promise<Served> {
  const running = start(["start", "--port", String(port), "--json"], { env: { RENOIR_HOME: home } });
  await running.says('"listening"');
  const url = /"url":"([^"]+)"/.exec(running.said())![1]!;
  const kill = async (signal: NodeJS.Signals) => {
    running.kill(signal);
    await running.ended;
  };
  return { url, home, kill };
}

export const prompt = "a red circle left of a blue square";

/** A folder with pictures that the built-in model drew, named after their seeds. */
export async function drawPictures(count: number): Promise<string> {
  const folder = join(await freshFolder(), "drawn");
  await mkdir(folder);
  const flags = ["--prompt", prompt, "--model", "shapes", "--seed", "100", "--count", String(count), "--out", folder];
  const { code, stderr } = await run(["generate", ...flags]);
  expect([code, stderr]).toEqual([0, expect.anything()]);
  return folder;
}

export const get = async <T>(url: string, path: string): Promise<T> => (await ask(url, `/api/v1${path}`)).json as T;

/** Asks until the answer is as wanted. */
export async function until<T>(look: () => Promise<T>, isRight: (answer: T) => boolean, ms = 60_000): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await look();
    if (isRight(answer)) return answer;
    if (Date.now() > end) throw new Error(`After ${ms / 1000} s it was still ${JSON.stringify(answer).slice(0, 600)}.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export const library = (url: string, query = "") => get<LibraryPage>(url, `/library${query}`);

export const job = (url: string, id: string) => get<Job>(url, `/jobs/${id}`);

/** When every picture of the library has its score. */
export const allScored = (url: string, count: number) =>
  until(
    () => library(url, "?limit=200"),
    ({ items }) => items.length === count && items.every(({ scores }) => Object.keys(scores).length > 0),
  );
