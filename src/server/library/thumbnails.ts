// Small WebPs of the pictures, kept in home/cache/thumbnails by what makes the picture: moving or scoring it makes none anew.

import { randomUUID } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { ImageError } from "../../errors.ts";
import { MAX_PIXELS } from "../../scoring/decode.ts";

const SIDE = 320;

/** 60,000 at 8 KB, the mean of 1024 x 1024 photographs at this quality. */
const MAX_BYTES = 512 * 2 ** 20;

/** Two pictures of MAX_PIXELS at once are 1 GB. */
const AT_ONCE = 2;

export class Thumbnails {
  readonly #folder: string;
  readonly #most: number;
  readonly #making = new Map<string, Promise<string>>();
  readonly #turns: (() => void)[] = [];
  #running = 0;
  /** Of all thumbnails; undefined until they were counted. */
  #bytes: Promise<number> | undefined;

  constructor(folder: string, most = MAX_BYTES) {
    this.#folder = folder;
    this.#most = most;
  }

  /** The thumbnail's path, made first if need be. `pixels` is a hash of the picture. */
  of(file: string, pixels: string): Promise<string> {
    let making = this.#making.get(pixels);
    if (!making) {
      making = this.#find(file, pixels).finally(() => this.#making.delete(pixels));
      this.#making.set(pixels, making);
    }
    return making;
  }

  /** One that was made before, even if the picture's own file is not to be had now. */
  async made(pixels: string): Promise<string | undefined> {
    const path = this.#pathOf(pixels);
    const now = new Date(); // used now: the longest unused go first
    return await utimes(path, now, now).then(
      () => path,
      () => undefined,
    );
  }

  async #find(file: string, pixels: string): Promise<string> {
    const path = this.#pathOf(pixels);
    if ((await this.made(pixels)) === undefined) await this.#inTurn(() => this.#make(file, path));
    return path;
  }

  #pathOf(pixels: string): string {
    return join(this.#folder, pixels.slice(0, 2), `${pixels}.webp`);
  }

  async #make(file: string, path: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true });
    const fresh = `${path}.${randomUUID()}.tmp`;
    try {
      // What can be shown of a damaged picture is shown.
      const { size } = await sharp(file, { failOn: "none", limitInputPixels: MAX_PIXELS, animated: false })
        .autoOrient()
        .resize(SIDE, SIDE, { fit: "inside", withoutEnlargement: true })
        .webp({ quality: 78 })
        .toFile(fresh);
      await rename(fresh, path);
      await this.#count(size);
    } catch (cause) {
      await rm(fresh, { force: true });
      throw new ImageError(`${file} has no thumbnail: ${(cause as Error).message.split("\n")[0]}.`, {
        hint: "The file is damaged, or no picture.",
        cause,
      });
    }
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    if (this.#running >= AT_ONCE) await new Promise<void>((go) => this.#turns.push(go));
    else this.#running += 1;
    try {
      await work();
    } finally {
      const next = this.#turns.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }

  async #count(size: number): Promise<void> {
    const before = this.#bytes;
    this.#bytes = before ? before.then((bytes) => bytes + size) : this.#list().then(total);
    if ((await this.#bytes) > this.#most) this.#bytes = this.#sweep();
  }

  /** The longest unused go until a fifth is free. */
  async #sweep(): Promise<number> {
    const files = (await this.#list()).sort((a, b) => a.used - b.used);
    let bytes = total(files);
    for (const { path, size } of files) {
      if (bytes <= 0.8 * this.#most) break;
      await rm(path, { force: true });
      bytes -= size;
    }
    return bytes;
  }

  async #list(): Promise<{ path: string; size: number; used: number }[]> {
    const found: { path: string; size: number; used: number }[] = [];
    for (const folder of await readdir(this.#folder).catch(() => [])) {
      for (const name of await readdir(join(this.#folder, folder)).catch(() => [])) {
        const path = join(this.#folder, folder, name);
        const facts = await stat(path).catch(() => undefined);
        if (facts) found.push({ path, size: facts.size, used: facts.mtimeMs });
      }
    }
    return found;
  }
}

const total = (files: readonly { size: number }[]): number => files.reduce((sum, { size }) => sum + size, 0);
