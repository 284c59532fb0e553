import { Group, Stack, Table, Text, Title } from "@mantine/core";
import type { LibraryPicture } from "../../../../src/server/api/library.ts";
import { Copy } from "../../components/pictureInfo.tsx";

export function FileFacts({ picture }: { picture: LibraryPicture }) {
  const { path, folder, width, height, bytes, format, modified } = picture;
  const facts = [
    ["Size", `${width} × ${height} pixels`],
    ["File", `${format.toUpperCase()}, ${(bytes / 1000).toLocaleString(undefined, { maximumFractionDigits: 0 })} kB`],
    ["Changed", new Date(modified).toLocaleString()],
  ];
  return (
    <Stack gap="xs">
      <Title order={2} size="h4">
        File
      </Title>
      <PathLine label="path" path={path} />
      <PathLine label="folder’s path" path={folder} />
      <Table verticalSpacing={4} horizontalSpacing={0}>
        <Table.Tbody>
          {facts.map(([name, value]) => (
            <Table.Tr key={name}>
              <Table.Th scope="row" w="6rem" fw={500} c="dimmed">
                {name}
              </Table.Th>
              <Table.Td>{value}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Stack>
  );
}

const PathLine = ({ label, path }: { label: string; path: string }) => (
  <Group gap={4} wrap="nowrap" align="flex-start">
    <Text size="sm" flex={1} style={{ overflowWrap: "anywhere" }}>
      {path}
    </Text>
    <Copy what={label} text={path} />
  </Group>
);
