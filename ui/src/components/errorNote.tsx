import { Alert, Button, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { asError } from "./toasts.tsx";

export interface ErrorNoteProps {
  /** An ApiError, an error of a job, or whatever was thrown; nothing is shown for none. */
  readonly error: unknown;
  readonly onRetry?: () => void;
}

export function ErrorNote({ error, onRetry }: ErrorNoteProps) {
  if (!error) return null;
  const { message, hint } = asError(error);
  return (
    <Alert color="red" icon={<IconAlertTriangle aria-hidden />} role="alert">
      <Text size="sm" fw={550} style={{ overflowWrap: "anywhere" }}>
        {message}
      </Text>
      {hint && (
        <Text size="sm" style={{ overflowWrap: "anywhere" }}>
          {hint}
        </Text>
      )}
      {onRetry && (
        <Button size="compact-sm" variant="light" color="red" mt="xs" onClick={onRetry}>
          Try again
        </Button>
      )}
    </Alert>
  );
}
