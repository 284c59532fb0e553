import { Text } from "@mantine/core";
import { Link } from "wouter";

/** Said wherever scores of the demo reward are shown: nobody shall take them for a judgement of real pictures. */
export const DemoReward = ({ reward }: { reward: string }) => (
  <Text size="sm" c="dimmed">
    {reward} is a built-in demo model and knows pictures of coloured shapes only. For others,{" "}
    <Link href="/models">add a reward model</Link>.
  </Text>
);
