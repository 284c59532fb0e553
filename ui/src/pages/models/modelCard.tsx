import { Badge, Button, Group, Loader, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import type { Model } from "../../../../src/server/api/system.ts";
import { api } from "../../api.ts";
import { bytesText } from "../../components/amounts.ts";
import { Card } from "../../components/card.tsx";
import { Confirm } from "../../components/confirm.tsx";
import { DemoBadge } from "../../components/demoBadge.tsx";
import { Facts } from "../../components/facts.tsx";
import { say } from "../../components/toasts.tsx";
import { useBusy } from "../../components/useBusy.ts";
import { Download } from "./download.tsx";
import classes from "./modelCard.module.css";

const states: Record<Model["state"], { colour: string; text: string }> = {
  ready: { colour: "teal", text: "ready" },
  absent: { colour: "gray", text: "not here yet" },
  missing: { colour: "orange", text: "its file has gone" },
  damaged: { colour: "red", text: "can not be opened" },
};

const memories: Record<Model["memory"], string> = {
  unloaded: "not in memory",
  loading: "being loaded",
  loaded: "in memory",
};

export function ModelCard({ model }: { model: Model }) {
  const { name, state, problem, pullable } = model;
  return (
    <Card title={name} aside={<Badges model={model} />}>
      <Facts facts={factsOf(model)} />
      {problem && (
        <Text size="sm" mt="xs" className={classes.problem}>
          {state !== "absent" && <IconAlertTriangle size={16} aria-hidden />}
          <span>{problem}</span>
        </Text>
      )}
      <Group gap="xs" mt="sm">
        {state === "ready" && <LoadOrUnload model={model} />}
        {pullable && state !== "ready" && <Download model={model} />}
        {model.path && !model.builtIn && <Remove model={model} />}
      </Group>
    </Card>
  );
}

const Badges = ({ model: { state, memory, builtIn } }: { model: Model }) => (
  <Group gap={6}>
    {builtIn && <DemoBadge />}
    <Badge variant="light" radius="sm" tt="none" color={states[state].colour} className={classes.badge}>
      {states[state].text}
    </Badge>
    {state === "ready" && (
      <Badge
        variant={memory === "loaded" ? "filled" : "outline"}
        radius="sm"
        tt="none"
        color={memory === "loaded" ? "violet" : "gray"}
        className={memory === "loaded" ? undefined : classes.badge}
      >
        {memories[memory]}
      </Badge>
    )}
  </Group>
);

const factsOf = ({ size, residentBytes, license, source, path, builtIn }: Model) => ({
  Size: size === undefined ? undefined : bytesText(size),
  "In memory": residentBytes ? bytesText(residentBytes) : undefined,
  Licence: license,
  Source: builtIn ? "comes with Renoir" : source,
  File: path,
});

function LoadOrUnload({ model: { name, memory } }: { model: Model }) {
  const client = useQueryClient();
  const [busy, run] = useBusy();
  const again = () => client.invalidateQueries({ queryKey: ["models"] });
  if (memory === "loading") return <Loader size="sm" aria-label={`${name} is being loaded`} />;
  const loaded = memory === "loaded";
  const turn = () => run(() => (loaded ? api.unloadModel(name) : api.loadModel(name)).finally(again));
  return (
    <Button
      size="compact-md"
      variant="default"
      loading={busy}
      aria-label={loaded ? `Unload ${name}` : `Load ${name}`}
      onClick={turn}
    >
      {loaded ? "Unload" : "Load"}
    </Button>
  );
}

function Remove({ model: { name, path, source } }: { model: Model }) {
  const client = useQueryClient();
  const [opened, { open, close }] = useDisclosure();
  const remove = async () => {
    client.setQueryData(["models"], await api.removeModel(name));
    say(`${name} was removed.`);
  };
  return (
    <>
      <Button size="compact-md" variant="subtle" color="gray" aria-label={`Remove ${name}`} onClick={open}>
        Remove
      </Button>
      <Confirm opened={opened} onClose={close} title={`Remove ${name}?`} yes="Remove" colour="red" onYes={remove}>
        <Text size="sm" className={classes.words}>
          {source
            ? `Renoir fetched its file from ${source}: it is deleted with it and can be fetched again.`
            : `Renoir forgets the name. The file stays where it is: ${path}`}
        </Text>
      </Confirm>
    </>
  );
}
