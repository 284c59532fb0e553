import { ActionIcon, Button, Collapse, Group, Loader, Stack, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconX } from "@tabler/icons-react";
import { type FormEvent, useState } from "react";
import { ErrorNote } from "../../components/errorNote.tsx";
import { PictureFrame } from "../../components/pictureFrame.tsx";
import { PictureInfo } from "../../components/pictureInfo.tsx";
import { ScoreBadge } from "../../components/scoreBadge.tsx";
import classes from "./dropPage.module.css";
import type { Dropped } from "./scored.ts";

export interface DroppedTableProps {
  readonly items: readonly Dropped[];
  readonly onRemove: (key: number) => void;
  readonly onPrompt: (key: number, prompt: string) => void;
}

export const DroppedTable = ({ items, onRemove, onPrompt }: DroppedTableProps) => (
  <ul className={classes.list} aria-label="Dropped pictures">
    {items.map((item) => (
      <Row
        key={item.key}
        item={item}
        onRemove={() => onRemove(item.key)}
        onPrompt={(text) => onPrompt(item.key, text)}
      />
    ))}
  </ul>
);

interface RowProps {
  readonly item: Dropped;
  readonly onRemove: () => void;
  readonly onPrompt: (prompt: string) => void;
}

function Row({ item, onRemove, onPrompt }: RowProps) {
  const { file, url, info, prompt, scores, state, error } = item;
  const scored = Object.entries(scores);
  return (
    <li className={classes.row}>
      <PictureFrame src={url} alt={prompt ?? file.name} className={classes.picture} />
      <Stack gap="xs">
        <Group justify="space-between" wrap="nowrap" align="flex-start">
          <Text fw={600} className={classes.name}>
            {file.name}
          </Text>
          <ActionIcon variant="subtle" color="gray" aria-label={`Remove ${file.name}`} onClick={onRemove}>
            <IconX size={18} aria-hidden />
          </ActionIcon>
        </Group>
        <Group gap="xs" mih="1.75rem">
          {scored.map(([reward, score]) => (
            <ScoreBadge key={reward} reward={reward} score={score} showReward />
          ))}
          {state !== "done" && (
            <>
              <Loader size="xs" aria-hidden />
              <Text size="sm" c="dimmed">
                {state === "waiting" ? "Waiting" : "Scoring"}
              </Text>
            </>
          )}
        </Group>
        {prompt && <Text size="sm">{prompt}</Text>}
        {state === "done" && <ErrorNote error={error} />}
        {state === "done" && info && scored.length === 0 && <AskPrompt onPrompt={onPrompt} />}
        {info && <Info info={info} />}
      </Stack>
    </li>
  );
}

function AskPrompt({ onPrompt }: { onPrompt: (prompt: string) => void }) {
  const [text, setText] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onPrompt(text.trim());
  };
  return (
    <form onSubmit={submit}>
      <Group gap="xs" align="flex-end">
        <TextInput label="Prompt" flex={1} value={text} onChange={({ currentTarget: { value } }) => setText(value)} />
        <Button type="submit" variant="default" disabled={text.trim() === ""}>
          Score
        </Button>
      </Group>
    </form>
  );
}

function Info({ info }: { info: NonNullable<Dropped["info"]> }) {
  const [opened, { toggle }] = useDisclosure();
  const size = info.width && info.height ? `, ${info.width} × ${info.height}` : "";
  return (
    <div>
      <Group gap="sm">
        <Text size="sm" c="dimmed">
          {info.format.toUpperCase()}
          {size}
          {info.host && `, from ${info.host}`}
        </Text>
        <Button variant="subtle" size="compact-sm" aria-expanded={opened} onClick={toggle}>
          {opened ? "Hide what the file says" : "What the file says"}
        </Button>
      </Group>
      <Collapse expanded={opened}>
        <PictureInfo info={info} />
      </Collapse>
    </div>
  );
}
