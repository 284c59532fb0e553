import { Paper, Stack, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";

export interface EmptyStateProps {
  readonly icon?: ReactNode;
  readonly title: string;
  /** What the place is for and what to do next. */
  readonly children?: ReactNode;
  readonly actions?: ReactNode;
}

export function EmptyState({ icon, title, children, actions }: EmptyStateProps) {
  return (
    <Paper p="xl" radius="lg" withBorder bg="var(--surface)" maw="44rem" mx="auto" mt="xl">
      <Stack align="center" gap="sm" ta="center">
        {icon && (
          <Text c="var(--accent-text)" component="div" lh={0}>
            {icon}
          </Text>
        )}
        <Title order={2}>{title}</Title>
        {children && (
          <Text c="dimmed" component="div">
            {children}
          </Text>
        )}
        {actions}
      </Stack>
    </Paper>
  );
}
