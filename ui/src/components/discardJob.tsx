import { Button, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconTrash } from "@tabler/icons-react";
import { useLocation } from "wouter";
import { api } from "../api.ts";
import { Confirm } from "./confirm.tsx";
import { say } from "./toasts.tsx";

export interface DiscardJobProps {
  readonly id: string;
  /** What is lost. */
  readonly what: string;
  /** Where to go then. */
  readonly to: string;
}

/** Forgets a run and what it made. */
export function DiscardJob({ id, what, to }: DiscardJobProps) {
  const [opened, { open, close }] = useDisclosure();
  const [, navigate] = useLocation();
  const discard = async () => {
    await api.discardJob(id);
    say("The run was discarded.");
    navigate(to);
  };
  return (
    <>
      <Button variant="subtle" color="gray" leftSection={<IconTrash size={18} aria-hidden />} onClick={open}>
        Discard
      </Button>
      <Confirm opened={opened} onClose={close} title="Discard this run?" yes="Discard it" colour="red" onYes={discard}>
        <Text size="sm">{what}</Text>
      </Confirm>
    </>
  );
}
