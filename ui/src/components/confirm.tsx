import { Button, Group, Modal } from "@mantine/core";
import type { ReactNode } from "react";
import { useBusy } from "./useBusy.ts";

export interface ConfirmProps {
  readonly opened: boolean;
  readonly onClose: () => void;
  /** As a question. */
  readonly title: string;
  /** What happens then. */
  readonly children: ReactNode;
  readonly yes: string;
  readonly no?: string;
  readonly colour?: string;
  readonly onYes: () => Promise<unknown>;
}

/** Asks before what can not be undone. */
export function Confirm({ opened, onClose, title, children, yes, no = "No, leave it", colour, onYes }: ConfirmProps) {
  const [busy, run] = useBusy();
  const confirm = () => run(onYes).then(onClose);
  return (
    <Modal opened={opened} onClose={onClose} title={title} closeButtonProps={{ "aria-label": "Close" }}>
      {children}
      <Group justify="flex-end" mt="md" gap="xs">
        <Button variant="default" onClick={onClose}>
          {no}
        </Button>
        <Button color={colour} loading={busy} onClick={confirm}>
          {yes}
        </Button>
      </Group>
    </Modal>
  );
}
