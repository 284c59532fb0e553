// The picture of a run: the newest step as it comes, a chosen one, or the best beside what it began with.

import { Loader } from "@mantine/core";
import type { CSSProperties } from "react";
import type { Job } from "../../../../src/server/api/jobs.ts";
import { isAlive } from "../../components/jobsButton.tsx";
import classes from "./stage.module.css";
import { Stage } from "./stage.tsx";
import type { Chosen } from "./steps.ts";

export interface RunPictureProps {
  readonly job: Job;
  readonly live: string | undefined;
  readonly chosen: Chosen;
  /** Position in the job's steps. */
  readonly shown: number;
}

export function RunPicture({ job, live, chosen, shown }: RunPictureProps) {
  const running = isAlive(job);
  const step = job.steps[shown];
  const newest = running ? live : job.result?.picture;
  const src = (chosen === undefined ? newest : undefined) ?? step?.preview;
  if (!src || !step) return <Nothing running={running} />;
  const watching = running && chosen === undefined;
  const before = watching || shown === 0 ? undefined : (job.result?.before ?? job.steps[0]?.preview);
  return <Stage src={src} name={`Step ${step.step}`} alt={`Step ${step.step}: ${job.title}`} before={before} />;
}

const Nothing = ({ running }: { running: boolean }) => (
  <div className={`${classes.stage} ${classes.nothing}`} style={{ "--ratio": 1 } as CSSProperties}>
    {running && <Loader size="sm" aria-hidden />}
    {running ? "The first picture is being made." : "No picture was made."}
  </div>
);
