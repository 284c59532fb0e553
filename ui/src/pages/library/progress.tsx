// A scan or a scoring under way, beside the page's title so that nothing below it moves: how far it is, and the way to stop it.

import { Button, Group, Progress, Text, VisuallyHidden } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import type { JobSummary } from "../../../../src/server/api/jobs.ts";
import { api } from "../../api.ts";
import { isAlive, sayProgress, useJobs } from "../../components/jobsButton.tsx";
import { sayError } from "../../components/toasts.tsx";
import classes from "./progress.module.css";

const titles = { scan: "Looking through the folders", score: "Scoring" } as const;

export function LibraryProgress() {
  const jobs = useJobs().filter(({ kind }) => kind === "scan" || kind === "score");
  const running = jobs.find(isAlive); // the header lists the others
  return (
    <>
      {running && <Row job={running} />}
      <Announcer jobs={jobs} />
    </>
  );
}

function Row({ job }: { job: JobSummary }) {
  const title = titles[job.kind as keyof typeof titles];
  const { done, total } = job.progress ?? { done: 0, total: null };
  return (
    <Group className={classes.row} gap="sm" wrap="nowrap">
      <Text size="sm" className={classes.text}>
        {title}: {sayProgress(job)}
      </Text>
      <Progress
        className={classes.bar}
        value={total ? (100 * done) / total : 100}
        animated={total === null}
        aria-label={title}
      />
      <Button size="compact-sm" variant="default" onClick={() => void api.cancelJob(job.id).catch(sayError)}>
        Stop
      </Button>
    </Group>
  );
}

/** Screen readers hear of the beginning and the end, not of every picture. */
function Announcer({ jobs }: { jobs: readonly JobSummary[] }) {
  const [text, setText] = useState("");
  const known = useRef(new Map<string, boolean>());
  useEffect(() => {
    for (const job of jobs) {
      const alive = isAlive(job);
      const before = known.current.get(job.id);
      known.current.set(job.id, alive);
      const title = titles[job.kind as keyof typeof titles];
      if (alive && before === undefined) setText(`${title} has begun.`);
      if (!alive && before) setText(`${title}: ${job.state}.`);
    }
  }, [jobs]);
  return <VisuallyHidden role="status">{text}</VisuallyHidden>;
}
