// The library's folders: added, forgotten, there or not, and the bounds of what may be read.

import { access, cp, mkdir, opendir, realpath, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { RequestError, SystemError } from "../../errors.ts";
import type { LibraryFolder } from "../api/library.ts";
import { ForbiddenError, NotFoundError } from "../errors.ts";
import type { Pictures } from "./pictures.ts";

export interface Root {
  readonly key: number;
  readonly path: string;
  readonly watched: number;
  readonly builtIn: number;
  readonly device: string | null;
}

export const isWithin = (path: string, root: string): boolean =>
  path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);

export class Folders {
  readonly #pictures: Pictures;
  /** Which of them were there when they were last looked for. */
  readonly #available = new Map<string, boolean>();

  constructor(pictures: Pictures) {
    this.#pictures = pictures;
  }

  roots(): Root[] {
    return this.#pictures.database.all<Root>("SELECT key, path, watched, builtIn, device FROM folders ORDER BY key");
  }

  list(): LibraryFolder[] {
    const counts = this.#pictures.database.all<{ folderKey: number; count: number }>(
      "SELECT folderKey, count(*) AS count FROM pictures WHERE place IN ('here', 'rejected') GROUP BY folderKey",
    );
    const pictures = new Map(counts.map(({ folderKey, count }) => [folderKey, count]));
    return this.roots().map(({ key, path, watched, builtIn }) => ({
      path,
      pictures: pictures.get(key) ?? 0,
      watched: watched === 1,
      available: this.#available.get(path) ?? false,
      builtIn: builtIn === 1,
    }));
  }

  /** Takes the folder, without links; one within it becomes a part of it. */
  async add(path: string, watched: boolean, builtIn = false): Promise<Root> {
    const real = await existing(path);
    const roots = this.roots();
    const same = roots.find((root) => root.path === real);
    const outer = roots.find((root) => root.path !== real && isWithin(real, root.path));
    if (outer) {
      throw new RequestError(`${real} lies within ${outer.path}, which is in the library already.`, {
        hint: "Look at all folders again if pictures of it are missing.",
      });
    }
    this.#pictures.change(() => {
      if (same) this.#pictures.database.run("UPDATE folders SET watched = ? WHERE key = ?", watched, same.key);
      else {
        const sql = "INSERT INTO folders (path, watched, builtIn) VALUES (?, ?, ?)";
        const key = Number(this.#pictures.database.run(sql, real, watched, builtIn).lastInsertRowid);
        for (const inner of roots) if (isWithin(inner.path, real) && !inner.builtIn) this.#absorb(inner.key, key);
      }
    });
    this.#available.set(real, true);
    return this.roots().find((root) => root.path === real)!;
  }

  /** Its pictures are forgotten with it, but those in the trash; the files stay. */
  async remove(path: string, forget: (key: number) => Promise<void>): Promise<void> {
    const wanted = resolveHome(path);
    const root = this.roots().find((each) => each.path === wanted || each.path === path);
    if (!root) throw unknownFolder(path, this.roots());
    await forget(root.key);
    this.#pictures.change(() => this.#pictures.database.run("DELETE FROM folders WHERE key = ?", root.key));
  }

  #absorb(inner: number, outer: number): void {
    this.#pictures.database.run("UPDATE pictures SET folderKey = ? WHERE folderKey = ?", outer, inner);
    this.#pictures.database.run("DELETE FROM folders WHERE key = ?", inner);
  }

  /**
   * Whether the folder is there. An empty folder on another device than at the last scan is where a disk would be mounted:
   * its pictures are not gone.
   */
  async look(root: Root): Promise<boolean> {
    const facts = await stat(root.path).catch(() => undefined);
    const device = facts?.isDirectory() ? String(facts.dev) : undefined;
    const moved = device !== undefined && root.device !== null && device !== root.device;
    const available = device !== undefined && !(moved && (await isEmpty(root.path)));
    if (available && device !== root.device) {
      this.#pictures.database.run("UPDATE folders SET device = ? WHERE key = ?", device, root.key);
    }
    this.#available.set(root.path, available);
    return available;
  }

  rootOf(path: string): Root | undefined {
    return this.roots()
      .filter((root) => isWithin(path, root.path))
      .sort((a, b) => b.path.length - a.path.length)[0];
  }

  /** The real path, if it lies in one of the folders once all links are resolved. */
  async within(path: string): Promise<string> {
    const wanted = resolveHome(path);
    const real = await realpath(wanted).catch((cause) => {
      // Whether something outside exists is nobody's business.
      if (!this.rootOf(wanted)) throw outside(path);
      throw new NotFoundError(`${path} is not there.`, { hint: "Check the path.", cause });
    });
    if (!this.rootOf(real)) throw outside(path);
    return real;
  }
}

const outside = (path: string) =>
  new ForbiddenError(`${path} lies outside of the library's folders.`, {
    hint: "Add its folder to the library first.",
  });

const unknownFolder = (path: string, roots: readonly Root[]) =>
  new NotFoundError(
    `${path} is no folder of the library; ${roots.length === 0 ? "it has none" : `those are ${roots.map((root) => root.path).join(", ")}`}.`,
  );

const resolveHome = (path: string): string => resolve(path.replace(/^~(?=$|[/\\])/, homedir()));

async function existing(path: string): Promise<string> {
  const real = await realpath(resolveHome(path)).catch((cause) => {
    throw new RequestError(`${path} can not be added: there is no such folder.`, { hint: "Check the path.", cause });
  });
  if ((await stat(real)).isDirectory()) return real;
  throw new RequestError(`${path} can not be added: it is a file, and a folder was wanted.`, {
    hint: "Give the folder that the pictures lie in.",
  });
}

async function isEmpty(folder: string): Promise<boolean> {
  for await (const _ of await opendir(folder)) return false;
  return true;
}

const demoPictures = fileURLToPath(new URL("../../../assets/pictures", import.meta.url));

/** Copies the demo's pictures into the data folder, so that nothing of the installation is ever changed. */
export async function copyDemo(home: string, from = demoPictures): Promise<string | undefined> {
  const folder = join(home, "pictures");
  const isThere = await access(from).then(
    () => true,
    () => false,
  );
  if (!isThere) return undefined;
  try {
    await mkdir(folder, { recursive: true });
    await cp(from, folder, { recursive: true, force: false, filter: (path) => !path.endsWith(".sh") });
    return folder;
  } catch (cause) {
    throw new SystemError(`The demo's pictures can not be copied to ${folder}: ${(cause as Error).message}.`, {
      hint: "Check that it may be written to and has room, or set RENOIR_HOME to a folder that is.",
      cause,
    });
  }
}
