import { Text } from "@mantine/core";
import { TextLink } from "./textLink.tsx";

/** Said wherever scores of the demo reward are shown: nobody shall take them for a judgement of real pictures. */
export const DemoReward = ({ reward }: { reward: string }) => (
  <Text size="sm" c="dimmed">
    {reward} is a built-in demo model and knows pictures of coloured shapes only. For others,{" "}
    <TextLink href="/models">add a reward model</TextLink>.
  </Text>
);
