import { Group, Paper, Title } from "@mantine/core";
import { type ReactNode, useId } from "react";

export interface CardProps {
  /** Its heading, and its name for who jumps from region to region. */
  readonly title: string;
  /** One of many of its kind, under a heading of theirs: no region of the page, only a part of a list. */
  readonly item?: boolean;
  /** Beside the heading. */
  readonly aside?: ReactNode;
  readonly children: ReactNode;
}

/** A part of a page on a ground of its own. */
export function Card({ title, item = false, aside, children }: CardProps) {
  const id = useId();
  return (
    <Paper
      component={item ? "article" : "section"}
      aria-labelledby={id}
      withBorder
      radius="lg"
      p={{ base: "sm", xs: "md" }}
      bg="var(--surface)"
      miw={0}
    >
      <Group justify="space-between" gap="xs" mb="sm">
        <Title order={item ? 3 : 2} size="h2" id={id}>
          {title}
        </Title>
        {aside}
      </Group>
      {children}
    </Paper>
  );
}
