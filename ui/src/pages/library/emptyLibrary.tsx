import { Alert, Button, Group } from "@mantine/core";
import { IconInfoCircle, IconPhotoPlus } from "@tabler/icons-react";
import { Link } from "wouter";
import { EmptyState } from "../../components/emptyState.tsx";

/** The next step for who has nothing here yet. */
export function EmptyLibrary({ onAdd }: { onAdd: () => void }) {
  return (
    <EmptyState
      icon={<IconPhotoPlus size={44} aria-hidden />}
      title="No pictures yet"
      actions={
        <Group justify="center" mt="xs">
          <Button onClick={onAdd}>Add a folder</Button>
          <Button variant="default" component={Link} href="/drop">
            Drop pictures
          </Button>
          <Button variant="default" component={Link} href="/generate">
            Generate some
          </Button>
        </Group>
      }
    >
      Add the folder where your generation UI saves its pictures: Renoir scores them and lets you sort, filter and
      refine them. Or drop a few pictures to have them scored without storing anything.
    </EmptyState>
  );
}

export function DemoNotice({ onAdd }: { onAdd: () => void }) {
  return (
    <Alert icon={<IconInfoCircle aria-hidden />} mb="md" role="note" aria-label="About these pictures">
      <Group gap="sm" justify="space-between">
        These few pictures are the built-in demo: Renoir’s own small models drew and scored them.
        <Button size="compact-sm" onClick={onAdd}>
          Add your own folder
        </Button>
      </Group>
    </Alert>
  );
}
