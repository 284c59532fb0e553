// Settings: each is saved as soon as it is changed, and says so; what the server refuses is said at the field.

import { Loader, SimpleGrid, Stack } from "@mantine/core";
import { Card } from "../../components/card.tsx";
import { ErrorNote } from "../../components/errorNote.tsx";
import { Page } from "../../components/page.tsx";
import { useModels, useSettings } from "../../queries.ts";
import { About } from "./about.tsx";
import { GatewayFields } from "./gatewayFields.tsx";
import { LimitFields } from "./limitFields.tsx";
import { IdleField, OutputField, ProviderField } from "./machineFields.tsx";
import { RewardField, ScoreNewField, WriteNewField } from "./scoringFields.tsx";

export function SettingsPage() {
  const { data: settings, error, refetch } = useSettings();
  const { data: models } = useModels();
  return (
    <Page title="Settings" lead="Every change is saved at once.">
      <ErrorNote error={error} onRetry={() => void refetch()} />
      {!settings && !error && <Loader aria-label="The settings are being read" />}
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg">
        {settings && (
          <Stack gap="lg">
            <Card title="Scoring">
              <Stack gap="md">
                <RewardField settings={settings} models={models?.items ?? []} />
                <ScoreNewField settings={settings} />
                <WriteNewField settings={settings} />
              </Stack>
            </Card>
            <Card title="Great, ok and weak">
              <LimitFields settings={settings} />
            </Card>
          </Stack>
        )}
        <Stack gap="lg">
          {settings && (
            <Card title="Files and models">
              <Stack gap="md">
                <OutputField settings={settings} />
                <IdleField settings={settings} />
                <ProviderField settings={settings} />
              </Stack>
            </Card>
          )}
          {settings && (
            <Card title="In front of a WebUI">
              <GatewayFields settings={settings} />
            </Card>
          )}
          <About />
        </Stack>
      </SimpleGrid>
    </Page>
  );
}
