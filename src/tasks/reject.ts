// Where pictures go that do not stay: another folder, the trash, or away for good. No file is ever overwritten, and a caption goes with its picture.

import { access, copyFile, link, mkdir, rm, unlink, writeFile } from "node:fs/promises";
import { dirname, join, parse } from "node:path";
import trash from "trash";

export type Rejection =
  | { readonly kind: "keep" }
  | { readonly kind: "move"; readonly folder: string }
  | { readonly kind: "trash" }
  | { readonly kind: "delete" };

/** What became of a rejected picture. */
export interface Rejected {
  readonly movedTo?: string;
  readonly trashed?: true;
  readonly deleted?: true;
}

/** The folder beside a picture that takes it when the trash can not. */
export const fallbackFolder = "rejected";

export async function reject(file: string, how: Rejection): Promise<Rejected> {
  if (how.kind === "keep") return {};
  if (how.kind === "move") return { movedTo: await moveInto(file, how.folder) };
  if (how.kind === "trash") return await toTrash(file);
  for (const one of await withCompanions(file)) await rm(one);
  return { deleted: true };
}

/** Some disks have no trash: network drives, containers. Nothing is deleted for good unless asked for. */
async function toTrash(file: string): Promise<Rejected> {
  try {
    await trash(await withCompanions(file), { glob: false });
    return { trashed: true };
  } catch {
    return { movedTo: await moveInto(file, join(dirname(file), fallbackFolder)) };
  }
}

/** Moves a picture and what goes with it under one new name; gives the picture's. */
export async function moveInto(file: string, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const { dir, name, ext } = parse(file);
  const companions = await companionsOf(file);
  for (let count = 0; ; count += 1) {
    const stem = join(folder, count === 0 ? name : `${name}-${count}`);
    // The companions' names must be free as well, or they would part from their picture.
    if (await someExist(companions.map((ending) => stem + ending))) continue;
    if (!(await moveTo(file, `${stem}${ext}`))) continue;
    for (const ending of companions) await moveTo(join(dir, name + ending), stem + ending);
    return `${stem}${ext}`;
  }
}

/** False when the name is taken. A hard link, unlike a rename, fails where something is already. */
async function moveTo(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    await unlink(from);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (code === "ENOENT") throw error;
  }
  return await copyTo(from, to); // another disk, or a file system without links
}

async function copyTo(from: string, to: string): Promise<boolean> {
  try {
    await writeFile(to, "", { flag: "wx" }); // the name is ours from here on, and so may be removed
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  try {
    await copyFile(from, to);
  } catch (error) {
    await rm(to, { force: true });
    throw error;
  }
  await unlink(from);
  return true;
}

async function withCompanions(file: string): Promise<string[]> {
  const { dir, name } = parse(file);
  return [file, ...(await companionsOf(file)).map((ending) => join(dir, name + ending))];
}

const pictureEndings = [".png", ".jpg", ".jpeg", ".webp", ".avif"];

/**
 * The endings, after the picture's bare name, of the files that go with it: its caption or infotext (cat.txt for
 * cat.png, unless another cat needs it) and the scores that could not be put into the picture (cat.png.renoir.json).
 */
export async function companionsOf(file: string): Promise<string[]> {
  const { dir, name, ext } = parse(file);
  const twins = pictureEndings
    .filter((ending) => ending !== ext.toLowerCase())
    .map((ending) => join(dir, name + ending));
  const endings = [...((await someExist(twins)) ? [] : [".txt"]), `${ext}.renoir.json`].filter(
    (ending) => ending !== ext,
  );
  const present = await Promise.all(endings.map((ending) => exists(join(dir, name + ending))));
  return endings.filter((_, index) => present[index]);
}

const someExist = async (paths: readonly string[]): Promise<boolean> =>
  (await Promise.all(paths.map(exists))).includes(true);

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
