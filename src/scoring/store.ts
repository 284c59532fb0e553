// The registry of models on disk: a name for each checkpoint, and where it lies. It survives the process; what is in memory is registry.ts's.

import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import envPaths from "env-paths";
import { z } from "zod";
import { withLock } from "../../bin/lock.mjs";
import { RenoirError, RequestError, SystemError } from "../errors.ts";

/** Where Renoir keeps its settings and models: RENOIR_HOME, or the platform's own place for such data. */
export function renoirHome(): string {
  const given = process.env.RENOIR_HOME;
  return given ? resolve(given) : envPaths("renoir", { suffix: "" }).data;
}

/** Letters that are safe in file names and on command lines everywhere; they are also those of reward names. */
const modelName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/);

const storedModel = z.object({
  name: modelName,
  /** The real path of a checkpoint, or of a pipeline's folder. */
  path: z.string().min(1),
  /** Whether the file was downloaded into Renoir's own folder, and goes with its entry. */
  pulled: z.boolean().default(false),
  license: z.string().optional(),
  /** Who published it, as in "zai-org/ImageReward". */
  source: z.string().optional(),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  added: z.iso.datetime(),
});

/** `version` lets a later Renoir recognise, and refuse or carry over, what an earlier one wrote. */
const storeFile = z.object({ version: z.literal(1), models: z.array(storedModel) });

export type StoredModel = z.infer<typeof storedModel>;
export type NewModel = Omit<z.input<typeof storedModel>, "added">;

export const storePath = (home = renoirHome()): string => join(home, "settings", "models.json");

/** Where `pull` puts a model's files. */
export const modelFolder = (name: string, home = renoirHome()): string => join(home, "models", name);

/** All models that were added, sorted by name; none where nothing was ever written. */
export async function listStored(home = renoirHome()): Promise<StoredModel[]> {
  const file = storePath(home);
  const text = await readFile(file, "utf8").catch((error) => {
    if (error.code === "ENOENT") return undefined;
    throw new SystemError(`${file} can not be read: ${error.message}.`, { cause: error });
  });
  return text === undefined ? [] : parseStore(text, file).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The model of that name, however it is capitalised; undefined where none was added. */
export async function findStored(name: string, home = renoirHome()): Promise<StoredModel | undefined> {
  return (await listStored(home)).find((model) => model.name === name.toLowerCase());
}

/** Adds a model, or gives a known name its new place. The path must exist; its links are resolved. */
export async function addStored(model: NewModel, home = renoirHome()): Promise<StoredModel> {
  const entry = storedModel.parse({
    ...model,
    name: parseModelName(model.name),
    path: await existingPath(resolvePath(model.path)),
    added: new Date().toISOString(),
  });
  await change(home, (models) => [...models.filter(({ name }) => name !== entry.name), entry]);
  return entry;
}

/** Takes a model out of the registry. A file that `pull` put into Renoir's folder goes as well; anyone else's file is left alone. */
export async function removeStored(name: string, home = renoirHome()): Promise<StoredModel & { deleted: boolean }> {
  const wanted = parseModelName(name);
  let removed: StoredModel | undefined;
  await change(home, (models) => {
    removed = models.find((model) => model.name === wanted);
    if (!removed) throw unknownModel(name, models);
    return models.filter((model) => model.name !== wanted);
  });
  const { pulled } = removed!;
  if (pulled) await rm(modelFolder(wanted, home), { recursive: true, force: true });
  return { ...removed!, deleted: pulled };
}

export function parseModelName(name: string): string {
  const parsed = modelName.safeParse(name.toLowerCase());
  if (parsed.success) return parsed.data;
  throw new RequestError(
    `"${name}" is no name for a model; wanted are up to 64 letters, digits, ".", "_" or "-", the first a letter or digit.`,
    { hint: 'Choose a name such as "imagereward" or "my-reward".' },
  );
}

function unknownModel(name: string, models: readonly StoredModel[]): RequestError {
  const known =
    models.length === 0 ? "none was added yet" : `the ones added are ${models.map((m) => m.name).join(", ")}`;
  return new RequestError(`There is no model "${name}" in the registry: ${known}.`, {
    hint: "See `renoir models list`.",
  });
}

/** Reads, changes and writes under a lock, so that two processes never lose each other's entries. */
async function change(home: string, edit: (models: StoredModel[]) => StoredModel[]): Promise<void> {
  const file = storePath(home);
  try {
    await withLock(`${file}.lock`, async () => {
      const models = edit(await listStored(home));
      await writeAtomically(file, `${JSON.stringify({ version: 1, models }, null, 2)}\n`);
    });
  } catch (error) {
    if (error instanceof RenoirError) throw error;
    throw new SystemError(`${file} can not be written: ${(error as Error).message}.`, {
      hint: "Make its folder writable, or set RENOIR_HOME to one that is.",
      cause: error,
    });
  }
}

function parseStore(text: string, file: string): StoredModel[] {
  const parsed = storeFile.safeParse(parseJson(text, file));
  if (parsed.success) return parsed.data.models;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "the file"}: ${message}`);
  throw damaged(file, problems.join("; "));
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw damaged(file, (error as Error).message);
  }
}

const damaged = (file: string, why: string) =>
  new SystemError(`${file} is not a registry of models that this version of Renoir can read. ${why}.`, {
    hint: "Mend the file, or move it away and add your models again.",
  });

/** A temporary file in the same folder, flushed, then renamed: a reader sees the old file or the new one, nothing between. */
async function writeAtomically(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const fresh = `${file}.${randomUUID()}.tmp`;
  try {
    const handle = await open(fresh, "w");
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(fresh, file);
  } finally {
    await rm(fresh, { force: true });
  }
}

/** A leading "~" is the home folder: a shell leaves it alone inside quotes. */
const resolvePath = (path: string) => resolve(path.replace(/^~(?=$|[/\\])/, homedir()));

async function existingPath(path: string): Promise<string> {
  const real = await realpath(path).catch((error) => {
    throw new RequestError(`${path} can not be added: there is no such file.`, {
      hint: "Give the path of a .safetensors, .pt, .bin or .ckpt file, or of a diffusers folder.",
      cause: error,
    });
  });
  const found = await stat(real);
  if (found.isFile() || (found.isDirectory() && existsSync(join(real, "model_index.json")))) return real;
  throw new RequestError(`${real} can not be added: it is no file, and no folder with a model_index.json.`, {
    hint: "Give the path of the checkpoint in it.",
  });
}
