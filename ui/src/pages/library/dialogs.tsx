// The library's dialogs: a folder to add, a folder to move to, a last question, the keys.

import { Button, Group, Kbd, Modal, Select, Stack, Switch, Table, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "../../api.ts";
import { ErrorNote } from "../../components/errorNote.tsx";
import { say } from "../../components/toasts.tsx";
import { pictures } from "./actions.tsx";

export interface DialogProps {
  readonly opened: boolean;
  readonly onClose: () => void;
}

export const useFolders = () =>
  useQuery({ queryKey: ["library", "folders"], queryFn: ({ signal }) => api.folders(signal) }).data?.items;

export function AddFolderDialog({ opened, onClose }: DialogProps) {
  const [path, setPath] = useState("");
  const [watch, setWatch] = useState(true);
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await api.addFolder(path.trim(), watch);
      say("The folder is being looked through; its pictures appear as they are found.");
      setPath("");
      onClose();
    } catch (refusal) {
      setError(refusal);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal opened={opened} onClose={onClose} title="Add a folder">
      <form onSubmit={(event) => void submit(event)}>
        <Stack>
          <TextInput
            label="Folder"
            description="Its full path on the machine where Renoir runs. Your pictures stay where they are."
            placeholder="/home/you/stable-diffusion-webui/outputs"
            value={path}
            onChange={({ currentTarget: { value } }) => setPath(value)}
            required
            data-autofocus
          />
          <Switch
            label="Watch it: new pictures appear, and are scored, by themselves"
            checked={watch}
            onChange={({ currentTarget: { checked } }) => setWatch(checked)}
          />
          <ErrorNote error={error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={busy} disabled={path.trim() === ""}>
              Add folder
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

export function MoveDialog({
  opened,
  onClose,
  count,
  onMove,
}: DialogProps & { count: number; onMove: (to: string) => void }) {
  const [to, setTo] = useState<string | null>(null);
  const folders = useFolders() ?? [];
  return (
    <Modal opened={opened} onClose={onClose} title={`Move ${pictures(count)}`}>
      <Stack>
        <Select
          label="To this folder of the library"
          data={folders.filter(({ available }) => available).map(({ path }) => path)}
          value={to}
          onChange={setTo}
          searchable
          data-autofocus
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button disabled={!to} onClick={() => to && onMove(to)}>
            Move
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

export function DeleteDialog({
  opened,
  onClose,
  count,
  onDelete,
}: DialogProps & { count: number; onDelete: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title={`Delete ${pictures(count)}?`}>
      <Stack>
        <Text>Their files go to Renoir’s trash, and after some days to the system’s. Undo brings them back.</Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button color="red" onClick={onDelete} data-autofocus>
            Delete
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

const keys: readonly [string[], string][] = [
  [["←", "→", "↑", "↓"], "to another picture; with Shift, choose on the way"],
  [["Space"], "choose this picture, or no longer"],
  [["Ctrl", "A"], "choose all that the filters let through"],
  [["Esc"], "choose none"],
  [["Enter"], "open the picture (or double-click it)"],
  [["C"], "compare the two chosen"],
  [["W"], "write the scores into the files"],
  [["S"], "score again"],
  [["X"], "reject, or restore among the rejected"],
  [["M"], "move to another folder"],
  [["Delete"], "delete"],
  [["Ctrl", "Z"], "undo the latest change"],
  [["/"], "to the search field"],
  [["?"], "this help"],
];

export function KeysDialog({ opened, onClose }: DialogProps) {
  return (
    <Modal opened={opened} onClose={onClose} title="Keys" size="lg">
      <Table>
        <Table.Tbody>
          {keys.map(([names, does]) => (
            <Table.Tr key={does}>
              <Table.Th scope="row" w="12rem">
                <Group gap={4}>
                  {names.map((name) => (
                    <Kbd key={name}>{name}</Kbd>
                  ))}
                </Group>
              </Table.Th>
              <Table.Td>{does}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Text size="sm" c="dimmed" mt="sm">
        With the mouse: Ctrl-click adds a picture, Shift-click all up to it. The two limits of the histogram are moved
        with the arrow keys, in larger steps with Page Up and Page Down.
      </Text>
    </Modal>
  );
}
