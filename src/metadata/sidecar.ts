// Files beside an image, for what must not or can not be put into it. `photo.txt` is infotext, which DiffusionToolkit, Infinite Image
// Browsing and images-browser read; `photo.avif.renoir.json` is our record, for a picture whose text nobody knows.
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { SystemError } from "../errors.ts";
import { appendScores, hasParameterLine } from "./infotext.ts";
import { formatRecord, parseRecord, type ScoreRecord } from "./record.ts";

export interface Sidecars {
  /** Infotext with parameters; a caption for training is none. */
  infotext: string | null;
  record: ScoreRecord | null;
}

const textPath = (image: string) => image.replace(/\.[^./\\]+$/, "").concat(".txt");
const recordPath = (image: string) => `${image}.renoir.json`;

/** Ours: infotext has kilobytes; what is larger is not read. */
const MAX_SIDECAR = 4 * 1024 * 1024;

export async function readSidecars(image: string): Promise<Sidecars> {
  const text = await readIfThere(textPath(image));
  const infotext = text !== null && hasParameterLine(text) ? text : null;
  return { infotext, record: parseRecord((await readIfThere(recordPath(image))) ?? undefined) };
}

/** Into the text beside the image if it is infotext, else into a new one with the image's own infotext, else into our record. */
export async function writeSidecar(image: string, infotext: string | null, record: ScoreRecord) {
  const present = await readIfThere(textPath(image));
  const text = present ?? infotext;
  if (text !== null && hasParameterLine(text)) {
    const file = textPath(image);
    return { file, carrier: "sidecar .txt", written: await writeIfNew(file, appendScores(text, record.scores)) };
  }
  const old = parseRecord((await readIfThere(recordPath(image))) ?? undefined);
  const same = old !== null && old.prompt === record.prompt && old.pixels === record.pixels;
  const scores = { ...(same ? old.scores : {}), ...record.scores };
  const file = recordPath(image);
  return {
    file,
    carrier: "sidecar .renoir.json",
    written: await writeIfNew(file, `${formatRecord({ ...record, scores })}\n`),
  };
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    const bytes = await readFile(path);
    return bytes.length > MAX_SIDECAR ? null : bytes.toString("utf8");
  } catch {
    return null; // most images have none
  }
}

async function writeIfNew(path: string, text: string): Promise<boolean> {
  if ((await readIfThere(path)) === text) return false;
  const fresh = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(fresh, text);
    await rename(fresh, path);
  } catch (cause) {
    await rm(fresh, { force: true });
    throw new SystemError(`The scores could not be written to ${path}: ${(cause as Error).message}.`, {
      hint: "Check that the folder can be written to and that the disk is not full.",
      cause,
    });
  }
  return true;
}
