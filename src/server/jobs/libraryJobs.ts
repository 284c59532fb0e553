// Jobs over the library's pictures: their scores, and the scan of their folders.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { parseRewardNames } from "../../scoring/rewardName.ts";
import type { ScoreJobRequest } from "../api/jobs.ts";
import { priorities, type ScoredPicture } from "../engine/engine.ts";
import { ProcessEnded } from "../engine/modelProcess.ts";
import type { Kind, Running } from "./work.ts";

/** Handed to the engine together, so that what has been scored is never far from being stored. */
const batch = 64;
/** It is not the pictures' fault where the models' process dies more often in a row. */
const mostDeaths = 3;
/** Failures that are told one by one. */
const failuresTold = 5;

/** How long the scoring of new pictures waits for more of them. */
const lingerMs = 1_000;

/** What is asked of a score job; `unasked`: nobody did, the pictures are new. */
export type ScoreJobWork = Partial<Omit<ScoreJobRequest, "ids">> & {
  /** How many were named; which, is in a file. */
  readonly pictures?: number;
  readonly unasked?: boolean;
};

export const idsFile = (folder: string): string => join(folder, "ids.json");

/** Without ids it goes on until nothing is left, pictures that come meanwhile included. */
export const scoreJob: Kind = async (running) => {
  const { signal, services } = running;
  const { library, settings, passedOver } = services;
  const { pictures, again = false, unasked = false, ...given } = running.job.request as ScoreJobWork;
  const ids = pictures === undefined ? undefined : JSON.parse(await readFile(idsFile(running.folder), "utf8"));
  const rewards = given.rewards ?? settings.get().rewards;
  const names = parseRewardNames(rewards).map(({ name }) => name);
  const run = new ScoreRun(running, rewards);
  const wanted = () =>
    library
      .wanting(names, { ...(ids && { ids }), again })
      .filter((id) => !run.tried.has(id) && !(unasked && passedOver.has(id)));
  for (let next = wanted(); next.length > 0 && !signal.aborted; next = wanted()) {
    await run.score(next);
    if (unasked) await wait(lingerMs); // a folder that is copied in arrives picture by picture
  }
  if (unasked) await settle(run, running);
  return { result: { counts: run.counts } };
};

async function settle({ failed, scored }: ScoreRun, { services, signal }: Running): Promise<void> {
  for (const id of failed) services.passedOver.add(id);
  if (!services.settings.get().writeNew || scored.length === 0 || signal.aborted) return;
  await services.library.change({ ids: [...scored], action: "write" });
}

interface LibraryPicture {
  readonly id: string;
  readonly source: string;
}

/** Pictures that are scored and stored. */
export class ScoreRun {
  readonly tried = new Set<string>();
  readonly scored: string[] = [];
  readonly #failed: string[] = [];
  readonly #running: Running;
  readonly #rewards: readonly string[];
  #total = 0;
  /** Of the models' process, since something was scored. */
  #deaths = 0;

  constructor(running: Running, rewards: readonly string[]) {
    this.#running = running;
    this.#rewards = rewards;
  }

  get failed(): readonly string[] {
    return this.#failed;
  }

  get counts(): Record<string, number> {
    return { scored: this.scored.length, failed: this.#failed.length };
  }

  async score(ids: readonly string[]): Promise<void> {
    const { signal } = this.#running;
    this.#total += ids.length;
    this.#tell();
    for (let at = 0; at < ids.length && !signal.aborted; at += batch) {
      await this.#scoreBatch(ids.slice(at, at + batch).flatMap((id) => this.#pictureOf(id)));
    }
  }

  /** Where the models' process dies of one of them, the others are scored all the same. */
  async #scoreBatch(pictures: readonly LibraryPicture[]): Promise<void> {
    const { services, signal, job } = this.#running;
    let taken = 0;
    const onScored = (scored: readonly ScoredPicture[]) => {
      for (const result of scored) this.#take(pictures[taken++]!.id, result);
      this.#deaths = 0;
      this.#tell();
    };
    try {
      const options = { signal, client: job.client, priority: priorities.library, onScored };
      await services.engine.score(pictures, this.#rewards, options);
    } catch (error) {
      if (signal.aborted) return;
      this.#deaths += 1;
      if (!(error instanceof ProcessEnded) || this.#deaths > mostDeaths) throw error;
      const [next, ...others] = pictures.slice(taken);
      if (others.length === 0) this.#fail(next!.id, error.message);
      else for (const each of [next!, ...others]) await this.#scoreBatch([each]);
    }
  }

  /** None where the picture has gone meanwhile. */
  #pictureOf(id: string): LibraryPicture[] {
    this.tried.add(id);
    try {
      return [{ id, source: this.#running.services.library.fileOf(id) }];
    } catch (error) {
      this.#fail(id, (error as Error).message);
      return [];
    }
  }

  #take(id: string, result: ScoredPicture): void {
    if ("error" in result) {
      this.#fail(id, result.error.message);
      return;
    }
    const { scores, versions, approximate } = result;
    const entries = Object.entries(scores).map(([reward, score]) => ({
      reward,
      score,
      version: versions[reward]!,
      approximate,
    }));
    this.#running.services.library.recordScores(id, entries);
    this.scored.push(id);
  }

  #fail(id: string, message: string): void {
    this.#failed.push(id);
    if (this.#failed.length <= failuresTold) this.#running.note(message);
  }

  #tell(): void {
    const done = this.scored.length + this.#failed.length;
    this.#running.progress({ done, total: Math.max(this.#total, done), unit: "pictures" });
  }
}

export const scanJob: Kind = async ({ job, services, signal, progress }) => {
  const { folders } = job.request as { folders?: string[] };
  const counts = await services.library.scan({ signal, onProgress: progress, ...(folders && { folders }) });
  return { result: { counts } };
};
