// Where pictures go that do not stay: another folder, the trash, or away for good. No file is ever overwritten, and a caption goes with its picture.

import { constants } from "node:fs";
import { access, copyFile, link, mkdir, rm, unlink } from "node:fs/promises";
import { dirname, extname, join, parse } from "node:path";
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
  for (const one of await withSidecar(file)) await rm(one);
  return { deleted: true };
}

/** Some disks have no trash: network drives, containers. Nothing is deleted for good unless asked for. */
async function toTrash(file: string): Promise<Rejected> {
  try {
    await trash(await withSidecar(file), { glob: false });
    return { trashed: true };
  } catch {
    return { movedTo: await moveInto(file, join(dirname(file), fallbackFolder)) };
  }
}

/** Moves a picture and its caption under one new name; gives the picture's. */
export async function moveInto(file: string, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const sidecar = await sidecarOf(file);
  const { name, ext } = parse(file);
  for (let count = 0; ; count += 1) {
    const stem = join(folder, count === 0 ? name : `${name}-${count}`);
    // The caption's name must be free as well, or it would part from its picture.
    if (sidecar && (await exists(`${stem}${extname(sidecar)}`))) continue;
    if (!(await moveTo(file, `${stem}${ext}`))) continue;
    if (sidecar) await moveTo(sidecar, `${stem}${extname(sidecar)}`);
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
    await copyFile(from, to, constants.COPYFILE_EXCL);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    await rm(to, { force: true }); // ours, half written: a name that was taken came out above
    throw error;
  }
  await unlink(from);
  return true;
}

const withSidecar = async (file: string): Promise<string[]> => {
  const sidecar = await sidecarOf(file);
  return sidecar ? [file, sidecar] : [file];
};

/** The caption beside a picture: cat.txt for cat.png, unless another picture of that name needs it. */
async function sidecarOf(file: string): Promise<string | undefined> {
  const { dir, name, ext } = parse(file);
  const sidecar = join(dir, `${name}.txt`);
  if (ext.toLowerCase() === ".txt" || !(await exists(sidecar))) return undefined;
  const twins = [".png", ".jpg", ".jpeg", ".webp", ".avif"].filter((other) => other !== ext.toLowerCase());
  for (const twin of twins) if (await exists(join(dir, `${name}${twin}`))) return undefined;
  return sidecar;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
