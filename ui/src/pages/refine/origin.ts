// What a refine begins with: a picture of the library, a picture that a job made, or words alone.

import type { ImageSource } from "../../../../src/server/api/common.ts";
import type { Job } from "../../../../src/server/api/jobs.ts";
import type { LibraryPicture } from "../../../../src/server/api/library.ts";
import type { InfoReply } from "../../../../src/server/api/pictures.ts";
import { ApiError, api } from "../../api.ts";

export interface Origin {
  readonly picture?: { readonly src: string; readonly name: string };
  /** What the request names or brings. */
  readonly image?: ImageSource;
  readonly prompt: string;
  readonly negativePrompt: string;
  readonly seed: string | null;
  readonly model: string | null;
  readonly width?: number;
  readonly height?: number;
  readonly host: string | null;
  readonly warnings: readonly string[];
  /** The settings of the run that this one goes on from. */
  readonly request?: Readonly<Record<string, unknown>>;
}

export function originOfPicture({ id, file, name, info, ...picture }: LibraryPicture): Origin {
  return {
    ...saidBy(info),
    picture: { src: file, name },
    image: { id },
    model: picture.model,
    width: picture.width,
    height: picture.height,
  };
}

/** A picture that stays with its job until it is kept is sent as it is: its file carries its noise. */
export async function originOfJob(job: Job, index: number): Promise<Origin> {
  const made = job.kind === "refine" ? job.result : job.result?.pictures?.[index];
  const src = made?.picture;
  if (!src) throw new ApiError(nothingMade, 404);
  const blob = await fetch(src).then((response) => response.blob());
  const info = await api.infoOfFile(blob);
  const request = job.kind === "refine" ? { request: job.request } : {};
  return { ...saidBy(info), ...request, picture: { src, name: job.title }, image: await dataUrl(blob) };
}

const nothingMade = {
  code: "not-found",
  message: "That run has no such picture.",
  hint: "It may still be running, or its pictures were discarded.",
};

export const originOfPrompt = (prompt: string): Origin => ({
  prompt,
  negativePrompt: "",
  seed: null,
  model: null,
  host: null,
  warnings: [],
});

const saidBy = (info: InfoReply) => ({
  prompt: info.prompt ?? "",
  negativePrompt: info.negativePrompt ?? "",
  seed: info.seed,
  model: info.settings.Model ?? null,
  host: info.host,
  warnings: info.warnings,
  ...(info.width && info.height && { width: info.width, height: info.height }),
});

const dataUrl = (blob: Blob) =>
  new Promise<string>((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
