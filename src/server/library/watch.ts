// Watches the library's folders, and says which of them to look at again. One watch a folder, none a file: chokidar takes one for
// each of 50,000 files, and Linux grants 8192 in all on many machines. What has changed in a folder the scan finds out.

import { type FSWatcher, watch } from "node:fs";
import { sep } from "node:path";
import type { Logger } from "../log.ts";
import type { Folders, Root } from "./folders.ts";
import { isPictureName } from "./scan.ts";

/** A burst is gathered until it pauses this long, and at most for so long. */
const PAUSE_MS = 300;
const MOST_MS = 2000;
/** How often it is seen whether a folder has come back, or has gone. */
const ROOTS_MS = 15_000;

interface Dirty {
  readonly folders: Set<string>;
  since: number;
  timer: NodeJS.Timeout | undefined;
}

export class Watch {
  readonly #folders: Folders;
  readonly #look: (root: Root, folders: string[] | "all") => void;
  readonly #log: Logger;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #dirty = new Map<number, Dirty>();
  readonly #there = new Map<number, boolean>();
  #roots: NodeJS.Timeout | undefined;
  #warned = false;
  #closed = false;

  constructor(folders: Folders, look: (root: Root, folders: string[] | "all") => void, log: Logger) {
    this.#folders = folders;
    this.#look = look;
    this.#log = log;
    this.#roots = setInterval(() => void this.#lookAtRoots(), ROOTS_MS).unref();
  }

  /** A folder that the scan has walked through. */
  add(folder: string, root: Root): void {
    if (this.#closed || root.watched !== 1 || this.#watchers.has(folder)) return;
    try {
      const watcher = watch(folder, { persistent: false });
      watcher.on("change", (_, name) => this.#changed(root, folder, name));
      watcher.on("error", () => this.#drop(folder));
      this.#watchers.set(folder, watcher);
    } catch (error) {
      if (!this.#warned)
        this.#log.warn(
          `${folder} can not be watched: ${(error as Error).message}. Its pictures are found when the folders are looked at again.`,
        );
      this.#warned = true;
    }
  }

  forget(root: Root): void {
    for (const folder of this.#watchers.keys()) {
      if (folder === root.path || folder.startsWith(root.path + sep)) this.#drop(folder);
    }
    clearTimeout(this.#dirty.get(root.key)?.timer);
    this.#dirty.delete(root.key);
    this.#there.delete(root.key);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#roots);
    for (const { timer } of this.#dirty.values()) clearTimeout(timer);
    for (const folder of [...this.#watchers.keys()]) this.#drop(folder);
  }

  #changed(root: Root, folder: string, name: string | Buffer | null): void {
    const text = name === null ? "" : String(name);
    // Renoir's own temporary files, and other programs'. A name without a picture's ending may be a folder's.
    if (text.startsWith(".") || (/\.\w+$/.test(text) && !isPictureName(text))) return;
    const dirty = this.#dirty.get(root.key) ?? { folders: new Set(), since: Date.now(), timer: undefined };
    this.#dirty.set(root.key, dirty);
    dirty.folders.add(folder);
    clearTimeout(dirty.timer);
    const left = Math.max(0, dirty.since + MOST_MS - Date.now());
    dirty.timer = setTimeout(() => this.#report(root), Math.min(PAUSE_MS, left)).unref();
  }

  #report(root: Root): void {
    const dirty = this.#dirty.get(root.key);
    this.#dirty.delete(root.key);
    if (dirty) this.#look(root, [...dirty.folders]);
  }

  /** A disk that was plugged in again is looked through as a whole: nobody has watched it meanwhile. */
  async #lookAtRoots(): Promise<void> {
    for (const root of this.#folders.roots()) {
      if (root.watched !== 1 || this.#closed) continue;
      const before = this.#there.get(root.key);
      const there = await this.#folders.look(root);
      this.#there.set(root.key, there);
      if (before === true && !there) this.forget(root);
      if (before === false && there) this.#look(root, "all");
    }
  }

  #drop(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }
}
