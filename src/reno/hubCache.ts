// The Hugging Face hub's cache, where other programs have put models already: models--org--name/snapshots/<commit>/.
// After huggingface_hub's "Understand caching": refs/main holds the commit that was fetched last.

import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where the cache lies, by the variables that huggingface_hub reads and in its order. */
export function hubCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const home = env.HF_HOME ?? join(env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "huggingface");
  return env.HF_HUB_CACHE ?? env.HUGGINGFACE_HUB_CACHE ?? join(home, "hub");
}

/** The folder of a model "org/name", or of the only one called "name"; undefined where the cache has none. */
export async function findInHubCache(name: string, cache = hubCacheFolder()): Promise<string | undefined> {
  if (!/^[\w.-]+(\/[\w.-]+)?$/.test(name)) return undefined;
  const wanted = name.toLowerCase().replace("/", "--");
  const folders = (await readdir(cache).catch(() => [])).filter((folder) => folder.startsWith("models--"));
  const matches = folders.filter((folder) => {
    const known = folder.slice("models--".length).toLowerCase();
    return known === wanted || (!name.includes("/") && known.split("--").slice(1).join("--") === wanted);
  });
  return matches.length === 1 ? snapshotOf(join(cache, matches[0]!)) : undefined;
}

/** The snapshot that refs/main names; without one, the newest. */
export async function snapshotOf(folder: string): Promise<string | undefined> {
  const snapshots = join(folder, "snapshots");
  const named = (await readFile(join(folder, "refs", "main"), "utf8").catch(() => "")).trim();
  if (/^[\w.-]+$/.test(named) && existsSync(join(snapshots, named))) return join(snapshots, named);
  const dated = await Promise.all(
    (await readdir(snapshots).catch(() => [])).map(async (name) => {
      const path = join(snapshots, name);
      return { path, time: (await stat(path)).mtimeMs };
    }),
  );
  return dated.sort((a, b) => b.time - a.time)[0]?.path;
}
