// Jobs: what takes longer than a request. They lie in the database with every step, so that who comes late, and a server that was
// killed, finds them as they were; the files that a job makes lie in its folder.

import { randomBytes } from "node:crypto";
import { EventEmitter } from "node:events";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { RequestError } from "../../errors.ts";
import { parseRewardNames, sameCheckpoint } from "../../scoring/rewardName.ts";
import { randomSeed } from "../../tasks/making.ts";
import { writeWhole } from "../../tasks/writeWhole.ts";
import type { LiveStep } from "../api/events.ts";
import type { Job, JobKind, JobProgress, JobState, JobSummary } from "../api/jobs.ts";
import type { Database } from "../database.ts";
import { BusyError, ConflictError, NotFoundError, replyOf, toRenoirError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { ActiveJob } from "./activeJob.ts";
import { keepPicture, nameOf, takeIn, type Which } from "./keeping.ts";
import { endsWhenTold, kinds, titleOf } from "./kinds.ts";
import { Lanes } from "./lanes.ts";
import { idsFile } from "./libraryJobs.ts";
import { NewPictures, unscored } from "./newPictures.ts";
import { JobTable, type StoredJob, summaryOf } from "./table.ts";
import type { JobServices, Outcome } from "./work.ts";

export interface JobsOptions extends Omit<JobServices, "passedOver"> {
  readonly database: Database;
  readonly log: Pick<Logger, "info" | "warn">;
}

export interface StartOptions {
  readonly client?: string;
  /** The larger goes first. */
  readonly priority?: number;
  /** The library's picture that it begins with. */
  readonly source?: string;
}

/** Beside what is asked: a picture's path, or that of one that was sent, which becomes the job's own. */
type Asked = Readonly<Record<string, unknown>> & { readonly image?: string; readonly upload?: string };

interface JobEvents {
  step: [LiveStep];
  progress: [JobProgress & { id: string }];
  note: [{ id: string; note: string }];
  changed: [JobSummary];
  done: [Job];
  failed: [Job];
  cancelled: [Job];
  discarded: [{ id: string }];
}

const ended: ReadonlySet<JobState> = new Set(["done", "failed", "cancelled"]);
/** A job that ends the server each time is not begun for ever. */
const mostAttempts = 3;
const kept = { jobs: 200, ms: 30 * 24 * 3_600_000 } as const;
/** Of one client. */
const mostWaiting = 100;
/** A folder is there before its job is. */
const strayMs = 3_600_000;
/** How long cancelling and closing wait for the work to end. */
const waitMs = 1_500;

export class Jobs extends EventEmitter<JobEvents> {
  readonly #services: JobServices;
  readonly #log: JobsOptions["log"];
  readonly #table: JobTable;
  readonly #lanes = new Lanes();
  readonly #active = new Map<string, ActiveJob>();
  readonly #newPictures: NewPictures;
  readonly #keeping = new Map<string, Promise<void>>();
  #isClosing = false;

  constructor({ database, log, ...services }: JobsOptions) {
    super();
    this.#log = log;
    this.#table = new JobTable(database);
    this.#services = { ...services, passedOver: this.#table.declined() };
    this.#newPictures = new NewPictures(this.#services, {
      isThere: () => this.#table.unended().some(({ request }) => request.unasked === true),
      begin: () => void this.#scoreNew(),
    });
  }

  // ---- asking

  list(): JobSummary[] {
    return this.#table.list().map((job) => summaryOf(this.#live(job)));
  }

  get(id: string): Job {
    return { ...summaryOf(this.#live(this.#table.get(id))), steps: this.#table.steps(id) };
  }

  /** result.png, before.png, 0.png ... */
  picture(id: string, name: string): string {
    return this.#fileOf(id, name, /^(result|before|\d{1,4})\.png$/);
  }

  preview(id: string, step: number): string {
    return this.#fileOf(id, join("steps", `${step}.jpg`), /\d\.jpg$/);
  }

  // ---- beginning

  async start(kind: JobKind, request: object, { client = "", priority = 0, source }: StartOptions = {}): Promise<Job> {
    const { image, upload, ...asked } = request as Asked;
    checkRewards(asked);
    checkMaking(kind, { image: image ?? upload, ...asked });
    this.#refuseTooMany(client);
    const id = randomBytes(9).toString("base64url");
    const picture = upload === undefined ? (image ?? null) : await this.#takeUpload(id, upload);
    const settled = {
      ...(await this.#withoutIds(id, asked)),
      ...(drawsSeed(kind, asked, picture) && { seed: String(randomSeed()) }),
    };
    const title = titleOf(kind, settled, picture);
    this.#table.insert({ ...{ id, kind, title, client, priority, picture }, source: source ?? null, request: settled });
    this.#changed(id);
    this.#pump();
    return this.get(id);
  }

  #refuseTooMany(client: string): void {
    const waiting = this.#table.inState("queued").filter((job) => job.client === client).length;
    if (waiting < mostWaiting) return;
    throw new BusyError(`${waiting} jobs of this client wait already.`, {
      hint: "Wait for some of them to end, or cancel them.",
      retryAfterSeconds: 60,
    });
  }

  /** There may be a hundred thousand of them: they lie in the job's folder, and the request tells how many. */
  async #withoutIds(id: string, { ids, ...asked }: Asked): Promise<Asked> {
    if (!Array.isArray(ids)) return asked;
    await writeWhole(idsFile(this.#folder(id)), JSON.stringify(ids));
    return { ...asked, pictures: ids.length };
  }

  /** After a restart: what waited waits, what worked goes on. */
  resume(): void {
    for (const job of this.#table.inState("running")) {
      if (job.unwanted) this.#end(job.id, "cancelled", { result: job.result });
      else if (job.attempts < mostAttempts) this.#table.change(job.id, { state: "queued" });
      else this.#end(job.id, "failed", { result: job.result, error: endedTheServer });
    }
    void this.#prune();
    void this.#removeStrays();
    this.#newPictures.look();
    this.#pump();
  }

  // ---- ending

  /** Of what works, the best so far is its result. */
  async cancel(id: string): Promise<Job> {
    const active = this.#active.get(id);
    if (active) {
      this.#table.change(id, { unwanted: true });
      active.controller.abort(new ConflictError("The job was cancelled."));
      await Promise.race([active.ended, soon(waitMs)]);
    } else if (this.#table.get(id).state === "queued") {
      this.#end(id, "cancelled", { result: null });
    }
    return this.get(id);
  }

  /** Once, however often it is asked for. */
  async keep(id: string, which: Which = {}): Promise<Job> {
    const name = nameOf(this.#table.get(id), which);
    const key = `${id} ${name}`;
    const keeping = this.#keeping.get(key) ?? this.#keep(id, name, which).finally(() => this.#keeping.delete(key));
    this.#keeping.set(key, keeping);
    await keeping;
    return this.get(id);
  }

  async #keep(id: string, name: string, which: Which): Promise<void> {
    const job = this.#table.get(id);
    const before = job.kept[name];
    if (before && existsSync(before.path)) return this.#tellKept(id, before);
    const path = await keepPicture(job, which, this.#folder(id), this.#services);
    const added = await takeIn(path, this.#services).catch((error: Error) => {
      this.#log.info(`${path} is kept, but not in the library: ${error.message}`);
      return undefined;
    });
    const where = { path, ...(added !== undefined && { id: added }) };
    const { result, kept } = this.#table.get(id);
    const pictures = result!.pictures?.map((picture, index) =>
      added !== undefined && name === `picture ${index}` ? { ...picture, id: added } : picture,
    );
    const told = { ...result!, kept: where, ...(pictures && { pictures }) };
    this.#table.change(id, { kept: { ...kept, [name]: where }, result: told });
    this.#changed(id);
  }

  /** Of several pictures that are kept, the one last asked for. */
  #tellKept(id: string, where: { path: string; id?: string }): void {
    const { result } = this.#table.get(id);
    if (result!.kept?.path === where.path) return;
    this.#table.change(id, { result: { ...result!, kept: where } });
    this.#changed(id);
  }

  /** Forgets it and what it made; what was kept stays. */
  async discard(id: string): Promise<void> {
    this.#table.get(id);
    const active = this.#active.get(id);
    active?.controller.abort(new ConflictError("The job was discarded."));
    await active?.ended;
    await this.#remove(id);
    this.emit("discarded", { id });
  }

  /** What works is interrupted, and goes on after the next start. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#newPictures.stop();
    const active = [...this.#active.values()];
    for (const { job } of active)
      this.#table.change(job.id, { attempts: 0, progress: this.#active.get(job.id)!.latest });
    const quick = active.filter(({ job }) => endsWhenTold.has(job.kind));
    for (const { controller } of quick) controller.abort(new ConflictError("The server is stopping."));
    await Promise.race([Promise.all(quick.map(({ ended }) => ended)), soon(waitMs)]);
  }

  // ---- at work

  #pump(): void {
    if (this.#isClosing) return;
    const busy = new Set([...this.#active.values()].map(({ job }) => job.kind));
    const queued = this.#table.inState("queued");
    const next = this.#lanes.choose(queued, (kind) => busy.has(kind));
    if (!next) return;
    this.#begin(next);
    this.#pump();
  }

  #begin(queued: StoredJob): void {
    const { id, attempts, started } = queued;
    const begun = started === null ? { started: Date.now() } : {};
    this.#table.change(id, { state: "running", attempts: attempts + 1, ...begun });
    const job = new ActiveJob(this.#table.get(id), this.#folder(id), this.#services, this.#table, {
      step: (id, step, image) => this.emit("step", { ...step, id, ...(image && { image }) }),
      progress: (id, progress) => this.emit("progress", { ...progress, id }),
      note: (id, note) => this.emit("note", { id, note }),
      changed: (id) => this.#changed(id),
    });
    this.#active.set(id, job);
    this.#changed(id);
    job.ended = this.#work(job);
  }

  async #work(active: ActiveJob): Promise<void> {
    const { job, signal, folder } = active;
    const outcome = await mkdir(folder, { recursive: true })
      .then(() => kinds[job.kind](active))
      .catch((error): Outcome => ({ result: null, error: this.#errorOf(error, job) }));
    this.#active.delete(job.id);
    if (this.#isClosing) return; // it goes on after the next start
    if (signal.aborted) this.#declineRest(job);
    const state = signal.aborted ? "cancelled" : outcome.error ? "failed" : "done";
    const error = signal.aborted ? undefined : outcome.error;
    this.#table.change(job.id, { progress: active.latest });
    this.#end(job.id, state, { ...outcome, error });
    this.#pump();
    void this.#prune();
  }

  #errorOf(error: unknown, { kind, id }: StoredJob): NonNullable<Outcome["error"]> {
    const known = toRenoirError(error);
    if (known.code === "internal")
      this.#log.warn(`The job ${id} (${kind}) failed: ${(error as Error)?.stack ?? error}`);
    return replyOf(known).error;
  }

  #end(id: string, state: "done" | "failed" | "cancelled", { result, error }: Outcome): void {
    this.#table.change(id, { state, ended: Date.now(), result, error: (error as Job["error"]) ?? null });
    this.emit(state, this.get(id));
    this.#changed(id);
  }

  #changed(id: string): void {
    if (this.listenerCount("changed") > 0) this.emit("changed", summaryOf(this.#live(this.#table.get(id))));
  }

  #live(job: StoredJob): StoredJob {
    const active = this.#active.get(job.id);
    return active ? { ...job, progress: active.latest } : job;
  }

  // ---- new pictures

  async #scoreNew(): Promise<void> {
    if (!this.#isClosing) await this.start("score", { unasked: true }, { priority: -1 });
  }

  /** Who cancels the scoring of new pictures does not want it begun again by the next picture. */
  #declineRest({ request }: StoredJob): void {
    if (request.unasked !== true) return;
    const { library, settings, passedOver } = this.#services;
    const rest = unscored(library, settings.get());
    this.#table.decline(rest);
    for (const id of rest) passedOver.add(id);
  }

  // ---- files

  #folder(id: string): string {
    return join(this.#services.home, "jobs", id);
  }

  #fileOf(id: string, name: string, pattern: RegExp): string {
    this.#table.get(id);
    const path = join(this.#folder(id), name);
    if (pattern.test(name) && existsSync(path)) return path;
    throw new NotFoundError(`The job ${id} has no picture "${name}".`);
  }

  async #takeUpload(id: string, from: string): Promise<string> {
    const path = join(this.#folder(id), "source");
    await mkdir(this.#folder(id), { recursive: true });
    await rename(from, path).catch(() => copyFile(from, path)); // it may lie on another disk
    return path;
  }

  async #remove(id: string): Promise<void> {
    this.#table.remove(id);
    await rm(this.#folder(id), { recursive: true, force: true });
  }

  /** Folders of jobs that were never made: the server was killed while a picture came in. */
  async #removeStrays(): Promise<void> {
    const known = new Set(this.#table.list().map(({ id }) => id));
    const folders = await readdir(this.#folder("")).catch(() => []);
    for (const folder of folders.filter((id) => !known.has(id)).map((id) => this.#folder(id))) {
      const { mtimeMs } = await stat(folder);
      if (Date.now() - mtimeMs > strayMs) await rm(folder, { recursive: true, force: true });
    }
  }

  /** Old jobs. */
  async #prune(): Promise<void> {
    const jobs = this.#table.list();
    const old = jobs
      .filter(({ state }) => ended.has(state))
      .filter(({ ended }, index) => index >= kept.jobs || Date.now() - Date.parse(ended!) > kept.ms);
    for (const { id } of old) await this.#remove(id);
  }
}

const soon = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms).unref());

const endedTheServer = {
  code: "system",
  message: `The server ended ${mostAttempts} times while it worked on this, so it is not begun again.`,
  hint: "Most often memory ran out: take a smaller picture or model.",
};

/** A slip is told at once, not by a job that fails. */
function checkRewards(request: Readonly<Record<string, unknown>>): void {
  for (const texts of [request.rewards, request.observe]) {
    if (texts) parseRewardNames(texts as string[], sameCheckpoint);
  }
}

function checkMaking(
  kind: JobKind,
  { image, infotext, prompt, width, height }: Readonly<Record<string, unknown>>,
): void {
  if (kind === "refine" && image === undefined && infotext === undefined && prompt === undefined) {
    throw new RequestError("Neither a picture nor infotext nor a prompt was given; one of them was wanted.");
  }
  if ((width === undefined) !== (height === undefined)) {
    throw new RequestError("Width and height belong together, and only one of them was given.");
  }
}

/** What begins from a prompt alone has a seed of its own, which must be the same when it goes on after a restart. */
const drawsSeed = (kind: JobKind, { seed, infotext }: Readonly<Record<string, unknown>>, picture: string | null) =>
  (kind === "refine" || kind === "generate") && seed === undefined && infotext === undefined && picture === null;
