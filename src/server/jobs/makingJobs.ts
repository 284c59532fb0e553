// Refine and generate as jobs: the engine's pieces become steps, and what is in the folder the result.

import { nextSeed } from "../../tasks/making.ts";
import type { GenerateRequest, JobStep, RefineRequest } from "../api/jobs.ts";
import type { GeneratePiece, MakingWork, RefinePiece } from "../engine/engine.ts";
import { isKept } from "../engine/jobFolder.ts";
import { pictureAddress, previewAddress } from "./addresses.ts";
import type { Kind, Running } from "./work.ts";

type Flags = MakingWork["flags"];

/** Seeds are texts in requests. */
export function flagsOf(request: Partial<GenerateRequest>): Flags {
  const { prompt, negativePrompt, guidance, seed, model, width, height } = request;
  const size = width !== undefined && height !== undefined ? { width, height } : undefined;
  const exact = seed === undefined || Number.isSafeInteger(Number(seed)) ? seed && Number(seed) : BigInt(seed);
  const flags = { prompt, negativePrompt, guidance, seed: exact === "" ? undefined : exact, model, size };
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) as Flags;
}

/** What the engine is asked for. */
export const refineWorkOf = ({ job, folder }: Pick<Running, "job" | "folder">) => {
  const request = job.request as unknown as RefineRequest;
  const { iterations, optimizer, learningRate, gradientClip, regularization, mode, patience } = request;
  return {
    image: job.picture ?? undefined,
    infotext: request.infotext,
    flags: flagsOf(request),
    folder,
    rewards: request.rewards,
    observe: request.observe,
    ...{ iterations, optimizer, learningRate, gradientClip, regularization, mode, patience },
  };
};

const opening = "Opening the model";

export const refineJob: Kind = async (running) => {
  const { job, services, signal, lastStep } = running;
  const { id, client } = job;
  const work = refineWorkOf(running);
  running.progress({ done: lastStep + 1, total: work.iterations, unit: "steps", message: opening });
  const { failure, ...result } = await services.engine.refine(
    { ...work, after: lastStep },
    {
      ...{ signal, client, onNote: running.note },
      onPiece(piece) {
        if (piece.prompt) running.title(piece.prompt);
        running.step(stepOf(piece, id), piece.preview);
        running.progress({ done: piece.step + 1, total: work.iterations, unit: "steps" });
      },
    },
  );
  const { scores, observed, best } = result;
  const pictures = { picture: pictureAddress(id, "result.png"), before: pictureAddress(id, "before.png") };
  return { result: { ...pictures, best, scores, ...(observed && { observed }) }, error: failure };
};

function stepOf({ preview: _, prompt: __, ...numbers }: RefinePiece, id: string): JobStep {
  const { rewards, observed, ...others } = numbers;
  return {
    ...others,
    rewards: { ...rewards },
    ...(observed && { observed: { ...observed } }),
    ...(isKept(numbers) && { preview: previewAddress(id, numbers.step) }),
  };
}

export const generateJob: Kind = async (running) => {
  const { job, folder, services, signal, lastStep } = running;
  const request = job.request as unknown as GenerateRequest;
  const { count, rewards } = request;
  const work = { flags: flagsOf(request), folder, count, rewards, from: lastStep + 1 };
  running.progress({ done: lastStep + 1, total: count, unit: "pictures", message: opening });
  const onPiece = ({ index, scores, preview, ms }: GeneratePiece) => {
    const shown = { step: index, ms, ...(scores && { rewards: scores }), preview: previewAddress(job.id, index) };
    running.step(shown, preview);
    running.progress({ done: index + 1, total: count, unit: "pictures" });
  };
  await services.engine.generate(work, { signal, client: job.client, onNote: running.note, onPiece });
  return { result: { pictures: running.steps().map((step) => pictureOf(step, job.id, String(request.seed))) } };
};

const pictureOf = ({ step, rewards }: JobStep, id: string, seed: string) => ({
  picture: pictureAddress(id, `${step}.png`),
  ...(rewards && { scores: rewards }),
  seed: String(nextSeed(BigInt(seed), step)),
});
