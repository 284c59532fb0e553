// What the models take of this machine's memory.

import { Group, Progress, Text } from "@mantine/core";
import type { EngineState, Model } from "../../../../src/server/api/system.ts";
import { bytesText } from "../../components/amounts.ts";
import { Card } from "../../components/card.tsx";

const states: Record<EngineState["state"], string> = {
  stopped: "No model is in memory; the engine starts when one is needed.",
  starting: "The engine is starting.",
  ready: "The engine is ready.",
};

export function Memory({ models, engine }: { models: readonly Model[]; engine: EngineState }) {
  const { state, provider, residentBytes, freeBytes } = engine;
  const share = (bytes: number) => (100 * bytes) / Math.max(1, residentBytes + freeBytes);
  const held = models.filter(({ memory }) => memory === "loaded");
  const known = held.reduce((sum, { residentBytes = 0 }) => sum + residentBytes, 0);
  const free = `${bytesText(freeBytes)} free on this machine`;
  const said = residentBytes > 0 ? `${bytesText(residentBytes)} used by the engine, ${free}` : free;
  return (
    <Card
      title="Memory"
      aside={
        <Text size="sm">
          {provider === "auto" ? "what computes is chosen at the first use" : `computes on ${provider}`}
        </Text>
      }
    >
      <Progress.Root size="xl" aria-label={said} role="img">
        {held.map(({ kind, name, residentBytes = 0 }) => (
          <Progress.Section key={`${kind}/${name}`} value={share(residentBytes)} color="violet" aria-hidden />
        ))}
        <Progress.Section value={share(Math.max(0, residentBytes - known))} color="violet.3" aria-hidden />
      </Progress.Root>
      <Group gap="xs" mt="xs" justify="space-between">
        <Text size="sm">{said}</Text>
        <Text size="sm" c="dimmed">
          {held.length > 0 ? `Loaded: ${held.map(nameAndSize).join(", ")}` : states[state]}
        </Text>
      </Group>
    </Card>
  );
}

const nameAndSize = ({ kind, name, residentBytes }: Model) =>
  `${kind} ${name}${residentBytes ? ` (${bytesText(residentBytes)})` : ""}`;
