// Short messages at the corner; Mantine puts them into a live region.

import { Button, Group, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import type { ReactNode } from "react";
import { ApiError } from "../api.ts";

const closeButtonProps = { "aria-label": "Close this message" };

export const say = (message: ReactNode) => notifications.show({ message, closeButtonProps });

/** Stays until it is closed: what went wrong should not vanish unread. */
export function sayError(error: unknown): void {
  const { message, hint } = asError(error);
  notifications.show({
    color: "red",
    title: message,
    message: hint && (
      <Text size="sm" c="dimmed">
        {hint}
      </Text>
    ),
    autoClose: false,
    closeButtonProps,
  });
}

export function sayWithUndo(message: string, undo: () => void): void {
  const id = notifications.show({
    autoClose: 12_000,
    closeButtonProps,
    message: (
      <Group justify="space-between" wrap="nowrap">
        <Text size="sm">{message}</Text>
        <Button
          size="compact-sm"
          variant="light"
          onClick={() => {
            notifications.hide(id);
            undo();
          }}
        >
          Undo
        </Button>
      </Group>
    ),
  });
}

/** What any thrown thing says to a person. */
export function asError(error: unknown): { message: string; hint?: string } {
  if (error instanceof ApiError) return { message: error.message, hint: error.hint };
  if (isReply(error)) return error;
  return { message: String(error) };
}

/** An error of a job or of one picture, as the server sends it; any Error is one too. */
const isReply = (error: unknown): error is { message: string; hint?: string } =>
  typeof error === "object" && error !== null && "message" in error;
