import { Button, Group, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { ApiError, api } from "../../api.ts";
import { Card } from "../../components/card.tsx";
import { say } from "../../components/toasts.tsx";

/** For pictures that lie elsewhere. */
export function AddFolder() {
  const client = useQueryClient();
  const [path, setPath] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string>();
  const add = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await api.addFolder(path.trim());
      await client.invalidateQueries({ queryKey: ["hosts"] });
      say("The folder is being read into the library.");
      setPath("");
    } catch (failure) {
      setError(
        failure instanceof ApiError ? [failure.message, failure.hint].filter(Boolean).join(" ") : String(failure),
      );
    }
    setBusy(false);
  };
  return (
    <Card title="Pictures elsewhere">
      <form onSubmit={add}>
        <Group align="flex-start" gap="xs">
          <TextInput
            label="Folder on this machine"
            description="Its pictures are read where they lie, and new ones as they appear"
            value={path}
            error={error}
            onChange={({ currentTarget: { value } }) => setPath(value)}
            style={{ flex: "1 1 18rem" }}
          />
          <Button type="submit" variant="default" loading={busy} disabled={!path.trim()} mt={{ base: 0, sm: 44 }}>
            Add the folder
          </Button>
        </Group>
      </form>
    </Card>
  );
}
