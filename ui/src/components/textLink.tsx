import { Anchor } from "@mantine/core";
import type { ReactNode } from "react";
import { Link } from "wouter";

/** To another page, within a sentence or alone: underlined, so that colour is not all that tells. */
export const TextLink = ({ href, children }: { href: string; children: ReactNode }) => (
  <Anchor component={Link} href={href} underline="always" inherit>
    {children}
  </Anchor>
);
