import { Group, Stack, Text } from "@mantine/core";
import type { LibraryPicture } from "../../../../src/server/api/library.ts";
import { DemoBadge } from "../../components/demoBadge.tsx";
import { formatScore, ScoreBadge } from "../../components/scoreBadge.tsx";
import { Tag } from "../../components/tag.tsx";
import { useIsDemo } from "../../queries.ts";

const WRITTEN_DIGITS = 4; // as files hold them

/** By every reward that looked at the picture, with what is to be known of the number. */
export function Scores({ picture: { allScores, info } }: { picture: LibraryPicture }) {
  const isDemo = useIsDemo();
  return (
    <Stack gap="xs">
      {allScores.length === 0 && (
        <Text size="sm" c="dimmed">
          Not scored yet. “Score” asks the rewards of the settings.
        </Text>
      )}
      {allScores.map((entry) => (
        <div key={`${entry.reward} ${entry.version}`}>
          <Group gap="xs">
            <Text fw={600}>{entry.reward}</Text>
            <ScoreBadge score={entry.score} reward={entry.reward} />
            <Mark inFile={info.scores[entry.reward]} score={entry.score} />
            {isDemo(entry.reward) && <DemoBadge />}
            {entry.approximate && <Tag>approximate</Tag>}
          </Group>
          <Text size="xs" c="dimmed">
            {formatScore(entry.score, WRITTEN_DIGITS)},{" "}
            {entry.version === "file" ? "as the file says" : `by version ${entry.version}`},{" "}
            {new Date(entry.at).toLocaleString()}
          </Text>
        </div>
      ))}
    </Stack>
  );
}

function Mark({ inFile, score }: { inFile: number | undefined; score: number }) {
  if (inFile === undefined) return null;
  const same = inFile.toFixed(WRITTEN_DIGITS) === score.toFixed(WRITTEN_DIGITS);
  return <Tag>{same ? "in the file" : `in the file: ${formatScore(inFile, WRITTEN_DIGITS)}`}</Tag>;
}
