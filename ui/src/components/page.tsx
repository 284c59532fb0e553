// A page: its title in the tab and as its one heading, and what can be done on it beside that.

import { Group, Text, Title } from "@mantine/core";
import { type ReactNode, useEffect, useLayoutEffect, useRef } from "react";

export interface PageProps {
  readonly title: string;
  /** One sentence under the title. */
  readonly lead?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

let shownBefore = false;

export function Page({ title, lead, actions, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = title === "Renoir" ? title : `${title} · Renoir`;
  }, [title]);
  useLayoutEffect(() => {
    window.scrollTo({ top: 0 });
  }, []);
  useEffect(() => {
    // After a move within the page a screen reader would stay where the old link was; a first load announces itself.
    if (shownBefore) heading.current?.focus({ preventScroll: true });
    shownBefore = true;
  }, []);
  return (
    <>
      <Group justify="space-between" align="center" mb="md" gap="sm">
        <div style={{ minWidth: 0 }}>
          <Title order={1} ref={heading} tabIndex={-1} style={{ outline: "none", overflowWrap: "anywhere" }}>
            {title}
          </Title>
          {lead && (
            <Text c="dimmed" mt={2} maw="70ch">
              {lead}
            </Text>
          )}
        </div>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {children}
    </>
  );
}
