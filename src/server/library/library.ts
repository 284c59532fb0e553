// The library: pictures in folders, with what their files say and how they score. What it does in detail lies beside: scan.ts finds
// pictures, lists.ts shows them, changes.ts moves, writes and deletes them by a journal, thumbnails.ts makes small ones.

import { EventEmitter } from "node:events";
import { join } from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import { RequestError } from "../../errors.ts";
import { parseRewardName } from "../../scoring/rewardName.ts";
import type {
  ChangeReply,
  Facets,
  Histogram,
  LibraryChange,
  LibraryDelete,
  LibraryFilter,
  LibraryFolder,
  LibraryPage,
  LibraryPicture,
  LibraryQuery,
  Operation,
} from "../api/library.ts";
import type { Settings } from "../api/system.ts";
import type { Database } from "../database.ts";
import { NotFoundError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { Changes } from "./changes.ts";
import { type ExportFormat, exportRows } from "./export.ts";
import { copyDemo, Folders, type Root } from "./folders.ts";
import { Journal } from "./journal.ts";
import { Lists, unknownPicture } from "./lists.ts";
import { Lock } from "./lock.ts";
import { folderOfPath, type Known, type NewScore, Pictures, pathOf } from "./pictures.ts";
import type { Judge } from "./query.ts";
import { Readers } from "./readers.ts";
import { isPictureName, Scan, type ScanOptions, type ScanTools } from "./scan.ts";
import { Thumbnails } from "./thumbnails.ts";
import { Watch } from "./watch.ts";

/** What the library needs of the settings. */
export interface LibrarySettings {
  get(): Pick<Settings, "rewards" | "limits">;
}

export interface LibraryOptions {
  readonly home: string;
  readonly database: Database;
  readonly settings: LibrarySettings;
  readonly log: Logger;
  /** Shared by tests: a process takes its time to start. */
  readonly readers?: Readers;
  /** How long a file's date must rest before it is taken for whole; 1000 ms unless given. */
  readonly restingMs?: number;
  /** Where the demo's pictures lie; null for none. */
  readonly demo?: string | null;
}

export interface ChangeCounts {
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
}

interface Events {
  scored: [{ id: string; path: string; scores: Record<string, number> }];
  changed: [ChangeCounts];
}

/** At most so often are changes told. */
const TELL_MS = 300;
/** After which pictures whose files went, in folders that are there, are forgotten. */
const FORGET_MS = 30 * 24 * 60 * 60 * 1000;
/** For how long deleted pictures, and all that was done, can be brought back. */
const KEEP_DELETED_MS = 30 * 24 * 60 * 60 * 1000;
const DEFAULT_LIMITS = { weak: 0, great: 1 };

export class Library extends EventEmitter<Events> {
  readonly #home: string;
  readonly #database: Database;
  readonly #settings: LibrarySettings;
  readonly #log: Logger;
  readonly #pictures: Pictures;
  readonly #folders: Folders;
  readonly #lists: Lists;
  readonly #thumbnails: Thumbnails;
  readonly #readers: Readers;
  readonly #ownsReaders: boolean;
  readonly #lock = new Lock();
  readonly #restingMs: number;
  readonly #journal: Journal;
  readonly #changes: Changes;
  #watch: Watch | undefined;
  #untold: ChangeCounts | undefined;
  #telling: NodeJS.Timeout | undefined;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<unknown>>();

  static async open(options: LibraryOptions): Promise<Library> {
    const library = new Library(options);
    await library.#changes.recover();
    await library.#addDemo(options.demo);
    for (const root of library.#folders.roots()) await library.#folders.look(root);
    void library.#track(library.#changes.purge(Date.now() - KEEP_DELETED_MS));
    return library;
  }

  private constructor({ home, database, settings, log, readers, restingMs = 1000 }: LibraryOptions) {
    super();
    this.#home = home;
    this.#database = database;
    this.#settings = settings;
    this.#log = log;
    this.#pictures = new Pictures(database);
    this.#folders = new Folders(this.#pictures);
    this.#lists = new Lists(this.#pictures, (reward) => this.#judge(reward));
    this.#thumbnails = new Thumbnails(join(home, "cache", "thumbnails"));
    this.#readers = readers ?? new Readers();
    this.#ownsReaders = readers === undefined;
    this.#restingMs = restingMs;
    this.#journal = new Journal(database);
    this.#changes = this.#makeChanges();
  }

  #makeChanges(): Changes {
    return new Changes({
      database: this.#database,
      pictures: this.#pictures,
      folders: this.#folders,
      journal: this.#journal,
      readers: this.#readers,
      lock: this.#lock,
      log: this.#log,
      closing: this.#closing.signal,
      trash: join(this.#home, "trash"),
      select: (filter) => this.#lists.keys(filter),
      onChange: (change) => this.#note(change),
    });
  }

  // -- lists ---------------------------------------------------------------------------------------------------------

  page(query: LibraryQuery): LibraryPage {
    return this.#lists.page(query);
  }

  picture(id: string): LibraryPicture {
    return this.#lists.picture(id);
  }

  histogram(query: LibraryFilter & { bins: number }): Histogram {
    return this.#lists.histogram(query);
  }

  facets(): Facets {
    return this.#lists.facets();
  }

  /** Texts which together are the export; the library may change meanwhile. */
  exportRows(query: LibraryFilter & { format: ExportFormat; sort: string }): AsyncGenerator<string> {
    return exportRows(this.#lists, query);
  }

  // -- folders and files ---------------------------------------------------------------------------------------------

  folders(): LibraryFolder[] {
    return this.#folders.list();
  }

  /** Its pictures are found by the next scan. */
  async addFolder(path: string, watch = true): Promise<void> {
    await this.#folders.add(path, watch);
    this.#note({ changed: 1 });
  }

  /** Forgets the folder and its pictures; the files stay. */
  async removeFolder(path: string): Promise<void> {
    const roots = this.#folders.roots();
    await this.#folders.remove(path, (key) => this.#forgetFolder(key));
    const left = new Set(this.#folders.roots().map(({ key }) => key));
    for (const root of roots) if (!left.has(root.key)) this.#watch?.forget(root);
    this.#note({ removed: 1 });
  }

  /** The path of a picture's file, without links, within the library. */
  fileOf(id: string): string {
    const known = this.#pictures.byId(id);
    if (!known || known.place === "deleted") throw unknownPicture(id);
    if (known.place === "absent") {
      throw new NotFoundError(`The file of ${known.name} is no longer in ${known.folder}.`, {
        hint: "Look at all folders again if it was moved.",
      });
    }
    return pathOf(known);
  }

  within(path: string): Promise<string> {
    return this.#folders.within(path);
  }

  /** Of an unplugged disk's pictures there are those that were made before. */
  async thumbnail(id: string): Promise<{ path: string }> {
    const file = this.fileOf(id);
    const { pixels } = this.#pictures.byId(id)!;
    const made = await this.#thumbnails.made(pixels);
    return { path: made ?? (await this.#thumbnails.of(await this.within(file), pixels)) };
  }

  // -- scores --------------------------------------------------------------------------------------------------------

  /** Ids of the pictures that lack one of the scores; with `again` of all. Rewards by any name: imagereward=1@path, ImageReward. */
  wanting(
    rewards: readonly string[],
    { ids, again = false }: { ids?: readonly string[]; again?: boolean } = {},
  ): string[] {
    const names = rewards.map((reward) => rewardName(reward));
    const lacks = names.map(() => "NOT EXISTS (SELECT 1 FROM ratings r WHERE r.picture = p.key AND r.reward = ?)");
    const among = ids ? "id IN (SELECT value FROM json_each(?))" : "place = 'here'";
    const missing = again ? "1" : `(${lacks.join(" OR ") || "0"})`;
    const sql = `SELECT id FROM pictures p WHERE place IN ('here', 'rejected') AND ${among} AND ${missing} ORDER BY modified DESC, key DESC`;
    const values = [...(ids ? [JSON.stringify(ids)] : []), ...(again ? [] : names)];
    return this.#database.all<{ id: string }>(sql, ...values).map(({ id }) => id);
  }

  recordScores(id: string, entries: readonly NewScore[]): void {
    const known = this.#pictures.byId(id);
    if (!known) return; // deleted while it was scored
    const finite = entries.filter(({ score }) => Number.isFinite(score));
    this.#pictures.recordScores(known.key, finite);
    this.emit("scored", { id, path: pathOf(known), scores: this.#pictures.ratings(known.key) });
  }

  // -- changes -------------------------------------------------------------------------------------------------------

  /** Writes scores into files, moves, rejects, or restores rejected pictures. */
  change(change: LibraryChange): Promise<ChangeReply> {
    return this.#track(this.#changes.change(change));
  }

  /** Into Renoir's own trash. */
  delete(selection: LibraryDelete): Promise<ChangeReply> {
    return this.#track(this.#changes.delete(selection));
  }

  /** The latest operation, unless one is named. */
  undo(operation?: string): Promise<ChangeReply> {
    return this.#track(this.#changes.undo(operation));
  }

  operations(): Operation[] {
    return this.#journal.list();
  }

  // -- scanning and watching -----------------------------------------------------------------------------------------

  /** Looks through the folders, or those named: new, changed, moved and gone pictures. */
  scan(options: ScanOptions & { folders?: readonly string[] } = {}): Promise<Record<string, number>> {
    return this.#track(this.#scan(options));
  }

  async #scan({ folders, ...options }: ScanOptions & { folders?: readonly string[] }): Promise<Record<string, number>> {
    const wanted = folders ? await Promise.all(folders.map((folder) => this.#rootFor(folder))) : this.#folders.roots();
    const scan = new Scan(this.#tools(), { ...options, signal: this.#signal(options.signal) });
    for (const root of wanted) await scan.root(root);
    await scan.finish();
    if (!folders && !options.signal?.aborted) this.#forgetAbsent();
    return scan.counts;
  }

  /** From now on, changes in watched folders are found by themselves. */
  watch(): void {
    if (this.#watch) return;
    this.#watch = new Watch(
      this.#folders,
      (root, folders) => void this.#track(this.#lookAgain(root, folders)),
      this.#log,
    );
    void this.#track(this.#scan({}));
  }

  /** Takes in a file that Renoir has just made in one of the folders; gives its id. */
  async addFile(path: string): Promise<string> {
    const real = await this.within(path);
    const { folder, name } = folderOfPath(real);
    if (!isPictureName(name)) {
      throw new RequestError(`${path} is no picture by its name.`, { hint: "Call it .png, .jpg, .webp or .avif." });
    }
    const scan = new Scan({ ...this.#tools(), restingMs: 0 });
    await this.#track(scan.file(this.#folders.rootOf(real)!, folder, name).then(() => scan.finish()));
    const known = this.#pictures.byPath(folder, name);
    if (known) return known.id;
    throw new NotFoundError(`${path} could not be taken into the library.`, { hint: "The log says why." });
  }

  /** Ends what runs, in order. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#watch?.close();
    clearTimeout(this.#telling);
    await Promise.allSettled(this.#running);
    if (this.#ownsReaders) await this.#readers.close();
  }

  // -- within --------------------------------------------------------------------------------------------------------

  async #lookAgain(root: Root, folders: string[] | "all"): Promise<void> {
    try {
      const scan = new Scan(this.#tools(), { signal: this.#closing.signal });
      if (folders === "all") await scan.root(root);
      else await scan.parts(root, folders);
      await scan.finish();
    } catch (error) {
      this.#log.error(error, `${root.path} could not be looked at again.`);
    }
  }

  #tools(): ScanTools {
    return {
      pictures: this.#pictures,
      folders: this.#folders,
      readers: this.#readers,
      log: this.#log,
      lock: this.#lock,
      restingMs: this.#restingMs,
      except: ["cache", "trash", "jobs", "models"].map((name) => join(this.#home, name)),
      onFolder: (folder, root) => this.#watch?.add(folder, root),
      onChange: (change) => this.#note(change),
    };
  }

  #signal(signal: AbortSignal | undefined): AbortSignal {
    return signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
  }

  async #rootFor(folder: string): Promise<Root> {
    const real = await this.within(folder).catch(() => folder);
    const root = this.#folders.roots().find(({ path }) => path === real);
    if (root) return root;
    throw new NotFoundError(`${folder} is no folder of the library.`, { hint: "Add it first." });
  }

  async #forgetFolder(folderKey: number): Promise<void> {
    const sql = "SELECT key FROM pictures WHERE folderKey = ? AND place <> 'deleted' LIMIT 50";
    for (;;) {
      const rows = this.#database.all<{ key: number }>(sql, folderKey);
      if (rows.length === 0) return;
      this.#pictures.forget(rows.map(({ key }) => key));
      await breathe();
    }
  }

  /** Long gone ones, where their folder has been there all the same. */
  #forgetAbsent(): void {
    const there = new Set(this.folders().flatMap(({ path, available }) => (available ? [path] : [])));
    const keys = this.#folders.roots().flatMap(({ key, path }) => (there.has(path) ? [key] : []));
    const rows = this.#database.all<Known>(
      "SELECT key FROM pictures WHERE place = 'absent' AND since < ? AND folderKey IN (SELECT value FROM json_each(?)) LIMIT 1000",
      ...[Date.now() - FORGET_MS, JSON.stringify(keys)],
    );
    this.#pictures.forget(rows.map(({ key }) => key));
  }

  /** Once: who forgets the folder of demo pictures has forgotten it. */
  async #addDemo(from: string | null | undefined): Promise<void> {
    if (from === null || this.#database.get("SELECT 1 FROM notes WHERE name = 'demo'")) return;
    const folder = await copyDemo(this.#home, from);
    if (folder === undefined) return;
    await this.#folders.add(folder, true, true);
    this.#database.run("INSERT OR REPLACE INTO notes (name, value) VALUES ('demo', ?)", folder);
  }

  #judge(reward: string | undefined): Judge {
    const { rewards, limits } = this.#settings.get();
    const name = rewardName(reward ?? rewards[0]!);
    const found = Object.entries(limits).find(([each]) => each.toLowerCase() === name.toLowerCase());
    return { reward: name, limits: found?.[1] ?? DEFAULT_LIMITS };
  }

  #note(change: Partial<ChangeCounts>): void {
    const { added = 0, removed = 0, changed = 0 } = change;
    const before = this.#untold ?? { added: 0, removed: 0, changed: 0 };
    this.#untold = {
      added: before.added + added,
      removed: before.removed + removed,
      changed: before.changed + changed,
    };
    this.#telling ??= setTimeout(() => {
      this.#telling = undefined;
      const counts = this.#untold!;
      this.#untold = undefined;
      this.emit("changed", counts);
    }, TELL_MS).unref();
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work);
    work.then(
      () => this.#running.delete(work),
      () => this.#running.delete(work),
    );
    return work;
  }
}

/** The name in imagereward=1@path. Names that files gave, such as "HPSv21 old", are no such texts and stay as they are. */
function rewardName(text: string): string {
  try {
    return parseRewardName(text).name;
  } catch {
    return text;
  }
}
