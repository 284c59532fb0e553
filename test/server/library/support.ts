// A library over real files in a folder of its own, with pictures that say how they were made.

import { mkdir, mkdtemp, realpath, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Database, openDatabase } from "../../../src/server/database.ts";
import { Library, type LibraryOptions } from "../../../src/server/library/library.ts";
import type { Readers } from "../../../src/server/library/readers.ts";
import { silentLog } from "../../../src/server/log.ts";
import { png, slope } from "../../metadata/images.ts";

export const settings = { get: () => ({ rewards: ["imagereward"], limits: { ImageReward: { weak: 0, great: 1 } } }) };

export interface Place {
  readonly home: string;
  readonly folder: string;
  library: Library;
  database: Database;
  open(options?: Partial<LibraryOptions>): Promise<Library>;
  close(): Promise<void>;
}

/** A home, an empty folder, and a library that knows of it. */
export async function place(readers: Readers): Promise<Place> {
  const base = await realpath(await mkdtemp(join(tmpdir(), "renoir-library-")));
  const [home, folder] = [join(base, "home"), join(base, "outputs")];
  await mkdir(folder, { recursive: true });
  const made = { home, folder } as Place;
  made.open = async (options = {}) => {
    made.database = openDatabase(join(home, "renoir.db"));
    const rest = { settings, log: silentLog(), readers, restingMs: 0, demo: null };
    made.library = await Library.open({ home, database: made.database, ...rest, ...options });
    return made.library;
  };
  made.close = async () => {
    await made.library.close();
    made.database.close();
    await rm(base, { recursive: true, force: true });
  };
  await made.open();
  await made.library.addFolder(folder, true);
  return made;
}

export interface Said {
  readonly prompt?: string;
  readonly seed?: number | bigint | string;
  readonly model?: string;
  readonly scores?: string;
}

export const infotext = ({ prompt = "a red fox", seed = 1, model = "sd15", scores = "" }: Said): string =>
  `${prompt}\nNegative prompt: ugly\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: ${seed}, Size: 8x8, Model: ${model}, Version: v1.10.1${scores}`;

let shade = 0;

/** Writes a picture whose pixels no other has; an A1111 picture unless `texts` says otherwise. */
export async function picture(path: string, said: Said = {}, at?: Date): Promise<string> {
  const pixels = slope(8, 8, 3);
  new DataView(pixels.data.buffer).setUint32(0, ++shade);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, await png([["parameters", infotext(said)]], pixels));
  if (at) await utimes(path, at, at);
  return path;
}

export const query = (given: object = {}) => ({ sort: "-date", limit: 100, ...given });
