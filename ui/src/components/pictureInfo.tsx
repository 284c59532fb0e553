// What a picture's file says: as fields, and as the host's own PNG Info shows it.

import { ActionIcon, Alert, CopyButton, Group, Stack, Table, Tabs, Text } from "@mantine/core";
import { IconAlertTriangle, IconCheck, IconCopy } from "@tabler/icons-react";
import type { ReactNode } from "react";
import type { InfoReply } from "../../../src/server/api/pictures.ts";
import classes from "./pictureInfo.module.css";

export function PictureInfo({ info }: { info: InfoReply }) {
  return (
    <Stack gap="sm">
      {info.warnings.length > 0 && (
        <Alert color="yellow" icon={<IconAlertTriangle aria-hidden />} role="note" aria-label="Warnings">
          {info.warnings.map((warning) => (
            <Text size="sm" key={warning}>
              {warning}
            </Text>
          ))}
        </Alert>
      )}
      <Tabs defaultValue="fields" keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="fields">Fields</Tabs.Tab>
          <Tabs.Tab value="infotext">PNG info</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="fields" pt="sm">
          <Fields info={info} />
        </Tabs.Panel>
        <Tabs.Panel value="infotext" pt="sm">
          <Infotext info={info} />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}

function Fields({ info }: { info: InfoReply }) {
  const settings = Object.entries(info.settings);
  if (!info.prompt && settings.length === 0) return <Text c="dimmed">This file does not say how it was made.</Text>;
  return (
    <Stack gap="sm">
      <LongField label="Prompt" text={info.prompt} />
      <LongField label="Negative prompt" text={info.negativePrompt} />
      {settings.length > 0 && (
        <Table className={classes.settings} layout="fixed" verticalSpacing={4} horizontalSpacing="xs">
          <Table.Caption className={classes.caption}>Settings</Table.Caption>
          <Table.Tbody>
            {settings.map(([name, value]) => (
              <Table.Tr key={name}>
                <Table.Th scope="row" w="40%">
                  {name}
                </Table.Th>
                <Table.Td>{value}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Stack>
  );
}

function LongField({ label, text }: { label: string; text: string | null }) {
  if (!text) return null;
  return (
    <Labelled label={label} action={<Copy what={label.toLowerCase()} text={text} />}>
      <Text size="sm" className={classes.long}>
        {text}
      </Text>
    </Labelled>
  );
}

function Infotext({ info: { infotext, carriers } }: { info: InfoReply }) {
  const kept = carriers.map(({ kind, keyword, bytes }) => `${kind} ${keyword} (${bytes.toLocaleString()} bytes)`);
  if (infotext === null) return <Text c="dimmed">This file holds no such text.</Text>;
  return (
    <Labelled label="As the host shows it" action={<Copy what="PNG info" text={infotext} />}>
      <pre className={classes.infotext}>{infotext}</pre>
      {kept.length > 0 && (
        <Text size="xs" c="dimmed" mt={4}>
          In the file as {kept.join(", ")}.
        </Text>
      )}
    </Labelled>
  );
}

export function Labelled({ label, action, children }: { label: string; action?: ReactNode; children: ReactNode }) {
  return (
    <div>
      <Group justify="space-between" mih="1.75rem" wrap="nowrap">
        <Text size="sm" fw={600}>
          {label}
        </Text>
        {action}
      </Group>
      {children}
    </div>
  );
}

export function Copy({ what, text }: { what: string; text: string }) {
  return (
    <CopyButton value={text}>
      {({ copied, copy }) => (
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={copied ? `Copied the ${what}` : `Copy the ${what}`}
          onClick={copy}
        >
          {copied ? <IconCheck size={18} aria-hidden /> : <IconCopy size={18} aria-hidden />}
        </ActionIcon>
      )}
    </CopyButton>
  );
}
