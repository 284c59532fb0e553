import { Anchor, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { Health } from "../../../../src/server/api/system.ts";
import { api } from "../../api.ts";
import { base } from "../../base.ts";
import { bytesText, duration } from "../../components/amounts.ts";
import { Card } from "../../components/card.tsx";
import { ErrorNote } from "../../components/errorNote.tsx";
import { Facts } from "../../components/facts.tsx";

const everyMs = 10_000;

export function About() {
  const { data, error } = useQuery({
    queryKey: ["health"],
    queryFn: ({ signal }) => api.health(signal),
    refetchInterval: everyMs,
    staleTime: 0,
  });
  return (
    <Card title="About Renoir">
      <ErrorNote error={error} />
      {data && <Facts facts={factsOf(data)} />}
      <Text size="sm" mt="sm">
        <Anchor href={`${base}/docs`} size="sm" underline="always">
          The API, with all its routes
        </Anchor>
        . Renoir runs on this machine alone and asks nothing of others, but for a model that you download.
      </Text>
    </Card>
  );
}

const factsOf = ({ version, uptimeSeconds, provider, engine, models, queue, eventLoop }: Health) => ({
  Version: version,
  "Running for": duration(1000 * uptimeSeconds),
  Computes: provider === "auto" ? "on the best that works, chosen at the first use" : `on ${provider}`,
  Memory: `${bytesText(engine.residentBytes)} in use, ${bytesText(engine.freeBytes)} free`,
  Models: models.length > 0 ? models.join(", ") : "none in memory",
  Queue: queue.running + queue.queued === 0 ? "empty" : `${queue.running} running, ${queue.queued} waiting`,
  "Event loop": `${ms(eventLoop.p50Ms)} half of the time, ${ms(eventLoop.p99Ms)} at the 99th percentile, ${ms(eventLoop.maxMs)} at most`,
});

const ms = (value: number) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
