import { Badge } from "@mantine/core";

/** On all that comes with Renoir so that it can be tried, and is no match for the published models. */
export const DemoBadge = () => (
  <Badge variant="light" radius="sm" tt="none" fw={600}>
    built-in demo
  </Badge>
);
