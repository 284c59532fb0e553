import { Button, Progress, Text } from "@mantine/core";
import { IconPlayerStop } from "@tabler/icons-react";
import type { Job } from "../../../../src/server/api/jobs.ts";
import { api } from "../../api.ts";
import { duration } from "../../components/amounts.ts";
import { Card } from "../../components/card.tsx";
import { Facts } from "../../components/facts.tsx";
import { useBusy } from "../../components/useBusy.ts";
import { scoresText } from "./steps.ts";
import { remaining, stepTime } from "./timing.ts";

export function RunProgress({ job, best }: { job: Job; best: number | undefined }) {
  const { steps, progress, state, request } = job;
  const total = progress?.total ?? (request.iterations as number | undefined) ?? null;
  const left = remaining(steps, total);
  const time = stepTime(steps);
  const finest = best === undefined ? undefined : steps[best];
  return (
    <Card title={titleOf(job, total)} aside={<Stop id={job.id} steps={steps.length} />}>
      <Progress
        value={total ? (100 * steps.length) / total : 0}
        animated={state === "running" && steps.length === 0}
        aria-label="Steps made"
        mb="sm"
      />
      <Facts
        facts={{
          "Best so far": finest && `step ${finest.step}: ${scoresText(finest.rewards)}`,
          "Newest step": scoresText(steps.at(-1)?.rewards),
          "A step takes": time !== undefined && duration(time),
          Remaining: left !== undefined && `${request.patience ? "at most " : ""}about ${duration(left)}`,
        }}
      />
      {progress?.message && (
        <Text size="sm" c="dimmed" mt="xs">
          {progress.message}
        </Text>
      )}
    </Card>
  );
}

function titleOf({ state, steps }: Job, total: number | null): string {
  if (state === "queued") return "Waiting for its turn";
  if (steps.length === 0) return "The models are being loaded";
  return `Step ${steps.at(-1)!.step}${total ? ` of ${total}` : ""}`;
}

function Stop({ id, steps }: { id: string; steps: number }) {
  const [stopping, run] = useBusy();
  return (
    <Button
      size="xs"
      variant="default"
      leftSection={<IconPlayerStop size={16} aria-hidden />}
      loading={stopping}
      onClick={() => run(() => api.cancelJob(id))}
    >
      {steps > 0 ? "Stop and keep the best" : "Cancel"}
    </Button>
  );
}
