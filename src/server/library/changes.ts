// What is done to many pictures at once: scores written into files, pictures moved, rejected, restored, deleted; and all of it undone.
// By the journal: see there. One file at a time, so that a scan and a change never hold the same one.

import { mkdir, realpath, rm, stat } from "node:fs/promises";
import { dirname, join, parse, sep } from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import trash from "trash";
import { RenoirError, RequestError } from "../../errors.ts";
import { explain } from "../../metadata/replaceFile.ts";
import { companionsOf, fallbackFolder } from "../../tasks/reject.ts";
import type { ChangeReply, LibraryChange, LibraryDelete, LibraryFilter } from "../api/library.ts";
import type { Database } from "../database.ts";
import { ConflictError, NotFoundError, replyOf, toRenoirError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Folders } from "./folders.ts";
import type { Action, Entry, Journal, Step } from "./journal.ts";
import { unknownPicture } from "./lists.ts";
import type { Lock } from "./lock.ts";
import { backUp, exists, moveFile, settle, sweepTemporary } from "./moves.ts";
import { folderOfPath, type Known, type Pictures, pathOf, placeOf, type Selected } from "./pictures.ts";
import type { Readers } from "./readers.ts";
import { type Sidecars, sidecarsOf, undoOf, unwrite, write } from "./writing.ts";

export interface ChangeTools {
  readonly database: Database;
  readonly pictures: Pictures;
  readonly folders: Folders;
  readonly journal: Journal;
  readonly readers: Readers;
  readonly lock: Lock;
  readonly log: Logger;
  /** When the library closes, the file at hand is the last. */
  readonly closing: AbortSignal;
  /** Renoir's own trash. */
  readonly trash: string;
  /** The pictures a filter lets through. */
  readonly select: (filter: LibraryFilter) => Iterable<readonly number[]>;
  readonly onChange: (change: { removed?: number; changed?: number; added?: number }) => void;
}

type Failure = ChangeReply["failed"][number];
interface Selection {
  readonly pictures: Selected[];
  readonly failed: Failure[];
}

/** Rows looked up in one go. */
const AT_ONCE = 500;

export class Changes {
  readonly #tools: ChangeTools;

  constructor(tools: ChangeTools) {
    this.#tools = tools;
  }

  async change({ action, to, ...selection }: LibraryChange): Promise<ChangeReply> {
    const folder = action === "move" ? await this.#destination(to) : undefined;
    const { pictures, failed } = await this.#selected(selection);
    const targets: Record<typeof action, (picture: Selected) => string | undefined> = {
      write: () => "",
      move: (picture) => (picture.folder === folder ? undefined : join(folder!, picture.name)),
      reject: (picture) =>
        picture.place === "rejected" ? undefined : join(picture.folder, fallbackFolder, picture.name),
      restore: (picture) => (picture.place === "rejected" ? join(restored(picture.folder), picture.name) : undefined),
    };
    return await this.#run(action, pictures, targets[action], failed);
  }

  async delete(selection: LibraryDelete): Promise<ChangeReply> {
    const { pictures, failed } = await this.#selected(selection);
    return await this.#run("delete", pictures, () => "", failed);
  }

  /** What can be undone is undone, from the last step to the first; the latest operation unless one is named. */
  async undo(id?: string): Promise<ChangeReply> {
    const { journal } = this.#tools;
    const entry = id === undefined ? journal.latest() : journal.entry(id);
    if (!entry) {
      throw new NotFoundError(id === undefined ? "There is nothing to undo." : `There is no operation ${id} to undo.`, {
        hint: "The list of operations says what can be undone; deleted pictures can be for thirty days.",
      });
    }
    if (entry.state !== "done") {
      throw new ConflictError(
        `The operation ${entry.id} is ${entry.state === "undone" ? "undone already" : "still running"}.`,
      );
    }
    journal.setState(entry.key, "undoing");
    return await this.#undo(entry);
  }

  // -- selection -----------------------------------------------------------------------------------------------------

  async #selected({ ids, filter }: LibraryDelete): Promise<Selection> {
    if (!ids && !filter) {
      throw new RequestError("Neither ids nor a filter says which pictures are meant.", {
        hint: "Give ids, or a filter; an empty filter means every picture.",
      });
    }
    return ids ? await this.#byIds([...new Set(ids)]) : await this.#byFilter(filter!);
  }

  async #byIds(ids: readonly string[]): Promise<Selection> {
    const pictures: Selected[] = [];
    const failed: Failure[] = [];
    for (let at = 0; at < ids.length; at += AT_ONCE) {
      const part = ids.slice(at, at + AT_ONCE);
      const found = this.#tools.pictures
        .select("id", part)
        .filter(({ place }) => place === "here" || place === "rejected");
      const known = new Set(found.map(({ id }) => id));
      pictures.push(...found);
      failed.push(...part.filter((id) => !known.has(id)).map((id) => ({ id, ...replyOf(unknownPicture(id)) })));
      await breathe();
    }
    return { pictures, failed };
  }

  async #byFilter(filter: LibraryFilter): Promise<Selection> {
    const pictures: Selected[] = [];
    for (const keys of this.#tools.select(filter)) {
      pictures.push(...this.#tools.pictures.select("key", keys));
      await breathe();
    }
    return { pictures, failed: [] };
  }

  /** The folder to move to, made if it is a new one in a folder of the library. */
  async #destination(to: string | undefined): Promise<string> {
    if (!to) throw new RequestError("Where to move the pictures is not said.", { hint: "Give a folder as `to`." });
    const parent = await this.#tools.folders.within(dirname(to)).catch(() => undefined);
    if (parent && !(await exists(to))) await mkdir(join(parent, parse(to).base), { recursive: true });
    const folder = await this.#tools.folders.within(to);
    if ((await stat(folder)).isDirectory()) return folder;
    throw new RequestError(`${to} is a file, and a folder was wanted.`);
  }

  // -- doing ---------------------------------------------------------------------------------------------------------

  async #run(
    action: Action,
    pictures: readonly Selected[],
    targetOf: (picture: Selected) => string | undefined,
    failed: Failure[],
  ): Promise<ChangeReply> {
    const entry = await this.#tools.journal.plan(action, pictures, (picture, id, number) => {
      const own = join(this.#tools.trash, id, String(number), picture.name);
      const target = targetOf(picture);
      if (target === undefined) return undefined; // it is there already
      return { picture: picture.key, source: pathOf(picture), target: target === "" ? own : target };
    });
    let done = 0;
    for (let steps = this.#planned(entry); steps.length > 0; steps = this.#planned(entry)) {
      for (const step of steps) {
        if (this.#tools.closing.aborted) break;
        const failure = await this.#tools.lock.run(() => this.#attempt(step, () => this.#do(entry, step)));
        if (failure) failed.push(failure);
        else done += 1;
      }
    }
    this.#tools.journal.setState(entry.key, "done");
    await this.#tidy(entry);
    return { operation: entry.id, done, failed };
  }

  #planned({ key }: Entry): Step[] {
    return this.#tools.closing.aborted ? [] : this.#tools.journal.steps(key, "planned");
  }

  /** A step that fails is marked so, and the others go on. */
  async #attempt(step: Step, work: () => Promise<void>): Promise<Failure | undefined> {
    try {
      await work();
      return undefined;
    } catch (error) {
      this.#tools.journal.mark(step, { state: step.state === "done" ? "done" : "failed" });
      const known = this.#tools.pictures.byKey(step.picture);
      const told = error instanceof RenoirError ? error : toRenoirError(explain(step.source, error));
      return { id: known?.id ?? "", ...replyOf(told) };
    }
  }

  async #do(entry: Entry, step: Step): Promise<void> {
    const known = this.#tools.pictures.byKey(step.picture);
    if (!known || pathOf(known) !== step.source) throw new NotFoundError(`${step.source} is no longer there.`);
    await this.#confine(step.source);
    if (entry.action === "write") await this.#write(step, known);
    else await this.#move(entry, step, known);
  }

  /** The folder may have become a link to somewhere else since it was scanned. */
  async #confine(source: string): Promise<void> {
    const folder = await realpath(dirname(source));
    await this.#tools.folders.within(folder);
  }

  async #move(entry: Entry, step: Step, known: Known): Promise<void> {
    const { target, companions } = await this.#moveFiles(step.source, step.target, (change) =>
      this.#tools.journal.mark(step, { state: "doing", ...change }),
    );
    this.#moved(entry, { ...step, target, companions }, known);
  }

  #moved(entry: Entry, step: Step, known: Known): void {
    this.#tools.pictures.change(() => {
      if (entry.action === "delete") this.#tools.pictures.setPlace(known.key, "deleted");
      else this.#relocate(known, step.target);
      this.#tools.journal.mark(step, { state: "done" });
    });
    this.#tools.onChange(entry.action === "delete" ? { removed: 1 } : { changed: 1 });
  }

  /** Under the first name that is free for the picture and all that goes with it; told before it is used. */
  async #moveFiles(
    from: string,
    to: string,
    tell: (change: Pick<Step, "target" | "companions">) => void,
  ): Promise<Pick<Step, "target" | "companions">> {
    const { dir, name, ext } = parse(to);
    const old = parse(from);
    const endings = await companionsOf(from);
    for (let count = 0; ; count += 1) {
      const stem = join(dir, count === 0 ? name : `${name}-${count}`);
      const target = `${stem}${ext}`;
      const companions = endings.map((ending) => [join(old.dir, old.name + ending), stem + ending] as const);
      const isTaken = (await Promise.all([target, ...companions.map(([, path]) => path)].map(exists))).includes(true);
      if (isTaken) continue;
      tell({ target, companions });
      if (!(await moveFile(from, target))) continue;
      for (const [before, after] of companions) await this.#along(before, after);
      return { target, companions };
    }
  }

  /** A caption that can not follow its picture does not keep it. */
  async #along(from: string, to: string): Promise<void> {
    await moveFile(from, to).catch((error) =>
      this.#tools.log.warn(error, `${from} could not be moved with its picture.`),
    );
  }

  async #write(step: Step, known: Known): Promise<void> {
    const scores = this.#scoresToWrite(known.key);
    if (Object.keys(scores).length === 0) {
      throw new RequestError(`${step.source} has no scores to write.`, {
        hint: "Score it first. Approximate scores (int8) are not written into files.",
      });
    }
    const before = await sidecarsOf(step.source);
    this.#tools.journal.mark(step, { state: "doing", undo: { kind: "sidecars", before } });
    await backUp(step.source, step.target);
    try {
      await write(step.source, scores);
    } catch (error) {
      await rm(step.target, { force: true });
      throw error;
    }
    await this.#written(step, known, before);
  }

  async #written(step: Step, known: Known, before: Sidecars): Promise<void> {
    const undo = await undoOf(step.source, step.target, before);
    const read = await this.#read(step.source);
    this.#tools.pictures.change(() => {
      if (read) this.#tools.pictures.refresh(known, known.place, read);
      this.#tools.journal.mark(step, { state: "done", undo });
    });
    if (undo.kind !== "backup") await rm(step.target, { force: true });
    this.#tools.onChange({ changed: 1 });
  }

  /** The newest of each reward, unless it is approximate or the file itself has told it. */
  #scoresToWrite(key: number): Record<string, number> {
    const rows = this.#tools.database.all<{ reward: string; score: number }>(
      `SELECT r.reward AS reward, r.score AS score FROM ratings r
       WHERE r.picture = ? AND EXISTS (SELECT 1 FROM scores s WHERE s.picture = r.picture AND s.reward = r.reward
         AND s.score = r.score AND s.approximate = 0 AND s.version <> 'file')`,
      key,
    );
    return Object.fromEntries(rows.map(({ reward, score }) => [reward, score]));
  }

  async #read(path: string) {
    const [reading] = await this.#tools.readers.read([path]);
    return reading && "facts" in reading ? reading.facts : undefined;
  }

  #relocate(known: Known, path: string): void {
    const { folder, name } = folderOfPath(path);
    const root = this.#tools.folders.rootOf(path);
    if (!root) this.#tools.pictures.forget([known.key]);
    else this.#tools.pictures.relocate(known, { folderKey: root.key, folder, name, place: placeOf(folder, root.path) });
  }

  // -- undoing -------------------------------------------------------------------------------------------------------

  async #undo(entry: Entry): Promise<ChangeReply> {
    const { journal, lock } = this.#tools;
    const failed: Failure[] = [];
    let done = 0;
    let steps = journal.stepsBack(entry.key, "done");
    for (; steps.length > 0; steps = journal.stepsBack(entry.key, "done", steps.at(-1)!.number)) {
      for (const step of steps) {
        const failure = await lock.run(() => this.#attempt(step, () => this.#undoStep(entry, step)));
        if (failure) failed.push(failure);
        else done += 1;
      }
    }
    // What could not be undone may be tried again.
    journal.setState(entry.key, failed.length > 0 ? "done" : "undone");
    await this.#tidy(entry);
    return { operation: entry.id, done, failed };
  }

  async #undoStep(entry: Entry, step: Step): Promise<void> {
    const known = this.#tools.pictures.byKey(step.picture);
    this.#tools.journal.mark(step, { state: "undoing" });
    if (entry.action === "write") return await this.#undoWrite(step, known);
    await this.#confine(await nearestFolder(step.source));
    const { target } = await this.#moveFiles(step.target, step.source, ({ target: to, companions }) =>
      this.#tools.journal.mark(step, {
        undo: { kind: "return", to },
        companions: companions.map(([from, back]) => [back, from] as const),
      }),
    );
    this.#undone(step, known, target);
  }

  #undone(step: Step, known: Known | undefined, path: string): void {
    this.#tools.pictures.change(() => {
      if (known) this.#relocate(known, path);
      this.#tools.journal.mark(step, { state: "undone" });
    });
    this.#tools.onChange({ added: 1 });
  }

  /** Whatever the picture is called by now. */
  async #undoWrite(step: Step, known: Known | undefined): Promise<void> {
    const file = known ? pathOf(known) : step.source;
    await unwrite(file, step.undo ?? { kind: "nothing" }, step.target);
    const read = await this.#read(file);
    this.#tools.pictures.change(() => {
      if (known && read) this.#tools.pictures.refresh(known, known.place, read);
      this.#tools.journal.mark(step, { state: "undone" });
    });
    this.#tools.onChange({ changed: 1 });
  }

  // -- after a sudden end --------------------------------------------------------------------------------------------

  /** Brings database and files together again where the process died in the middle: what was begun is finished, the rest is not begun. */
  async recover(): Promise<void> {
    for (const entry of this.#tools.journal.unfinished()) {
      if (entry.state === "planning") this.#tools.journal.forget(entry.key);
      else if (entry.state === "running") await this.#recoverRun(entry);
      else await this.#recoverUndo(entry);
    }
  }

  async #recoverRun(entry: Entry): Promise<void> {
    // After a power cut a file may be further than its mark: the next steps are looked at, too.
    const begun = [
      ...this.#tools.journal.steps(entry.key, "doing"),
      ...this.#tools.journal.steps(entry.key, "planned", 100),
    ];
    for (const step of begun) await this.#attempt(step, () => this.#recoverStep(entry, step));
    this.#tools.journal.setState(entry.key, "done");
    await this.#tidy(entry);
    const left = this.#tools.journal.steps(entry.key, "planned").length;
    this.#tools.log.warn(
      `Renoir was stopped in the middle of an operation (${entry.action}). ${left === 0 ? "It was finished" : "The pictures it had not come to are as they were"}; it can be undone.`,
    );
  }

  async #recoverStep(entry: Entry, step: Step): Promise<void> {
    const known = this.#tools.pictures.byKey(step.picture);
    if (entry.action === "write") {
      await sweepTemporary(dirname(step.source));
      if (!known || !(await exists(step.target))) return this.#tools.journal.mark(step, { state: "failed" });
      const before = step.undo?.kind === "sidecars" ? step.undo.before : {};
      return await this.#written(step, known, before);
    }
    const how = await settle(step.source, step.target);
    if (how === "moved") for (const [from, to] of step.companions) await settleOrMove(from, to);
    if (how === "moved" && known) this.#moved(entry, step, known);
    else if (step.state === "doing") this.#tools.journal.mark(step, { state: "failed" });
  }

  async #recoverUndo(entry: Entry): Promise<void> {
    for (const step of this.#tools.journal.steps(entry.key, "undoing")) {
      const to = step.undo?.kind === "return" ? step.undo.to : undefined;
      if (to !== undefined && (await settle(step.target, to)) === "moved") {
        for (const [before, after] of step.companions) await settleOrMove(after, before);
        this.#undone(step, this.#tools.pictures.byKey(step.picture), to);
      } else this.#tools.journal.mark(step, { state: "done" });
    }
    await this.#undo(entry);
  }

  // -- tidying -------------------------------------------------------------------------------------------------------

  /** What is left of an operation in the trash when nothing needs it: empty folders. */
  async #tidy({ key, id }: Entry): Promise<void> {
    const folder = join(this.#tools.trash, id);
    const needed = (["done", "failed"] as const).some((state) => this.#tools.journal.steps(key, state, 1).length > 0);
    if (!needed) await rm(folder, { recursive: true, force: true });
  }

  /** Operations of long ago can no longer be undone: what they had deleted goes to the system's trash. */
  async purge(before: number): Promise<void> {
    for (const entry of this.#tools.journal.before(before)) {
      if (entry.state !== "done" && entry.state !== "undone") continue;
      const folder = join(this.#tools.trash, entry.id);
      try {
        if (entry.action === "delete" && (await exists(folder))) await trash([folder], { glob: false });
        await rm(folder, { recursive: true, force: true });
      } catch (error) {
        this.#tools.log.warn(error, `${folder} could not be moved to the system's trash; it stays.`);
        continue;
      }
      const rows = this.#tools.database.all<{ picture: number }>(
        "SELECT picture FROM steps s JOIN pictures p ON p.key = s.picture WHERE s.operation = ? AND p.place = 'deleted'",
        entry.key,
      );
      if (entry.action === "delete") this.#tools.pictures.forget(rows.map(({ picture }) => picture));
      this.#tools.journal.forget(entry.key);
    }
  }
}

/** The folder above the last one called rejected. */
function restored(folder: string): string {
  const parts = folder.split(sep);
  return parts.slice(0, parts.lastIndexOf(fallbackFolder)).join(sep);
}

async function settleOrMove(from: string, to: string): Promise<void> {
  if ((await settle(from, to)) === "stayed") await moveFile(from, to);
}

/** A file in the nearest folder that is there: the others are made anew. */
async function nearestFolder(path: string): Promise<string> {
  const folder = dirname(path);
  return (await exists(folder)) || folder === dirname(folder) ? path : await nearestFolder(folder);
}
