// The limits between weak, ok and great: everything is coloured by them at once, the server hears of them while they move.

import { useThrottledCallback } from "@mantine/hooks";
import { useQueryClient } from "@tanstack/react-query";
import type { Settings } from "../../../../src/server/api/system.ts";
import { type Limits, limitsOf } from "../../components/scoreBadge.tsx";
import { sayError } from "../../components/toasts.tsx";
import { useChangeSettings, useSettings } from "../../queries.ts";

const BETWEEN_MS = 150;

export function useLimits(reward: string, onChanged: () => void): [Limits, (limits: Limits) => void] {
  const client = useQueryClient();
  const { data: settings } = useSettings();
  const { mutate } = useChangeSettings();
  const send = useThrottledCallback((limits: Settings["limits"]) => {
    mutate({ limits }, { onSuccess: onChanged, onError: sayError });
  }, BETWEEN_MS);

  const change = (limits: Limits) => {
    if (!settings) return;
    const name = Object.keys(settings.limits).find((known) => known.toLowerCase() === reward.toLowerCase()) ?? reward;
    const all = { ...settings.limits, [name]: limits };
    client.setQueryData<Settings>(["settings"], { ...settings, limits: all });
    send(all);
  };
  return [limitsOf(settings, reward), change];
}
