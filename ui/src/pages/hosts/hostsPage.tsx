// Hosts: the generation UIs on this machine, and what Renoir can do with their pictures now.

import { Button, Code, Loader, SimpleGrid, Stack, Text } from "@mantine/core";
import { IconFolderPlus, IconPlug } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { HostList } from "../../../../src/server/api/system.ts";
import { api } from "../../api.ts";
import { Card } from "../../components/card.tsx";
import { EmptyState } from "../../components/emptyState.tsx";
import { ErrorNote } from "../../components/errorNote.tsx";
import { Facts } from "../../components/facts.tsx";
import { Page } from "../../components/page.tsx";
import { Tag } from "../../components/tag.tsx";
import { TextLink } from "../../components/textLink.tsx";
import { say } from "../../components/toasts.tsx";
import { useBusy } from "../../components/useBusy.ts";
import { abilitiesOf } from "./abilities.ts";
import { AddFolder } from "./addFolder.tsx";
import classes from "./hostsPage.module.css";

type Host = HostList["items"][number];

export function HostsPage() {
  const { data, error, refetch } = useQuery({ queryKey: ["hosts"], queryFn: ({ signal }) => api.hosts(signal) });
  return (
    <Page
      title="Hosts"
      lead="The UIs that make your pictures. Nothing in them is changed unless you install Renoir in them."
    >
      <Stack gap="lg">
        <ErrorNote error={error} onRetry={() => void refetch()} />
        {!data && !error && <Loader aria-label="Hosts are being looked for" />}
        {data?.items.length === 0 && <NoHosts />}
        <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
          {data?.items.map((host) => (
            <HostCard key={host.path} host={host} />
          ))}
        </SimpleGrid>
        {data && <AddFolder />}
      </Stack>
    </Page>
  );
}

const NoHosts = () => (
  <EmptyState icon={<IconPlug size={40} stroke={1.5} />} title="No generation UI was found">
    <Text>
      Renoir looked for A1111, Forge, SD.Next and ComfyUI beside itself, in your home folder and in the usual places. If
      yours lies elsewhere, add the folder in which it saves its pictures below.
    </Text>
  </EmptyState>
);

function HostCard({ host }: { host: Host }) {
  const { id, name, path, pictures, inLibrary } = host;
  return (
    <Card title={name} aside={inLibrary && <InLibrary />}>
      <Facts facts={{ Folder: path, Pictures: pictures }} />
      <Text size="sm" fw={550} mt="sm">
        What works now
      </Text>
      <ul className={classes.abilities}>
        {abilitiesOf(name).map((ability) => (
          <li key={ability}>{ability}</li>
        ))}
      </ul>
      <Text size="sm" c="dimmed">
        To have it within {name} itself: <Code>{`npx renoir install ${id} "${path}"`}</Code>
      </Text>
      {inLibrary ? (
        <Text size="sm" mt="sm">
          <TextLink href="/">To the library</TextLink>
        </Text>
      ) : (
        <AddPictures host={host} />
      )}
    </Card>
  );
}

const InLibrary = () => <Tag tone="good">in the library</Tag>;

function AddPictures({ host: { name, pictures } }: { host: Host }) {
  const client = useQueryClient();
  const [busy, run] = useBusy();
  const add = async () => {
    await api.addFolder(pictures);
    await client.invalidateQueries({ queryKey: ["hosts"] });
    say(`${name}’s pictures are being read into the library.`);
  };
  return (
    <Button mt="sm" leftSection={<IconFolderPlus size={18} aria-hidden />} loading={busy} onClick={() => run(add)}>
      Add its pictures to the library
    </Button>
  );
}
