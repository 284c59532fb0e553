// Scores of pictures that are only passing through.

import { Button, FileButton, Group, Paper, Select, Text } from "@mantine/core";
import { IconPhotoDown } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { DemoReward } from "../../components/demoReward.tsx";
import { Page } from "../../components/page.tsx";
import { useIsDemo } from "../../queries.ts";
import { pictures } from "../library/actions.tsx";
import classes from "./dropPage.module.css";
import { takeOffered, useOffered } from "./dropped.ts";
import { DroppedTable } from "./droppedTable.tsx";
import { type Dropped, useDropped } from "./scored.ts";

export function DropPage() {
  const { items, add, remove, scoreWith } = useDropped();
  const offered = useOffered();
  const isDemo = useIsDemo();
  useEffect(() => {
    if (offered.length > 0) add(takeOffered());
  });
  const rewards = [...new Set(items.flatMap(({ scores }) => Object.keys(scores)))];
  const [order, setOrder] = useState<string | null>(null);
  const by = order !== null && rewards.includes(order) ? order : undefined;
  const waiting = items.filter(({ state }) => state !== "done").length;
  return (
    <Page
      title="Drop"
      lead="Pictures dropped here are scored and their PNG info is shown. Nothing is stored."
      actions={items.length > 0 && <Choose onChoose={add} />}
    >
      {items.length === 0 ? (
        <Paper className={classes.zone} radius="lg">
          <IconPhotoDown size={48} stroke={1.5} aria-hidden />
          <Text fw={600} size="lg">
            Drop pictures, or paste one
          </Text>
          <Text c="dimmed" ta="center" maw="40ch">
            PNG, JPEG, WebP or AVIF, as your generation UI saved them: the prompt is read from the file.
          </Text>
          <Choose onChoose={add} />
        </Paper>
      ) : (
        <>
          <Group justify="space-between" mb="sm">
            <Text role="status" c="dimmed">
              {waiting > 0
                ? `${waiting.toLocaleString()} of ${pictures(items.length)} to go`
                : `${pictures(items.length)}`}
            </Text>
            <Group gap="xs">
              <Select
                aria-label="Order"
                data={[
                  { value: "", label: "As dropped" },
                  ...rewards.map((value) => ({ value, label: `Best ${value} first` })),
                ]}
                value={by ?? ""}
                onChange={setOrder}
                allowDeselect={false}
                w="13rem"
              />
              <Button variant="default" onClick={() => remove()}>
                Clear
              </Button>
            </Group>
          </Group>
          {rewards.filter(isDemo).map((reward) => (
            <DemoReward key={reward} reward={reward} />
          ))}
          <DroppedTable items={sorted(items, by)} onRemove={remove} onPrompt={scoreWith} />
        </>
      )}
    </Page>
  );
}

/** Best first; those without a score come last, as they were dropped. */
function sorted(items: readonly Dropped[], reward: string | undefined): readonly Dropped[] {
  if (reward === undefined) return items;
  const score = (item: Dropped) => item.scores[reward] ?? -Infinity;
  return items.toSorted((a, b) => (score(a) === score(b) ? a.key - b.key : score(b) - score(a)));
}

const Choose = ({ onChoose }: { onChoose: (files: readonly File[]) => void }) => (
  <FileButton multiple accept="image/*" onChange={onChoose}>
    {(props) => <Button {...props}>Choose pictures</Button>}
  </FileButton>
);
