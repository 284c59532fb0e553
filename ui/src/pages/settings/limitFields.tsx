// From which score on a picture is great, and below which it is weak, for each reward.

import { Input, NumberInput, SimpleGrid, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { Settings } from "../../../../src/server/api/system.ts";
import { api } from "../../api.ts";
import { limitsOf } from "../../components/scoreBadge.tsx";
import classes from "./limitFields.module.css";
import { Saved } from "./saved.tsx";
import { useDraft, useSaving } from "./useSetting.ts";

type Limits = Settings["limits"][string];

export function LimitFields({ settings }: { settings: Settings }) {
  const { data: facets } = useQuery({ queryKey: ["facets"], queryFn: ({ signal }) => api.facets(signal) });
  const rewards = new Set([...Object.keys(settings.limits), ...(facets?.rewards ?? []).map(({ name }) => name)]);
  return (
    <Stack gap="md">
      <Text size="sm" c="dimmed">
        What lies between is ok. The library’s histogram has the same limits as handles.
      </Text>
      {[...rewards].sort().map((reward) => (
        <RewardLimits key={reward} reward={reward} settings={settings} />
      ))}
    </Stack>
  );
}

function RewardLimits({ reward, settings }: { reward: string; settings: Settings }) {
  const limits = limitsOf(settings, reward);
  const { save, saved, error } = useSaving();
  const [weak, setWeak] = useDraft<number | string>(limits.weak, saved);
  const [great, setGreat] = useDraft<number | string>(limits.great, saved);
  const problem = problemOf(weak, great) ?? error;
  const commit = () => {
    const next: Limits = { weak: Number(weak), great: Number(great) };
    const same = next.weak === limits.weak && next.great === limits.great;
    if (!same && !problemOf(weak, great)) save({ limits: { ...settings.limits, [reward]: next } });
  };
  const field = { step: 0.1, decimalScale: 4, onBlur: commit };
  return (
    <fieldset className={classes.limits}>
      <legend>
        {reward}
        <Saved saved={saved} />
      </legend>
      <SimpleGrid cols={2} spacing="sm" mt={4}>
        <NumberInput {...field} label="Weak below" value={weak} onChange={setWeak} />
        <NumberInput {...field} label="Great from" value={great} onChange={setGreat} />
      </SimpleGrid>
      {problem && <Input.Error mt={4}>{problem}</Input.Error>}
    </fieldset>
  );
}

function problemOf(weak: number | string, great: number | string): string | undefined {
  if (weak === "" || great === "") return "Both limits are wanted.";
  return Number(weak) > Number(great) ? `Weak below ${weak} and great from ${great} overlap.` : undefined;
}
