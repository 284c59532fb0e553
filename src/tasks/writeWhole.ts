// Files that a command makes: whole or not at all, and never over one that is there unless its user named it.

import { randomUUID } from "node:crypto";
import { access, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { SystemError } from "../errors.ts";

/** A full disk or a second Ctrl-C leaves an earlier file as it was. */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const folder = dirname(resolve(path));
  const fresh = join(folder, `.renoir-${randomUUID()}.tmp`);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(fresh, content, { flag: "wx" });
    await rename(fresh, path);
  } catch (cause) {
    await rm(fresh, { force: true }).catch(() => {});
    throw new SystemError(`${path} can not be written: ${(cause as Error).message}.`, {
      hint: "Check that its folder may be written to and has room, or name another place with --out.",
      cause,
    });
  }
}

/** "fox.png", or where that is taken "fox-2.png", "fox-3.png" ... */
export async function freeName(folder: string, stem: string, ending: string): Promise<string> {
  for (let number = 1; ; number++) {
    const path = join(folder, `${stem}${number > 1 ? `-${number}` : ""}${ending}`);
    const isTaken = await access(path).then(
      () => true,
      () => false,
    );
    if (!isTaken) return path;
  }
}

/** "a red fox, in the snow" as a part of a file's name. */
export const slug = (prompt: string): string =>
  prompt
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .slice(0, 40)
    .replace(/^-+|-+$/g, "") || "picture";
