// The image-generation UIs that lie near: in the folder where the command runs, beside it, in the home folder, and at the roots people use.

import { access, readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";

export interface Host {
  readonly name: string;
  readonly path: string;
  /** Where it saves its pictures. */
  readonly pictures: string;
}

/** What only that host's folder has; Forge and SD.Next grew out of A1111 and keep its files, so they come first. */
const signatures: { name: string; files: string[]; pictures: string }[] = [
  { name: "Forge", files: ["modules_forge/initialization.py", "webui.py"], pictures: "outputs" },
  { name: "SD.Next", files: ["installer.py", "webui.py"], pictures: "outputs" },
  { name: "A1111", files: ["modules/processing.py", "webui.py"], pictures: "outputs" },
  { name: "ComfyUI", files: ["comfy", "nodes.py", "main.py"], pictures: "output" },
];

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
  const hosts = await Promise.all([...new Set(folders.flat())].sort().map(recognise));
  return hosts.filter((host) => host !== undefined);
}

async function foldersIn(place: string): Promise<string[]> {
  const entries = await readdir(place, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => (entry.isDirectory() || entry.isSymbolicLink()) && !entry.name.startsWith("."))
    .map(({ name }) => join(place, name));
}

async function recognise(path: string): Promise<Host | undefined> {
  if (basename(path) === "node_modules") return undefined;
  for (const { name, files, pictures } of signatures) {
    const found = await Promise.all(files.map((file) => exists(join(path, file))));
    if (found.every(Boolean)) return { name, path, pictures: join(path, pictures) };
  }
  return undefined;
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );
