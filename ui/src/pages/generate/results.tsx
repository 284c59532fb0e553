// What a generation makes: its pictures as they come, and what can be done with each.

import { Button, Group, Progress, Stack, Switch, Text } from "@mantine/core";
import { useState } from "react";
import type { Job } from "../../../../src/server/api/jobs.ts";
import { api } from "../../api.ts";
import { Card } from "../../components/card.tsx";
import { DiscardJob } from "../../components/discardJob.tsx";
import { ErrorNote } from "../../components/errorNote.tsx";
import { isAlive } from "../../components/jobsButton.tsx";
import { useBusy } from "../../components/useBusy.ts";
import { type Made, madeBy, ranked } from "./made.ts";
import { PictureCard } from "./pictureCard.tsx";
import classes from "./results.module.css";

export function Results({ job }: { job: Job }) {
  const [bestFirst, setBestFirst] = useState(false);
  // Keeping one answers with the job as it then is; the socket tells of nothing that ends after its end.
  const [changed, setChanged] = useState<Job>();
  const now = changed ?? job;
  const made = madeBy(now);
  const scored = made.some(({ scores }) => Object.keys(scores).length > 0);
  return (
    <Card title={job.title} aside={isAlive(job) ? <Stop job={job} /> : <Discard job={job} />}>
      <Stack gap="sm">
        <State job={now} made={made} />
        <ErrorNote error={job.error} />
        {job.notes.map((note) => (
          <Text key={note} size="sm" c="dimmed">
            {note}
          </Text>
        ))}
        {scored && made.length > 1 && (
          <Switch
            label="Best first"
            checked={bestFirst}
            onChange={({ currentTarget: { checked } }) => setBestFirst(checked)}
          />
        )}
        <ul className={classes.grid}>
          {(bestFirst ? ranked(made) : made).map((picture) => (
            <li key={picture.index}>
              <PictureCard job={now} picture={picture} onChanged={setChanged} />
            </li>
          ))}
          {waiting(now, made).map((index) => (
            <li key={index} className={classes.waiting} aria-hidden />
          ))}
        </ul>
      </Stack>
    </Card>
  );
}

const waiting = (job: Job, made: readonly Made[]) =>
  isAlive(job) ? Array.from({ length: Math.max(0, wanted(job) - made.length) }, (_, index) => made.length + index) : [];

const wanted = ({ progress, request }: Job) => progress?.total ?? Number(request.count ?? 1);

function State({ job, made }: { job: Job; made: readonly Made[] }) {
  return (
    <>
      {isAlive(job) && <Progress value={(100 * made.length) / wanted(job)} aria-label="Pictures made" />}
      <Text size="sm" c="dimmed" role="status">
        {sayState(job, made)}
      </Text>
    </>
  );
}

function sayState(job: Job, { length }: readonly Made[]): string {
  const pictures = `${length} ${length === 1 ? "picture" : "pictures"}`;
  if (job.state === "queued") return "Waiting for its turn.";
  if (job.state === "running") return length === 0 ? "The model is being loaded." : `${length} of ${wanted(job)}.`;
  if (job.state === "done")
    return `${pictures}. They stay here until the run is discarded; keep what you want in the library.`;
  return `${job.state === "failed" ? "It failed" : "It was stopped"} after ${pictures}.`;
}

const Discard = ({ job: { id } }: { job: Job }) => (
  <DiscardJob id={id} what="Its pictures go for good; those that you kept stay." to="/generate" />
);

function Stop({ job }: { job: Job }) {
  const [stopping, run] = useBusy();
  return (
    <Group>
      <Button size="xs" variant="default" loading={stopping} onClick={() => run(() => api.cancelJob(job.id))}>
        Stop
      </Button>
    </Group>
  );
}
