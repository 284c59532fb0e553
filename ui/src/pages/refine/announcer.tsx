// What a run does, for those who hear it: not every step, or nothing else could be heard.

import { VisuallyHidden } from "@mantine/core";
import { useThrottledValue } from "@mantine/hooks";
import type { Job, JobState } from "../../../../src/server/api/jobs.ts";
import { bestOf, scoresText } from "./steps.ts";

const everyMs = 4000;

const ends: Readonly<Record<JobState, string>> = {
  queued: "Waiting for its turn.",
  running: "The models are being loaded.",
  done: "The refine is done.",
  failed: "The refine failed.",
  cancelled: "The refine was stopped.",
};

export function Announcer({ job }: { job: Job }) {
  const running = job.state === "running" && job.steps.length > 0;
  const progress = useThrottledValue(running ? sayProgress(job) : "", everyMs);
  return <VisuallyHidden role="status">{running ? progress : sayEnd(job)}</VisuallyHidden>;
}

function sayProgress({ steps, progress, request }: Job): string {
  const newest = steps.at(-1)!;
  const total = progress?.total ?? request.iterations;
  const said = `Step ${newest.step}${total ? ` of ${total}` : ""}, ${scoresText(newest.rewards)}`;
  return newest.best ? `${said}, best so far` : said;
}

function sayEnd({ state, steps }: Job): string {
  const best = steps[bestOf(steps) ?? -1];
  return best && state !== "queued"
    ? `${ends[state]} The best is step ${best.step}, ${scoresText(best.rewards)}.`
    : ends[state];
}
