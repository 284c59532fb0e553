// After a run: what there is now, and what is to become of it.

import { Button, Group, Stack, Text } from "@mantine/core";
import { IconCheck, IconWand } from "@tabler/icons-react";
import { useState } from "react";
import { Link } from "wouter";
import type { Job, JobState } from "../../../../src/server/api/jobs.ts";
import { api } from "../../api.ts";
import { Card } from "../../components/card.tsx";
import { DiscardJob } from "../../components/discardJob.tsx";
import { Note } from "../../components/note.tsx";
import { TextLink } from "../../components/textLink.tsx";
import { useBusy } from "../../components/useBusy.ts";
import type { Chosen } from "./steps.ts";

const titles: Partial<Record<JobState, string>> = { done: "Done", cancelled: "Stopped", failed: "It failed" };

export interface OutcomeProps {
  readonly job: Job;
  /** Positions in the job's steps. */
  readonly chosen: Chosen;
  readonly best: number | undefined;
}

export function Outcome({ job, chosen, best }: OutcomeProps) {
  const has = job.result?.picture !== undefined;
  return (
    <Card title={titles[job.state] ?? job.state}>
      <Stack gap="sm">
        <Text size="sm">{sayOutcome(job, best)}</Text>
        {has ? <Actions job={job} chosen={chosen} best={best} /> : <Discard job={job} />}
        <Source job={job} />
      </Stack>
    </Card>
  );
}

function sayOutcome({ state, steps, result, source }: Job, best: number | undefined): string {
  if (!result?.picture) return "No picture came of it. What you began with is as it was.";
  const finest = steps[best ?? -1]?.step ?? result.best;
  const count = `${steps.length} ${steps.length === 1 ? "step" : "steps"}`;
  const made = state === "done" ? `Of ${count}, step ${finest}` : `After ${count} it ended early; step ${finest}`;
  return `${made} pleased the optimised rewards most. It is kept here until you decide${source ? "; the original stays as it is" : ""}.`;
}

function Actions({ job, chosen, best }: OutcomeProps) {
  const { kept, keep, keeping } = useKeep(job);
  const step = chosen === undefined || chosen === best ? undefined : job.steps[chosen]?.step;
  return (
    <>
      <Group gap="xs">
        <Button leftSection={<IconCheck size={18} aria-hidden />} loading={keeping} onClick={() => keep()}>
          Keep
        </Button>
        {step !== undefined && (
          <Button variant="light" loading={keeping} onClick={() => keep(step)}>
            Keep step {step}
          </Button>
        )}
        <Button
          component={Link}
          href={`/refine?from=${encodeURIComponent(job.id)}`}
          variant="default"
          leftSection={<IconWand size={18} aria-hidden />}
        >
          Refine on
        </Button>
        <Discard job={job} />
      </Group>
      {kept && (
        <Note tone="good" title="Kept" said>
          <p>{kept.path}</p>
          {kept.id && (
            <p>
              <TextLink href={`/picture/${encodeURIComponent(kept.id)}`}>Show it in the library</TextLink>
            </p>
          )}
        </Note>
      )}
    </>
  );
}

/** The server's answer has the place; a page that comes later reads it from the job. */
function useKeep(job: Job) {
  const [kept, setKept] = useState(job.result?.kept);
  const [keeping, run] = useBusy();
  const keep = (step?: number) =>
    run(async () => setKept((await api.keepJob(job.id, step === undefined ? {} : { step })).result?.kept));
  return { kept: kept ?? job.result?.kept, keep, keeping };
}

const Discard = ({ job: { id, source, steps } }: { job: Job }) => (
  <DiscardJob
    id={id}
    what={`Its ${steps.length} steps and their curves go for good. The picture that it began with stays, and so does what you kept.`}
    to={source ? `/picture/${encodeURIComponent(source)}` : "/refine"}
  />
);

const Source = ({ job: { source } }: { job: Job }) =>
  source && (
    <Text size="sm">
      <TextLink href={`/picture/${encodeURIComponent(source)}`}>The picture that it began with</TextLink>
    </Text>
  );
