// The picture of a run: the newest step as it comes, a chosen one, or the best beside what it began with.

import { Center, Loader, Text } from "@mantine/core";
import type { Job } from "../../../../src/server/api/jobs.ts";
import { isAlive } from "../../components/jobsButton.tsx";
import { PictureFrame } from "../../components/pictureFrame.tsx";
import { BeforeAfter } from "./beforeAfter.tsx";
import type { Chosen } from "./refineRun.tsx";
import classes from "./runPicture.module.css";

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
  const before = job.result?.before ?? job.steps[0]?.preview;
  const after = chosen === undefined ? ((running ? live : job.result?.picture) ?? step?.preview) : step?.preview;
  if (!after || !step) return <Nothing running={running} />;
  const name = `Step ${step.step}`;
  if (!before || (running && chosen === undefined) || shown === 0) {
    return <PictureFrame src={after} alt={`${name}: ${job.title}`} className={classes.live} />;
  }
  return <BeforeAfter before={before} after={after} afterName={name} />;
}

const Nothing = ({ running }: { running: boolean }) => (
  <Center className={classes.nothing}>
    {running ? (
      <>
        <Loader size="sm" aria-hidden />
        <Text size="sm">The first picture is being made.</Text>
      </>
    ) : (
      <Text size="sm">No step was made.</Text>
    )}
  </Center>
);
