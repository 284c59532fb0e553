// Which host a folder is, by the files that only it has.

import { access } from "node:fs/promises";
import { join } from "node:path";
import { type HostEntry, manifest, type Variant } from "./manifest.ts";

export interface Recognised {
  readonly host: HostEntry;
  readonly variant: Variant;
}

/** In the manifest's order: forks come before what they grew out of. */
export const variants: readonly Recognised[] = manifest.hosts.flatMap((host) =>
  host.variants.map((variant) => ({ host, variant })),
);

export async function recognise(folder: string): Promise<Recognised | undefined> {
  for (const known of variants) {
    const found = await Promise.all(known.variant.signature.map((file) => exists(join(folder, file))));
    if (found.every(Boolean)) return known;
  }
  return undefined;
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );
