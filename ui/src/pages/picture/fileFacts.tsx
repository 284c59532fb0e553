import { Group, Stack, Text } from "@mantine/core";
import type { LibraryPicture } from "../../../../src/server/api/library.ts";
import { bytesText } from "../../components/amounts.ts";
import { Facts } from "../../components/facts.tsx";
import { Copy } from "../../components/pictureInfo.tsx";

export function FileFacts({ picture }: { picture: LibraryPicture }) {
  const { path, folder, width, height, bytes, format, modified } = picture;
  const facts = {
    Size: `${width} × ${height} pixels`,
    File: `${format.toUpperCase()}, ${bytesText(bytes)}`,
    Changed: new Date(modified).toLocaleString(),
  };
  return (
    <Stack gap="xs">
      <PathLine label="file’s path" path={path} />
      <PathLine label="folder’s path" path={folder} />
      <Facts facts={facts} />
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
