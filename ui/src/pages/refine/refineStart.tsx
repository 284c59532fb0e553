// Before a refine: the picture, what its file says, and the form.

import { Loader, SimpleGrid, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api } from "../../api.ts";
import { Card } from "../../components/card.tsx";
import { DemoBadge } from "../../components/demoBadge.tsx";
import { ErrorNote } from "../../components/errorNote.tsx";
import { Facts } from "../../components/facts.tsx";
import { Note } from "../../components/note.tsx";
import { Page } from "../../components/page.tsx";
import { PictureFrame } from "../../components/pictureFrame.tsx";
import { TextLink } from "../../components/textLink.tsx";
import { useModels, useSettings } from "../../queries.ts";
import { demoName } from "./demo.ts";
import { valuesFor } from "./formValues.ts";
import { type Origin, originOfPicture, originOfPrompt } from "./origin.ts";
import { originOfJob } from "./originOfJob.ts";
import { RefineForm } from "./refineForm.tsx";

export const RefineFromPicture = ({ id }: { id: string }) => (
  <Begin origin={useOrigin(["picture", id], async () => originOfPicture(await api.picture(id)))} />
);

export const RefineFromJob = ({ id, index }: { id: string; index: number }) => (
  <Begin origin={useOrigin(["made", id, index], async () => originOfJob(await api.job(id), index))} />
);

export const RefineFromPrompt = ({ prompt }: { prompt: string }) => (
  <Begin origin={{ data: originOfPrompt(prompt), error: null }} />
);

const useOrigin = (key: readonly unknown[], queryFn: () => Promise<Origin>) =>
  useQuery({ queryKey: ["origin", ...key], queryFn, staleTime: 0 });

function Begin({ origin: { data: origin, error } }: { origin: { data?: Origin; error: unknown } }) {
  const models = useModels();
  const settings = useSettings();
  const failure = error ?? models.error ?? settings.error;
  return (
    <Page title="Refine" lead="Makes a picture fit its prompt better by improving the noise that it grew from.">
      {failure ? (
        <Stack maw="44rem">
          <ErrorNote error={failure} />
          <Text>
            <TextLink href="/refine">To recent refines</TextLink>, or <TextLink href="/">to the library</TextLink>
          </Text>
        </Stack>
      ) : origin && models.data && settings.data ? (
        <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg">
          <OriginCard origin={origin} />
          <Card title="What to aim for">
            <RefineForm
              origin={origin}
              models={models.data.items}
              initial={valuesFor(origin, models.data.items, settings.data)}
            />
          </Card>
        </SimpleGrid>
      ) : (
        <Loader aria-label="The picture is being read" />
      )}
    </Page>
  );
}

function OriginCard({ origin }: { origin: Origin }) {
  const { picture, prompt, negativePrompt, seed, model, width, height, host, warnings } = origin;
  if (!picture) {
    return (
      <Card title="Begin with a prompt">
        <Text size="sm">
          The model draws a picture from the prompt and the seed’s noise; that is step 0. Then the noise is changed,
          step by step, towards what the reward likes. The same prompt and seed always begin with the same picture.
        </Text>
      </Card>
    );
  }
  const modelFact = model === demoName ? <DemoModel /> : model;
  return (
    <Card title="The picture">
      <Stack gap="sm">
        <PictureFrame
          src={picture.src}
          alt={prompt || picture.name}
          width={width}
          height={height}
          style={{ width: "100%", maxWidth: "26rem", maxHeight: "60vh", marginInline: "auto" }}
        />
        <Facts
          facts={{
            Prompt: prompt,
            Negative: negativePrompt,
            Seed: seed,
            Model: modelFact,
            Size: width && height ? `${width} × ${height}` : undefined,
            "Made by": host,
          }}
        />
        {!prompt && (
          <Note tone="warning" title="This file does not say how it was made">
            <p>
              Without its own prompt and seed the picture itself can not be refined. Give both, and another picture is
              made from them and refined.
            </p>
          </Note>
        )}
        {warnings.map((warning) => (
          <Text key={warning} size="sm" c="dimmed">
            {warning}
          </Text>
        ))}
      </Stack>
    </Card>
  );
}

const DemoModel = () => (
  <>
    {demoName} <DemoBadge />
  </>
);
