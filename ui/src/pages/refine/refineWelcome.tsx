// Refine without a picture: what it does, how to begin, and what was refined before.

import { Button, Group, Stack, Text } from "@mantine/core";
import { IconWand } from "@tabler/icons-react";
import { Link } from "wouter";
import { EmptyState } from "../../components/emptyState.tsx";
import { Page } from "../../components/page.tsx";
import { RecentJobs, useRecent } from "../../components/recentJobs.tsx";

const lead = "Makes a picture fit its prompt better by improving the noise that it grew from.";

export function RefineWelcome() {
  const none = useRecent("refine").length === 0;
  return (
    <Page title="Refine" lead={lead}>
      <Stack gap="lg">
        <RecentJobs kind="refine" title="Recent refines" />
        <EmptyState
          icon={<IconWand size={40} stroke={1.5} />}
          title={none ? "Nothing was refined yet" : "How to begin another one"}
          actions={<Begin />}
        >
          <Text>
            Choose a picture in the library and press Refine. Its file says how it was made; Renoir makes it again, asks
            a reward what would fit the prompt better, and changes the noise step by step. You watch, compare, and keep
            the result or not. The original stays as it is.
          </Text>
        </EmptyState>
      </Stack>
    </Page>
  );
}

const Begin = () => (
  <Group gap="xs" justify="center">
    <Button component={Link} href="/">
      Choose a picture
    </Button>
    <Button component={Link} href="/refine?prompt=" variant="default">
      Begin with a prompt
    </Button>
  </Group>
);
