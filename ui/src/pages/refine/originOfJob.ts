import type { Job } from "../../../../src/server/api/jobs.ts";
import { ApiError, api } from "../../api.ts";
import { type Origin, saidBy } from "./origin.ts";

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

const dataUrl = (blob: Blob) =>
  new Promise<string>((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
