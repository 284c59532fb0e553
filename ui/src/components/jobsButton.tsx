// What the server is doing, and the way to stop it.

import { Button, Group, Popover, Progress, ScrollArea, Stack, Text, VisuallyHidden } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "wouter";
import type { JobKind, JobProgress, JobState, JobSummary } from "../../../src/server/api/jobs.ts";
import { api } from "../api.ts";
import { useServerEvent } from "../socket.ts";
import { sayError } from "./toasts.tsx";

const kinds: Record<JobKind, string> = {
  refine: "Refine",
  generate: "Generate",
  score: "Score",
  scan: "Scan",
  pull: "Download",
};
const states: Record<JobState, string> = {
  queued: "waiting",
  running: "running",
  done: "done",
  failed: "failed",
  cancelled: "cancelled",
};
const SHOWN_AFTERWARDS = 5;

/** All jobs, kept up to date by the socket. */
export function useJobs(): readonly JobSummary[] {
  const client = useQueryClient();
  useServerEvent("jobs:changed", (job) => {
    client.setQueryData<{ items: JobSummary[] }>(["jobs"], (now) =>
      now ? { items: [job, ...now.items.filter(({ id }) => id !== job.id)].sort(byCreation) } : now,
    );
  });
  useServerEvent("jobs:discarded", ({ id }) => {
    client.setQueryData<{ items: JobSummary[] }>(["jobs"], (now) =>
      now ? { items: now.items.filter((job) => job.id !== id) } : now,
    );
  });
  return useQuery({ queryKey: ["jobs"], queryFn: ({ signal }) => api.jobs(signal) }).data?.items ?? [];
}

const byCreation = (a: JobSummary, b: JobSummary) => b.created.localeCompare(a.created);

export const isAlive = ({ state }: Pick<JobSummary, "state">) => state === "queued" || state === "running";

export function JobsButton() {
  const jobs = useJobs();
  const alive = jobs.filter(isAlive);
  const over = jobs.filter((job) => !isAlive(job)).slice(0, SHOWN_AFTERWARDS);
  const label = alive.length === 0 ? "Idle" : alive.length === 1 ? kinds[alive[0]!.kind] : `${alive.length} jobs`;
  return (
    <Popover width={340} position="bottom-end" shadow="md" trapFocus returnFocus>
      <Popover.Target>
        <Button
          variant={alive.length > 0 ? "light" : "subtle"}
          color={alive.length > 0 ? "violet" : "gray"}
          size="compact-sm"
          leftSection={<Spinner percent={percentOf(alive[0]?.progress)} active={alive.length > 0} />}
        >
          {label}
          <VisuallyHidden>: what the server is doing</VisuallyHidden>
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label="What the server is doing">
        <ScrollArea.Autosize mah="70vh">
          <Stack gap="sm">
            {alive.length === 0 && <Text size="sm">Nothing is being done right now.</Text>}
            {[...alive, ...over].map((job) => (
              <JobRow key={job.id} job={job} />
            ))}
          </Stack>
        </ScrollArea.Autosize>
      </Popover.Dropdown>
    </Popover>
  );
}

function JobRow({ job }: { job: JobSummary }) {
  const page = pageOf(job);
  const title = `${kinds[job.kind]}: ${job.title}`;
  return (
    <div>
      <Group gap="xs" wrap="nowrap" justify="space-between">
        <Text size="sm" fw={550} truncate>
          {page ? <Link href={page}>{title}</Link> : title}
        </Text>
        {isAlive(job) && (
          <Button
            variant="default"
            size="compact-xs"
            aria-label={`Cancel ${title}`}
            onClick={() => void api.cancelJob(job.id).catch(sayError)}
          >
            Cancel
          </Button>
        )}
      </Group>
      {job.state === "running" && (
        <Progress
          value={percentOf(job.progress) ?? 100}
          animated={percentOf(job.progress) === undefined}
          size="sm"
          aria-label={title}
        />
      )}
      <Text size="xs" c="dimmed" lineClamp={3}>
        {job.error?.message ?? sayProgress(job)}
      </Text>
    </div>
  );
}

/** A ring that fills where the end is known. */
function Spinner({ percent, active }: { percent: number | undefined; active: boolean }) {
  const around = 2 * Math.PI * 6;
  return (
    <svg width={16} height={16} viewBox="0 0 16 16" aria-hidden>
      <circle cx={8} cy={8} r={6} fill="none" stroke="currentColor" strokeWidth={2.5} opacity={0.25} />
      {active && (
        <circle
          cx={8}
          cy={8}
          r={6}
          fill="none"
          stroke="currentColor"
          strokeWidth={2.5}
          strokeDasharray={`${(around * (percent ?? 30)) / 100} ${around}`}
          transform="rotate(-90 8 8)"
        />
      )}
    </svg>
  );
}

const pageOf = ({ kind, id }: JobSummary) =>
  kind === "refine" || kind === "generate" ? `/${kind}/${id}` : kind === "pull" ? "/models" : undefined;

const percentOf = (progress: JobProgress | null | undefined) =>
  progress?.total ? Math.min(100, (100 * progress.done) / progress.total) : undefined;

export function sayProgress({ state, progress }: JobSummary): string {
  if (state !== "running" || !progress) return states[state];
  const of = progress.total === null ? "" : ` of ${progress.total.toLocaleString()}`;
  const count = progress.unit === "bytes" ? bytes(progress) : `${progress.done.toLocaleString()}${of} ${progress.unit}`;
  return progress.message ? `${count} · ${progress.message}` : count;
}

const MB = 1e6;
const bytes = ({ done, total }: JobProgress) =>
  `${(done / MB).toFixed(0)}${total === null ? "" : ` of ${(total / MB).toFixed(0)}`} MB`;
