// Folders that look as hosts do, and what lies in a folder.

import { mkdir, readdir, readlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { variants } from "../../src/extension/recognise.ts";

/** With the folder of its plugins, as a started host has. */
export async function makeHost(id: string, folder: string): Promise<string> {
  const { host, variant } = variants.find(({ variant }) => variant.id === id)!;
  for (const file of variant.signature) await make(join(folder, file));
  await mkdir(join(folder, dirname(host.target)), { recursive: true });
  return folder;
}

export async function make(file: string, text = ""): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}

/** Every entry below a folder; of links where they lead. */
export async function listing(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const lines = entries.map(async (entry) => {
    const path = join(entry.parentPath, entry.name);
    const kind = entry.isSymbolicLink() ? `-> ${await readlink(path)}` : entry.isDirectory() ? "folder" : "file";
    return `${path.slice(folder.length + 1).replaceAll("\\", "/")} ${kind}`;
  });
  return (await Promise.all(lines)).sort();
}
