// A refine as it runs and after: one page, so that the end changes what stands there instead of replacing it.

import { Loader, Stack, Text } from "@mantine/core";
import { useState } from "react";
import type { Job } from "../../../../src/server/api/jobs.ts";
import { Card } from "../../components/card.tsx";
import { EmptyState } from "../../components/emptyState.tsx";
import { ErrorNote } from "../../components/errorNote.tsx";
import { isAlive } from "../../components/jobsButton.tsx";
import { Page } from "../../components/page.tsx";
import { TextLink } from "../../components/textLink.tsx";
import { useJob } from "../../socket.ts";
import { Announcer } from "./announcer.tsx";
import { Curves } from "./curves.tsx";
import { FilmStrip } from "./filmStrip.tsx";
import { Judgement } from "./judgement.tsx";
import { Outcome } from "./outcome.tsx";
import classes from "./refineRun.module.css";
import { RunDetails } from "./runDetails.tsx";
import { RunPicture } from "./runPicture.tsx";
import { RunProgress } from "./runProgress.tsx";
import { bestOf, type Chosen } from "./steps.ts";

export function RefineRun({ id }: { id: string }) {
  const { job, live, error } = useJob(id);
  if (job) return <Run job={job} live={live} />;
  if (error) return <Gone message={error.message} />;
  return (
    <Page title="Refine">
      <Loader aria-label="The run is being asked for" />
    </Page>
  );
}

const Gone = ({ message }: { message: string }) => (
  <Page title="Refine">
    <EmptyState title="This run is not there">
      <Text>{message}</Text>
      <TextLink href="/refine">To recent refines</TextLink>
    </EmptyState>
  </Page>
);

function Run({ job, live }: { job: Job; live: string | undefined }) {
  const [chosen, setChosen] = useState<Chosen>();
  const { steps } = job;
  const best = bestOf(steps);
  const running = isAlive(job);
  const shown = chosen ?? (running ? steps.length - 1 : (best ?? steps.length - 1));
  return (
    <Page title="Refine" lead={job.title}>
      <Announcer job={job} />
      <div className={classes.run} data-running={running || undefined}>
        <Stack gap="sm" className={classes.picture}>
          <RunPicture job={job} live={live} chosen={chosen} shown={shown} />
          {steps.length > 0 && <FilmStrip steps={steps} chosen={shown} best={best} onChoose={setChosen} />}
          {chosen !== undefined && (
            <button type="button" className={classes.back} onClick={() => setChosen(undefined)}>
              {running ? "Back to the newest step" : "Back to the best step"}
            </button>
          )}
        </Stack>
        <Stack gap="md" className={classes.state}>
          {running ? <RunProgress job={job} best={best} /> : <Outcome job={job} chosen={chosen} best={best} />}
          <ErrorNote error={job.error} />
        </Stack>
        {steps.length > 0 && (
          <div className={classes.judgement}>
            <Judgement job={job} chosen={chosen} shown={shown} best={best} />
          </div>
        )}
        {steps.length > 0 && (
          <div className={classes.curves}>
            <Card title="Step by step">
              <Curves steps={steps} total={totalOf(job)} shown={shown} best={best} onChoose={setChosen} />
            </Card>
          </div>
        )}
        <Stack gap="md" className={classes.details}>
          <RunDetails job={job} />
        </Stack>
      </div>
    </Page>
  );
}

/** While it runs, the curves have the room that they will need; after, the room that they took. */
function totalOf({ steps, progress, request, ...job }: Job): number {
  if (!isAlive(job)) return steps.length;
  return progress?.total ?? Number(request.iterations ?? steps.length);
}
