import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "../../api.ts";
import { ErrorNote } from "../../components/errorNote.tsx";
import { say } from "../../components/toasts.tsx";

export function AddModel({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Add a model" closeButtonProps={{ "aria-label": "Close" }}>
      <AddForm onDone={onClose} />
    </Modal>
  );
}

function AddForm({ onDone }: { onDone: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [path, setPath] = useState("");
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const add = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      const model = await api.addModel(name.trim(), path.trim());
      await client.invalidateQueries({ queryKey: ["models"] });
      say(`${model.name} was added as a ${model.kind}.`);
      onDone();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <form onSubmit={add}>
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          The file stays where it is: nothing is copied or converted. It is opened once to see whether it can be used.
        </Text>
        <TextInput
          label="Name"
          description="imagereward for the reward’s checkpoint, or any name for a model that draws, such as sd-turbo"
          required
          data-autofocus
          value={name}
          onChange={({ currentTarget: { value } }) => setName(value)}
        />
        <TextInput
          label="Path on this machine"
          description="A .safetensors, .pt or .ckpt file, or a diffusers folder"
          required
          value={path}
          onChange={({ currentTarget: { value } }) => setPath(value)}
        />
        <ErrorNote error={error} />
        <Group justify="flex-end">
          <Button type="submit" loading={busy} disabled={!name.trim() || !path.trim()}>
            Add
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
