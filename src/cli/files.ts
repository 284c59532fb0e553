// Which pictures a command line means: files, folders, and on Windows, whose shells leave them alone, patterns such as *.png.

import type { Dirent } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, extname, join, resolve } from "node:path";
import type { RenoirError } from "../errors.ts";
import { itemError } from "../scoring/scorer.ts";

/** What is taken for a picture in a folder. A file named by itself is always tried. */
const pictureEndings = new Set([".png", ".jpg", ".jpeg", ".jfif", ".webp", ".avif", ".gif", ".tif", ".tiff"]);

export const isPicture = (path: string): boolean =>
  pictureEndings.has(extname(path).toLowerCase()) && !basename(path).startsWith(".");

export interface GatherOptions {
  readonly recursive?: boolean | undefined;
  /** Folders that are passed over, such as the one rejected pictures go to. */
  readonly except?: readonly string[];
}

export interface Gathered {
  readonly files: string[];
  readonly failed: { readonly file: string; readonly error: RenoirError }[];
  /** Folders passed over because only `recursive` looks into them. */
  readonly unvisited: number;
}

/** Every picture once, folders in the order their names have for people ("2.png" before "10.png"). */
export async function gatherPictures(paths: readonly string[], options: GatherOptions = {}): Promise<Gathered> {
  const walk = new Walk(options);
  for (const path of paths) await walk.take(path);
  return walk;
}

class Walk implements Gathered {
  readonly files: string[] = [];
  readonly failed: { file: string; error: RenoirError }[] = [];
  unvisited = 0;
  readonly #seen = new Set<string>();
  readonly #recursive: boolean;
  readonly #except: Set<string>;

  constructor({ recursive = false, except = [] }: GatherOptions) {
    this.#recursive = recursive;
    this.#except = new Set(except.map((folder) => resolve(folder)));
  }

  async take(path: string): Promise<void> {
    try {
      const facts = await stat(path).catch((error) => error as NodeJS.ErrnoException);
      if (facts instanceof Error) await this.#pattern(path, facts);
      else if (facts.isDirectory()) await this.#folder(path);
      else await this.#file(path);
    } catch (error) {
      this.failed.push({ file: path, error: itemError(error, path) });
    }
  }

  async #file(path: string): Promise<void> {
    if (await this.#first(path)) this.files.push(path);
  }

  async #folder(path: string): Promise<void> {
    // A link may lead back to a folder above it: each real folder is entered once.
    if (!(await this.#first(path))) return;
    for (const entry of await sorted(path)) {
      const inner = join(path, entry.name);
      if (entry.name.startsWith(".") || this.#except.has(resolve(inner))) continue;
      if (await isFolder(entry, inner)) await this.#inner(inner);
      else if (isPicture(inner)) await this.take(inner);
    }
  }

  async #inner(folder: string): Promise<void> {
    if (this.#recursive) await this.take(folder);
    else this.unvisited += 1;
  }

  async #pattern(path: string, missing: Error): Promise<void> {
    if (!/[*?]/.test(basename(path))) throw missing;
    const entries = await sorted(dirname(path));
    const matching = entries.filter(({ name }) => toExpression(basename(path)).test(name) && isPicture(name));
    if (matching.length === 0) throw missing;
    for (const { name } of matching) await this.#file(join(dirname(path), name));
  }

  async #first(path: string): Promise<boolean> {
    const real = await realpath(path);
    const first = !this.#seen.has(real);
    this.#seen.add(real);
    return first;
  }
}

const collator = new Intl.Collator("en", { numeric: true });

const sorted = async (folder: string): Promise<Dirent[]> =>
  (await readdir(folder, { withFileTypes: true })).sort((a, b) => collator.compare(a.name, b.name));

async function isFolder(entry: Dirent, path: string): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  const facts = await stat(path).catch(() => undefined);
  return facts?.isDirectory() ?? false;
}

/** "*" is any run of characters, "?" any one; all else stands for itself. */
function toExpression(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*/g, ".*")
    .replace(/\?/g, ".");
  return new RegExp(`^${source}$`, process.platform === "win32" ? "i" : "");
}
