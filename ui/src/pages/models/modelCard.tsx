import { Button, Group, Loader, Text } from "@mantine/core";
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
import { Tag, type TagTone } from "../../components/tag.tsx";
import { say } from "../../components/toasts.tsx";
import { useBusy } from "../../components/useBusy.ts";
import { Download } from "./download.tsx";
import classes from "./modelCard.module.css";

const states: Record<Model["state"], { tone: TagTone; text: string; todo?: string }> = {
  ready: { tone: "good", text: "ready" },
  absent: { tone: "plain", text: "not here yet", todo: "Download it, or add a copy that you have." },
  missing: {
    tone: "warning",
    text: "its file has gone",
    todo: "Put the file back, or add the model again where it lies now.",
  },
  damaged: {
    tone: "bad",
    text: "can not be opened",
    todo: "Copy or fetch the file again, then add it under this name.",
  },
};

const memories: Record<Model["memory"], string> = {
  unloaded: "not in memory",
  loading: "being loaded",
  loaded: "in memory",
};

export function ModelCard({ model }: { model: Model }) {
  const { name, state, pullable } = model;
  return (
    <Card item title={name} aside={<Badges model={model} />}>
      <Facts facts={factsOf(model)} />
      <Problem model={model} />
      <Group gap="xs" mt="sm">
        {state === "ready" && <LoadOrUnload model={model} />}
        {pullable && state !== "ready" && <Download model={model} />}
        {model.path && !model.builtIn && <Remove model={model} />}
      </Group>
    </Card>
  );
}

/** What is wrong in the server's words, which for a model that was never here are those of the command line. */
function Problem({ model: { state, problem } }: { model: Model }) {
  const { todo } = states[state];
  if (!todo) return null;
  return (
    <Text size="sm" mt="xs" className={classes.problem}>
      {state !== "absent" && <IconAlertTriangle size={16} aria-hidden />}
      <span>{state === "absent" ? todo : `${problem ?? ""} ${todo}`}</span>
    </Text>
  );
}

const Badges = ({ model: { state, memory, builtIn } }: { model: Model }) => (
  <Group gap={6}>
    {builtIn && <DemoBadge />}
    <Tag tone={states[state].tone}>{states[state].text}</Tag>
    {state === "ready" && <Tag tone={memory === "unloaded" ? "plain" : "good"}>{memories[memory]}</Tag>}
  </Group>
);

const factsOf = ({ size, residentBytes, license, source, path, builtIn }: Model) => ({
  Size: size === undefined ? undefined : bytesText(size),
  "In memory": residentBytes ? bytesText(residentBytes) : undefined,
  Licence: license,
  Source: builtIn ? "comes with Renoir" : source,
  File: builtIn ? undefined : path,
});

function LoadOrUnload({ model }: { model: Model }) {
  const { name, kind, memory } = model;
  const client = useQueryClient();
  const [busy, run] = useBusy();
  const again = () => client.invalidateQueries({ queryKey: ["models"] });
  if (memory === "loading") return <Loader size="sm" aria-label={`${name} is being loaded`} />;
  const loaded = memory === "loaded";
  const turn = () => run(() => (loaded ? api.unloadModel(model) : api.loadModel(model)).finally(again));
  return (
    <Button
      size="xs"
      variant="default"
      loading={busy}
      aria-label={`${loaded ? "Unload" : "Load"} the ${kind} ${name}`}
      onClick={turn}
    >
      {loaded ? "Unload" : "Load"}
    </Button>
  );
}

function Remove({ model }: { model: Model }) {
  const { name, path, source } = model;
  const client = useQueryClient();
  const [opened, { open, close }] = useDisclosure();
  const remove = async () => {
    client.setQueryData(["models"], await api.removeModel(model));
    say(`${name} was removed.`);
  };
  return (
    <>
      <Button size="xs" variant="subtle" color="gray" aria-label={`Remove ${name}`} onClick={open}>
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
