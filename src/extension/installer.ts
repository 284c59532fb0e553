// The plugin's folder in a host: put there as a link or a copy, looked at, taken away. What is not Renoir's own is never touched.

import { lstat, readdir, readFile, readlink, realpath, rename, rm, symlink, unlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { RequestError, SystemError } from "../errors.ts";
import { copyPlugin, type Marker, readMarker, removeOwn } from "./copy.ts";
import { type HostEntry, manifest, root } from "./manifest.ts";
import { type Recognised, recognise, variants } from "./recognise.ts";

/** Where in which host the plugin goes. */
export interface Place {
  readonly host: HostEntry;
  /** As people call it: Forge, A1111. */
  readonly title: string;
  /** The plugin's folder, which may not be there yet. */
  readonly target: string;
}

export type Presence =
  | { readonly state: "absent" }
  | { readonly state: "linked"; readonly version: string; readonly to: string; readonly current: boolean }
  | { readonly state: "copied"; readonly version: string; readonly marker: Marker; readonly current: boolean }
  /** A link of Renoir's whose end has gone. */
  | { readonly state: "broken"; readonly to: string }
  | { readonly state: "foreign"; readonly what: string };

export interface Done {
  readonly host: string;
  readonly target: string;
  readonly did: "installed" | "updated" | "unchanged" | "removed" | "absent";
  readonly how?: "linked" | "copied";
  readonly version?: string;
  /** What a person does or should know then, in whole sentences. */
  readonly notes: readonly string[];
}

export const hostIds: readonly string[] = variants.map(({ variant }) => variant.id);

// ---- where

/** By the host's own folder, or the folder of its plugins: that may lie apart from the host. */
export async function findPlace(id: string, path: string): Promise<Place> {
  const wanted = variants.find(({ variant }) => variant.id === id);
  if (!wanted) throw new RequestError(`There is no host "${id}"; there are ${hostIds.join(", ")}.`);
  const folder = await folderOf(path);
  const pluginsName = dirname(wanted.host.target);
  const isPlugins = basename(folder) === pluginsName;
  const found = await recognise(isPlugins ? dirname(folder) : folder);
  if (found && found.host !== wanted.host) throw otherHost(folder, found, wanted);
  if (!found && !isPlugins) throw await notRecognised(folder, wanted);
  const plugins = isPlugins ? folder : join(folder, pluginsName);
  await folderOf(plugins, `Start ${wanted.variant.title} once, which makes it, or name the folder that it uses.`);
  const { title } = (found ?? wanted).variant;
  return { host: wanted.host, title, target: join(plugins, basename(wanted.host.target)) };
}

async function folderOf(path: string, hint = "Name the folder in which the host lies."): Promise<string> {
  const whole = resolve(path);
  const entry = await lstat(await realpath(whole).catch(() => whole)).catch(() => undefined);
  if (entry?.isDirectory()) return whole;
  throw new RequestError(`${whole} is ${entry ? "no folder" : "not there"}.`, { hint });
}

const otherHost = (folder: string, found: Recognised, wanted: Recognised) =>
  new RequestError(`${folder} is ${found.variant.title}, not ${wanted.variant.title}.`, {
    hint: `Say renoir install ${found.variant.id} and this folder.`,
  });

/** Archives of hosts often have the host in a folder within theirs. */
async function notRecognised(folder: string, { host, variant }: Recognised): Promise<RequestError> {
  const looked = host.variants.map(({ signature }) => signature.join(" and ")).join(", or ");
  const inner = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  for (const { name } of inner) {
    const found = await recognise(join(folder, name));
    if (found?.host !== host) continue;
    return new RequestError(`${folder} is not ${variant.title} itself, but the folder ${name} in it is.`, {
      hint: `Name that one: ${join(folder, name)}`,
    });
  }
  return new RequestError(`${folder} is not the folder of ${variant.title}: looked for ${looked} in it.`, {
    hint: `Name the folder in which the host lies, or its folder "${dirname(host.target)}" where that lies elsewhere.`,
  });
}

// ---- what is there

export async function lookAt({ host, target }: Place): Promise<Presence> {
  const entry = await lstat(target).catch(() => undefined);
  if (!entry) return { state: "absent" };
  if (entry.isSymbolicLink()) return lookAtLink(host, target);
  if (!entry.isDirectory()) return { state: "foreign", what: "a file" };
  const marker = await readMarker(target);
  if (!marker) return { state: "foreign", what: "a folder that Renoir did not make" };
  return { state: "copied", version: marker.version, marker, current: marker.version === manifest.version };
}

/** Another checkout's link is Renoir's too; and one whose end has gone, if it led where only a checkout has a folder. */
async function lookAtLink(host: HostEntry, target: string): Promise<Presence> {
  const to = resolve(dirname(target), await readlink(target));
  const isPlugin = to.replaceAll("\\", "/").replace(/\/$/, "").endsWith(`/${host.source}`);
  if (!isPlugin) return { state: "foreign", what: `a link to ${to}` };
  const checkout = resolve(to, ...host.source.split("/").map(() => ".."));
  const real = await realpath(to).catch(() => undefined);
  if (real === undefined) return { state: "broken", to };
  const version = await versionOf(checkout);
  if (version === undefined) return { state: "foreign", what: `a link to ${to}` };
  return { state: "linked", version, to, current: real === (await realpath(sourceOf(host)).catch(() => undefined)) };
}

async function versionOf(checkout: string): Promise<string | undefined> {
  try {
    const { id, version } = JSON.parse(await readFile(join(checkout, "manifest.json"), "utf8"));
    return id === manifest.id ? String(version) : undefined;
  } catch {
    return undefined;
  }
}

export const sourceOf = ({ source }: Pick<HostEntry, "source">): string => join(root, ...source.split("/"));

// ---- put there

export interface InstallOptions {
  /** A copy even where a link would do: for a host that sees no other folders, as in a container. */
  readonly copy?: boolean | undefined;
}

export async function install(id: string, path: string, { copy = false }: InstallOptions = {}): Promise<Done> {
  const place = await findPlace(id, path);
  const { host, target } = place;
  await checkSource(host);
  const before = await lookAt(place);
  if (before.state === "foreign") throw inTheWay(target, before.what);
  const known = { host: place.title, target, version: manifest.version, notes: [host.restart] };
  if (before.state === "linked" && before.current && !copy)
    return { ...known, did: "unchanged", how: "linked", notes: [] };
  const did = before.state === "absent" ? "installed" : "updated";
  return await explained(target, async () => {
    if (!copy && (await linked(host, target, before))) return { ...known, did, how: "linked" };
    const kept = await copyPlugin(host, target, before.state === "copied" ? before.marker : undefined);
    return { ...known, did, how: "copied", notes: [...kept.map(keptNote), ...known.notes] };
  });
}

async function checkSource(host: HostEntry): Promise<void> {
  const files = await readdir(sourceOf(host)).catch(() => []);
  if (files.length > 0) return;
  throw new SystemError(`Renoir's plugin for ${host.title} is not in ${sourceOf(host)}.`, {
    hint: "This copy of Renoir is incomplete: install it again.",
  });
}

const inTheWay = (target: string, what: string) =>
  new RequestError(`${target} is there already, and it is not Renoir's: ${what}.`, {
    hint: "Move it away first if you do not need it; Renoir leaves it as it is.",
  });

/** A link to the plugin here, in place of an older link; false where links can not be made. A copy stays a copy. */
async function linked(host: HostEntry, target: string, before: Presence): Promise<boolean> {
  if (before.state === "copied") return false;
  const fresh = join(dirname(target), `.renoir-${process.pid}.disabled`);
  try {
    await symlink(sourceOf(host), fresh, "junction"); // of Windows: it needs no rights; elsewhere a symbolic link
  } catch (error) {
    if (refusals.has((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw error;
  }
  try {
    if (before.state !== "absent" && process.platform === "win32") await unlink(target); // rename does not replace a junction
    await rename(fresh, target);
  } catch (error) {
    await unlink(fresh).catch(() => {});
    throw error;
  }
  return true;
}

/** As file systems without links say it. A folder that may not be written says EACCES or EROFS, and to a copy too. */
const refusals = new Set(["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EINVAL"]);

// ---- taken away

/** The link, or the files that were put there and what Python has made of them; nothing else. */
export async function uninstall(id: string, path: string): Promise<Done> {
  const place = await findPlace(id, path);
  const { target, title } = place;
  const found = await lookAt(place);
  if (found.state === "foreign") throw inTheWay(target, found.what);
  if (found.state === "absent") return { host: title, target, did: "absent", notes: [] };
  return await explained(target, async () => {
    const kept = found.state === "copied" ? await removeOwn(target, found.marker.files) : await removeLink(place);
    const notes = [...kept.map(keptNote), "Restart the host: it knows the plugin until then."];
    return { host: title, target, did: "removed", notes };
  });
}

async function removeLink({ host, target }: Place): Promise<string[]> {
  await unlink(target);
  // Python has put these beside the plugin here, by way of the link.
  const sources = [sourceOf(host), ...(host.shared ? [sourceOf(host.shared)] : [])];
  const inside = await Promise.all(
    sources.map((source) => readdir(source, { withFileTypes: true, recursive: true }).catch(() => [])),
  );
  const caches = inside.flat().filter((entry) => entry.isDirectory() && entry.name === "__pycache__");
  for (const { parentPath, name } of caches) await rm(join(parentPath, name), { recursive: true, force: true });
  return [];
}

const keptNote = (file: string) => `${file} is not Renoir's and stays.`;

// ---- failures

/** A folder that may not be written, a full disk: said as what to do. */
async function explained<T>(target: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause as NodeJS.ErrnoException).code?.startsWith("E")) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    const hint =
      reasons[code!] ?? "Stop the host if it runs, see that its folder may be written and has room, and try again.";
    throw new SystemError(`${target} can not be changed: ${message}.`, { hint, cause });
  }
}

const mayNotWrite = "Run the command as the user whose host it is, or make that folder writable.";
const reasons: Readonly<Record<string, string>> = {
  EACCES: mayNotWrite,
  EPERM: mayNotWrite,
  EROFS: "That disk can only be read: install where the host's plugins can be written.",
  ENOSPC: "The disk is full: free some space and try again.",
  EBUSY: "Stop the host first: it holds the plugin's files.",
};
