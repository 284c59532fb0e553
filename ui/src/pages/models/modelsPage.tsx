// Models: which rewards and pipelines there are, what of them is in memory, and how to get more.

import { Button, Loader, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus } from "@tabler/icons-react";
import { useId } from "react";
import type { Model } from "../../../../src/server/api/system.ts";
import { ErrorNote } from "../../components/errorNote.tsx";
import { Page } from "../../components/page.tsx";
import { useModels } from "../../queries.ts";
import { AddModel } from "./addModel.tsx";
import { Memory } from "./memory.tsx";
import { ModelCard } from "./modelCard.tsx";

const lead = "Rewards judge pictures, pipelines draw them; both are files on this machine.";

export function ModelsPage() {
  const { data, error, refetch } = useModels();
  const [adding, { open, close }] = useDisclosure();
  const add = (
    <Button leftSection={<IconPlus size={18} aria-hidden />} onClick={open}>
      Add a model
    </Button>
  );
  return (
    <Page title="Models" lead={lead} actions={add}>
      <AddModel opened={adding} onClose={close} />
      <Stack gap="lg">
        <ErrorNote error={error} onRetry={() => void refetch()} />
        {data ? (
          <>
            <Memory models={data.items} engine={data.engine} />
            <Kind title="Rewards" models={data.items.filter(({ kind }) => kind === "reward")} />
            <Kind title="Pipelines" models={data.items.filter(({ kind }) => kind === "pipeline")} />
          </>
        ) : (
          !error && <Loader aria-label="The models are being looked at" />
        )}
      </Stack>
    </Page>
  );
}

function Kind({ title, models }: { title: string; models: readonly Model[] }) {
  const id = useId();
  const onlyDemo = models.every(({ builtIn, state }) => builtIn || state === "absent");
  return (
    <section aria-labelledby={id}>
      <Title order={2} id={id} mb="xs">
        {title}
      </Title>
      {onlyDemo && (
        <Text size="sm" c="dimmed" mb="xs">
          {demoOnly[title]}
        </Text>
      )}
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
        {models.map((model) => (
          <ModelCard key={`${model.kind}/${model.name}`} model={model} />
        ))}
      </SimpleGrid>
    </section>
  );
}

/** What to do where nothing but the demo can be used. */
const demoOnly: Readonly<Record<string, string>> = {
  Rewards:
    "So far only the built-in demo reward can be used. It knows nothing but coloured shapes: for pictures of the real world, download or add ImageReward.",
  Pipelines:
    "So far only the built-in demo model can draw. To refine pictures of your own, add the one-step model that made them, such as SD-Turbo: a diffusers folder or a single file.",
};
