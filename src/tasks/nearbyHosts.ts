// The image-generation UIs that lie near: in the folder where the command runs, beside it, in the home folder, and at the roots people use.

import { readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { recognise } from "../extension/recognise.ts";

export interface Host {
  /** As `renoir install` calls it. */
  readonly id: string;
  readonly name: string;
  readonly path: string;
  /** Where it saves its pictures. */
  readonly pictures: string;
}

const usualPlaces = () => {
  const here = process.cwd();
  const home = homedir();
  return [
    here,
    dirname(here),
    home,
    join(home, "AI"),
    join(home, "Documents"),
    join(home, "src"),
    "/opt",
    "/workspace",
  ];
};

/** Looks at each of the places and at the folders in it, no deeper: a home folder can be large. */
export async function findHosts(places: readonly string[] = usualPlaces()): Promise<Host[]> {
  const folders = await Promise.all([...new Set(places)].map(async (place) => [place, ...(await foldersIn(place))]));
  const hosts = await Promise.all([...new Set(folders.flat())].sort().map(hostIn));
  return hosts.filter((host) => host !== undefined);
}

async function foldersIn(place: string): Promise<string[]> {
  const entries = await readdir(place, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => (entry.isDirectory() || entry.isSymbolicLink()) && !entry.name.startsWith("."))
    .map(({ name }) => join(place, name));
}

async function hostIn(path: string): Promise<Host | undefined> {
  const found = basename(path) === "node_modules" ? undefined : await recognise(path);
  if (!found) return undefined;
  const { host, variant } = found;
  return { id: variant.id, name: variant.title, path, pictures: join(path, host.pictures) };
}
