// A job's picture, kept: beside the picture that it was made from, or where such pictures go.

import { constants } from "node:fs";
import { copyFile, mkdir } from "node:fs/promises";
import { dirname, join, parse, resolve } from "node:path";
import { freeName, slug } from "../../tasks/writeWhole.ts";
import type { GenerateRequest, RefineRequest } from "../api/jobs.ts";
import { pictureFile, resultFile } from "../engine/jobFolder.ts";
import { ConflictError, NotFoundError } from "../errors.ts";
import { refineWorkOf } from "./makingJobs.ts";
import type { StoredJob } from "./table.ts";
import type { JobServices } from "./work.ts";

export interface Which {
  readonly index?: number | undefined;
  readonly step?: number | undefined;
}

/** What of a job it is, as the job remembers it. */
export function nameOf({ kind, id, result }: StoredJob, { index = 0, step }: Which): string {
  if (kind !== "refine" && kind !== "generate") throw new ConflictError(`The job ${id} makes no pictures.`);
  if (!result) throw new ConflictError(`The job ${id} has no result yet.`, { hint: "Wait for its end, or cancel it." });
  if (kind === "generate") return `picture ${index}`;
  return step === undefined || step === result.best ? "result" : `step ${step}`;
}

/** The kept file. */
export async function keepPicture(
  job: StoredJob,
  which: Which,
  folder: string,
  services: JobServices,
): Promise<string> {
  const from = await fileOf(job, which, folder, services);
  const { into, stem } = placeOf(job, which, folder, services);
  await mkdir(into, { recursive: true });
  for (;;) {
    const path = await freeName(into, stem, ".png");
    try {
      await copyFile(from, path, constants.COPYFILE_EXCL);
      return path;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") throw new NotFoundError(`The job ${job.id} has no such picture.`, { cause: error });
      if (code !== "EEXIST") throw error; // else somebody took the name meanwhile
    }
  }
}

/** Its id in the library, which the output folder joins with the first picture that is kept in it. */
export async function takeIn(path: string, { library, settings }: JobServices): Promise<string> {
  try {
    return await library.addFile(path);
  } catch (error) {
    if (dirname(path) !== resolve(settings.get().outputFolder)) throw error;
    await library.addFolder(dirname(path));
    return await library.addFile(path);
  }
}

async function fileOf(job: StoredJob, which: Which, folder: string, { engine }: JobServices): Promise<string> {
  if (job.kind === "generate") return pictureFile(folder, which.index ?? 0);
  const { step } = which;
  if (step === undefined || step === job.result!.best) return resultFile(folder);
  const out = join(folder, `step-${step}.png`);
  await engine.redraw({ ...refineWorkOf({ job, folder }), step, out }, { client: job.client });
  return out;
}

/** As the command line names its results. */
function placeOf(
  { kind, picture, request }: StoredJob,
  { index = 0 }: Which,
  folder: string,
  { settings }: JobServices,
) {
  const { outputFolder } = settings.get();
  if (kind === "generate") {
    const { seed, prompt } = request as unknown as GenerateRequest;
    return { into: outputFolder, stem: `${BigInt(seed!) + BigInt(index)}-${slug(prompt)}` };
  }
  if (picture !== null && !picture.startsWith(folder)) {
    const { name } = parse(picture);
    return { into: dirname(picture), stem: `${name.replace(/-refined(-\d+)?$/, "")}-refined` };
  }
  const { seed, prompt } = request as unknown as RefineRequest;
  return { into: outputFolder, stem: `${seed ?? slug(prompt ?? "picture")}-refined` };
}
