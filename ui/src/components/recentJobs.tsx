// Earlier runs of one kind, with a small picture of what came of each.

import { Text } from "@mantine/core";
import { Link } from "wouter";
import type { JobKind, JobState, JobSummary } from "../../../src/server/api/jobs.ts";
import { Card } from "./card.tsx";
import { useJobs } from "./jobsButton.tsx";
import classes from "./recentJobs.module.css";

const shown = 12;

const states: Record<JobState, string> = {
  queued: "waiting",
  running: "running now",
  done: "",
  failed: "failed",
  cancelled: "stopped",
};

export function useRecent(kind: JobKind): readonly JobSummary[] {
  return useJobs().filter((job) => job.kind === kind);
}

export function RecentJobs({ kind, title, except }: { kind: "refine" | "generate"; title: string; except?: string }) {
  const jobs = useRecent(kind).filter(({ id }) => id !== except);
  if (jobs.length === 0) return null;
  return (
    <Card title={title}>
      <ul className={classes.jobs}>
        {jobs.slice(0, shown).map((job) => (
          <li key={job.id}>
            <Link href={`/${kind}/${job.id}`} className={classes.job}>
              <Small picture={pictureOf(job)} />
              <span className={classes.words}>
                <Text span size="sm" fw={550} lineClamp={2}>
                  {job.title}
                </Text>
                <Text span size="xs" c="dimmed">
                  {[when(job), ...facts(job)].join(" · ")}
                </Text>
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}

const Small = ({ picture }: { picture: string | undefined }) =>
  picture ? <img src={picture} alt="" loading="lazy" className={classes.small} /> : <span className={classes.small} />;

const pictureOf = ({ result }: JobSummary) => result?.picture ?? result?.pictures?.[0]?.picture;

const when = ({ created }: JobSummary) =>
  new Date(created).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

const facts = ({ state, result }: JobSummary) =>
  [states[state], result?.kept ? "kept" : "", count(result?.pictures?.length)].filter(Boolean);

const count = (pictures: number | undefined) =>
  pictures === undefined ? "" : pictures === 1 ? "1 picture" : `${pictures} pictures`;
