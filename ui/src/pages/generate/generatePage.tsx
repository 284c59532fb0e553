// Generate: /generate is the form, /generate/JOB the form and what came of it.

import { Loader, Stack } from "@mantine/core";
import { useRef, useState } from "react";
import { useLocation, useParams } from "wouter";
import { Card } from "../../components/card.tsx";
import { ErrorNote } from "../../components/errorNote.tsx";
import { Page } from "../../components/page.tsx";
import { RecentJobs } from "../../components/recentJobs.tsx";
import { useModels, useSettings } from "../../queries.ts";
import { useJob } from "../../socket.ts";
import { GenerateForm } from "./generateForm.tsx";
import classes from "./generatePage.module.css";
import { GenerateWelcome } from "./generateWelcome.tsx";
import { Results } from "./results.tsx";
import { valuesFor } from "./values.ts";

export function GeneratePage() {
  const { job: id } = useParams<{ job?: string }>();
  const [cameFor] = useState(id);
  const [, navigate] = useLocation();
  const results = useRef<HTMLDivElement>(null);
  const { job, error } = useJob(id);
  const models = useModels();
  const settings = useSettings();
  // Who comes for a run finds the form as it was then; who goes on from the form finds it as it is.
  const ready = models.data && settings.data && (cameFor === undefined || id !== cameFor || job || error);
  return (
    <Page title="Generate" lead="Draws pictures from words, scores them, and lets you keep or refine them.">
      <Stack gap="lg">
        <div className={classes.columns}>
          <Card title="What to draw">
            <ErrorNote error={models.error ?? settings.error} />
            {ready ? (
              <GenerateForm
                models={models.data.items}
                initial={valuesFor(models.data.items, settings.data, job?.request)}
                onStarted={(started) => {
                  navigate(`/generate/${started}`);
                  results.current?.scrollIntoView({ block: "nearest" }); // on a phone they are below the form
                }}
              />
            ) : (
              !models.error && <Loader aria-label="The models are being looked for" />
            )}
          </Card>
          <div className={classes.results} ref={results}>
            {job ? (
              <Results key={job.id} job={job} />
            ) : error ? (
              <ErrorNote error={error} />
            ) : (
              !id && <GenerateWelcome />
            )}
          </div>
        </div>
        <RecentJobs kind="generate" title="Recent generations" except={id} />
      </Stack>
    </Page>
  );
}
