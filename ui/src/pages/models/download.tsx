// A model's file fetched from where it is published: its licence first, then how far it is.

import { Button, Progress, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconDownload } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import type { JobProgress, JobSummary } from "../../../../src/server/api/jobs.ts";
import type { Model } from "../../../../src/server/api/system.ts";
import { api } from "../../api.ts";
import { bytesText, duration } from "../../components/amounts.ts";
import { Confirm } from "../../components/confirm.tsx";
import { isAlive } from "../../components/jobsButton.tsx";
import { Note } from "../../components/note.tsx";
import { useRecent } from "../../components/recentJobs.tsx";
import { useBusy } from "../../components/useBusy.ts";
import { useJob } from "../../socket.ts";
import classes from "./modelCard.module.css";

export function Download({ model: { name, license, source } }: { model: Model }) {
  const [opened, { open, close }] = useDisclosure();
  const jobs = useRecent("pull").filter(({ request }) => request.name === name);
  const [job] = jobs; // the newest
  if (job && isAlive(job)) return <Downloading id={job.id} name={name} />;
  return (
    <>
      <Button
        size="xs"
        leftSection={<IconDownload size={16} aria-hidden />}
        aria-label={`Download ${name}`}
        onClick={open}
      >
        Download
      </Button>
      {job?.error && <Failed error={job.error} jobs={jobs} name={name} />}
      <Confirm
        opened={opened}
        onClose={close}
        title={`Download ${name}?`}
        yes="Download"
        no="Not now"
        onYes={() => api.pullModel(name)}
      >
        <Stack gap="xs">
          <Text size="sm" className={classes.words}>
            From {source ?? "its publisher"}, over the internet. A download that breaks off goes on where it was.
          </Text>
          <Text size="sm">
            Licence: <strong>{license ?? "not known"}</strong>. By downloading it you accept the licence’s terms.
          </Text>
        </Stack>
      </Confirm>
    </>
  );
}

/** Stays until it is read, over reloads too: who started a long download may come back the next day. */
function Failed({ error, jobs, name }: { error: JobSummary["error"]; jobs: readonly JobSummary[]; name: string }) {
  const client = useQueryClient();
  const [busy, run] = useBusy();
  const dismiss = async () => {
    await Promise.all(jobs.map(({ id }) => api.discardJob(id)));
    await client.invalidateQueries({ queryKey: ["jobs"] });
  };
  return (
    <Note tone="warning" title="The download failed">
      <p>
        {error?.message} {error?.hint}
      </p>
      <Button
        size="xs"
        variant="default"
        mt="xs"
        loading={busy}
        aria-label={`Dismiss: the download of ${name} failed`}
        onClick={() => run(dismiss)}
      >
        Dismiss
      </Button>
    </Note>
  );
}

function Downloading({ id, name }: { id: string; name: string }) {
  const { job } = useJob(id);
  const [cancelling, run] = useBusy();
  const progress = job?.progress ?? undefined;
  const speed = useSpeed(progress?.done);
  return (
    <Stack gap={6} w="100%">
      <Progress
        value={progress?.total ? (100 * progress.done) / progress.total : 0}
        animated={!progress?.total}
        aria-label={`Download of ${name}`}
      />
      <Text size="sm">{sayProgress(progress, speed)}</Text>
      <div>
        <Button
          size="xs"
          variant="default"
          loading={cancelling}
          aria-label={`Cancel the download of ${name}`}
          onClick={() => run(() => api.cancelJob(id))}
        >
          Cancel
        </Button>
      </div>
    </Stack>
  );
}

function sayProgress(progress: JobProgress | undefined, speed: number | undefined): string {
  if (!progress) return "The publisher is being asked.";
  const { done, total, message } = progress;
  const amount = total === null ? bytesText(done) : `${bytesText(done)} of ${bytesText(total)}`;
  const pace = speed ? `${bytesText(speed)}/s` : undefined;
  const left = speed && total !== null ? `about ${duration((1000 * (total - done)) / speed)} left` : undefined;
  return [amount, pace, left, message].filter(Boolean).join(" · ");
}

const windowMs = 5_000;

/** Bytes a second over the latest seconds: over all of them it would go on praising a line that has gone slow. */
function useSpeed(done: number | undefined): number | undefined {
  const samples = useRef<{ at: number; done: number }[]>([]);
  const [speed, setSpeed] = useState<number>();
  useEffect(() => {
    if (done === undefined) return;
    const now = Date.now();
    samples.current = [...samples.current.filter(({ at }) => now - at < windowMs), { at: now, done }];
    const first = samples.current[0]!;
    if (now > first.at) setSpeed((1000 * (done - first.done)) / (now - first.at));
  }, [done]);
  return speed;
}
