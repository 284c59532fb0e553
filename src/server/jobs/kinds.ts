// The kinds of jobs, and what each is called for people.

import { basename } from "node:path";
import type { JobKind } from "../api/jobs.ts";
import { type ScoreJobWork, scanJob, scoreJob } from "./libraryJobs.ts";
import { generateJob, refineJob } from "./makingJobs.ts";
import { pullJob } from "./pullJob.ts";
import type { Kind } from "./work.ts";

export const kinds: Readonly<Record<JobKind, Kind>> = {
  refine: refineJob,
  generate: generateJob,
  score: scoreJob,
  scan: scanJob,
  pull: pullJob,
};

/** What the engine does not do for them goes on where it was, and ends quickly when it is told to. */
export const endsWhenTold: ReadonlySet<JobKind> = new Set(["score", "scan", "pull"]);

type Request = Readonly<Record<string, unknown>>;

const titles: Readonly<Record<JobKind, (request: Request, picture: string | null) => string>> = {
  refine: ({ prompt }, picture) => (prompt as string) ?? (picture === null ? "From infotext" : basename(picture)),
  generate: ({ prompt }) => prompt as string,
  score: ({ pictures, again, unasked }: ScoreJobWork) =>
    pictures !== undefined
      ? countOf(pictures)
      : unasked
        ? "New pictures"
        : again
          ? "All pictures"
          : "Pictures without scores",
  scan: ({ folders }) => (folders as string[] | undefined)?.join(", ") ?? "All folders",
  pull: ({ name }) => name as string,
};

const countOf = (count: number) => (count === 1 ? "1 picture" : `${count} pictures`);

export const titleOf = (kind: JobKind, request: Request, picture: string | null): string =>
  titles[kind](request, picture);
