// A copy of the plugin in a host: complete or not there at all, with a list of what is Renoir's own in it.

import { randomUUID } from "node:crypto";
import { copyFile, lstat, mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { type HostEntry, manifest, root } from "./manifest.ts";

const markerName = ".renoir-installed";

const markerSchema = z.object({
  id: z.literal("renoir"),
  version: z.string(),
  /** Within the folder, with slashes; the marker itself is not among them. */
  files: z.array(z.string()),
});

export type Marker = z.infer<typeof markerSchema>;

/** undefined for a folder that is not Renoir's. */
export async function readMarker(folder: string): Promise<Marker | undefined> {
  try {
    return markerSchema.parse(JSON.parse(await readFile(join(folder, markerName), "utf8")));
  } catch {
    return undefined;
  }
}

/** In place of an earlier copy, or of a link; what others have put into that copy is moved along. Gives those files. */
export async function copyPlugin(host: HostEntry, target: string, before: Marker | undefined): Promise<string[]> {
  const [fresh, old] = [beside(target), beside(target)];
  try {
    await fill(host, fresh);
    const isThere = await exists(target);
    if (isThere) await rename(target, old);
    await rename(fresh, target).catch(async (error) => {
      if (isThere) await rename(old, target);
      throw error;
    });
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    throw error;
  }
  const others = before ? await moveOthers(old, target, before.files) : [];
  await rm(old, { recursive: true, force: true }); // of a link, the link alone
  return others;
}

/** On the same disk, so that renaming is all it takes; ComfyUI skips folders of this name. */
const beside = (target: string) => join(dirname(target), `.renoir-${randomUUID()}.disabled`);

const exists = (path: string) =>
  lstat(path).then(
    () => true,
    () => false,
  );

/** The plugin, and what it can not find from there: the manifest, and how its server is started. */
async function fill({ source, shared }: HostEntry, folder: string): Promise<void> {
  const own = (await filesIn(inRoot(source))).filter((file) => !isCache(file));
  const others = (shared?.files ?? []).map((file) => [`shared/${file}`, inRoot(shared!.source, file)] as const);
  const sources = new Map([...own.map((file) => [file, inRoot(source, file)] as const), ...others]);
  for (const [file, from] of sources) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await copyFile(from, join(folder, file));
  }
  await copyFile(join(root, "manifest.json"), join(folder, "manifest.json"));
  const { version, server, entry } = manifest;
  const command = [process.execPath, join(root, ...entry.split("/"))];
  await writeJson(join(folder, "renoir.json"), { command, version, address: server.address });
  const marker: Marker = { id: "renoir", version, files: [...sources.keys(), "manifest.json", "renoir.json"] };
  await writeJson(join(folder, markerName), marker);
}

const inRoot = (...path: string[]) => join(root, ...path.flatMap((part) => part.split("/")));

const writeJson = (file: string, value: object) => writeFile(file, `${JSON.stringify(value, null, 2)}\n`);

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) =>
      join(parentPath, name)
        .slice(folder.length + 1)
        .replaceAll("\\", "/"),
    )
    .sort();
}

/** What Python makes of its sources. */
const isCache = (file: string) => /(^|\/)__pycache__\//.test(file);

/** Files that were not copied there, by their names in the folder. */
async function othersIn(folder: string, own: readonly string[]): Promise<string[]> {
  const known = new Set([...own, markerName]);
  return (await filesIn(folder)).filter((file) => !known.has(file) && !isCache(file));
}

async function moveOthers(from: string, to: string, own: readonly string[]): Promise<string[]> {
  const others = await othersIn(from, own);
  for (const file of others) {
    if (await exists(join(to, file))) continue; // the plugin has a file of that name now
    await mkdir(dirname(join(to, file)), { recursive: true });
    await rename(join(from, file), join(to, file));
  }
  return others.map((file) => join(to, file));
}

/** All that is Renoir's, caches included; gives what stays. */
export async function removeOwn(folder: string, own: readonly string[]): Promise<string[]> {
  const others = await othersIn(folder, own);
  if (others.length === 0) {
    const old = beside(folder);
    await rename(folder, old); // gone at once for the host, whatever becomes of the rest
    await rm(old, { recursive: true, force: true });
    return [];
  }
  const caches = (await filesIn(folder)).filter(isCache);
  for (const file of [...own, ...caches, markerName]) await rm(join(folder, file), { force: true });
  await removeEmpty(folder);
  return others.map((file) => join(folder, file));
}

async function removeEmpty(folder: string): Promise<void> {
  const folders = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  for (const { name } of folders) await removeEmpty(join(folder, name));
  if ((await readdir(folder)).length === 0) await rmdir(folder);
}
