import { Checkbox, Group, Input, Stack, Switch, Text } from "@mantine/core";
import type { Model, Settings } from "../../../../src/server/api/system.ts";
import { DemoBadge } from "../../components/demoBadge.tsx";
import { TextLink } from "../../components/textLink.tsx";
import { Saved } from "./saved.tsx";
import { useSaving } from "./useSetting.ts";

type Field = { readonly settings: Settings };

export function RewardField({ settings: { rewards }, models }: Field & { models: readonly Model[] }) {
  const { save, saved, error } = useSaving();
  const known = models.filter(({ kind }) => kind === "reward");
  return (
    <Checkbox.Group
      label={
        <>
          Rewards that score new pictures
          <Saved saved={saved} />
        </>
      }
      description="The first is the one that the library sorts and colours by."
      error={error}
      value={rewards.map(nameOf)}
      onChange={(names) => save({ rewards: withNames(rewards, names) })}
    >
      <Stack gap={8} mt="xs">
        {known.map(({ name, state, builtIn }) => (
          <Group key={name} gap="xs">
            <Checkbox
              value={name}
              label={name}
              disabled={(state !== "ready" && !rewards.some((text) => nameOf(text) === name)) || isLast(rewards, name)}
            />
            {builtIn && <DemoBadge />}
            {state !== "ready" && (
              <Text size="xs" c="dimmed">
                not here yet: <TextLink href="/models">Models</TextLink>
              </Text>
            )}
          </Group>
        ))}
      </Stack>
    </Checkbox.Group>
  );
}

/** Weights and paths that were written behind a name stay with it. */
const withNames = (rewards: readonly string[], names: readonly string[]): string[] => [
  ...rewards.filter((text) => names.includes(nameOf(text))),
  ...names.filter((name) => !rewards.some((text) => nameOf(text) === name)),
];

const nameOf = (reward: string) => reward.replace(/[=@].*$/s, "").toLowerCase();

/** One has to be there. */
const isLast = (rewards: readonly string[], name: string) => rewards.length === 1 && nameOf(rewards[0]!) === name;

export function ScoreNewField({ settings }: Field) {
  const { save, saved, error } = useSaving();
  return (
    <Input.Wrapper error={error}>
      <Switch
        label={
          <>
            Score pictures as they appear
            <Saved saved={saved} />
          </>
        }
        description="In the folders that the library watches"
        checked={settings.scoreNew}
        onChange={({ currentTarget: { checked } }) => save({ scoreNew: checked })}
      />
    </Input.Wrapper>
  );
}

export function WriteNewField({ settings }: Field) {
  const { save, saved, error } = useSaving();
  return (
    <Input.Wrapper error={error}>
      <Switch
        label={
          <>
            Write their scores into the files
            <Saved saved={saved} />
          </>
        }
        description="The pixels stay as they are. Otherwise scores are kept in the library only."
        disabled={!settings.scoreNew}
        checked={settings.writeNew}
        onChange={({ currentTarget: { checked } }) => save({ writeNew: checked })}
      />
    </Input.Wrapper>
  );
}
