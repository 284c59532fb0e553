import { Text } from "@mantine/core";
import { IconBrush } from "@tabler/icons-react";
import { EmptyState } from "../../components/emptyState.tsx";
import { TextLink } from "../../components/textLink.tsx";

export const GenerateWelcome = () => (
  <EmptyState icon={<IconBrush size={40} stroke={1.5} />} title="Pictures appear here">
    <Text>
      Say what to draw and press Generate. Each picture is scored as it comes; keep the good ones, refine those that
      almost fit. Models of your own that draw in one step, such as SD-Turbo, are added under{" "}
      <TextLink href="/models">Models</TextLink>.
    </Text>
  </EmptyState>
);
