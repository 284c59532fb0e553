// What is asked of the server and kept: one client, and the hooks that several pages share.

import { QueryClient, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { Settings } from "../../src/server/api/system.ts";
import { ApiError, api } from "./api.ts";
import { useServerEvent } from "./socket.ts";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      networkMode: "always", // the server is this machine: a browser that calls itself offline still reaches it
      staleTime: 30_000,
      // Only silence is worth another try; what the server refuses it will refuse again.
      retry: (failures, error) => failures < 3 && error instanceof ApiError && error.status === 0,
      refetchOnWindowFocus: false,
    },
    mutations: { networkMode: "always" },
  },
});

export const useSettings = () => useQuery({ queryKey: ["settings"], queryFn: ({ signal }) => api.settings(signal) });

/** Shown at once as changed, and set back should the server refuse. */
export function useChangeSettings() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: api.changeSettings,
    onMutate: async (change: Partial<Settings>) => {
      await client.cancelQueries({ queryKey: ["settings"] });
      const before = client.getQueryData<Settings>(["settings"]);
      if (before) client.setQueryData<Settings>(["settings"], { ...before, ...change });
      return before;
    },
    onError: (_error, _change, before) => client.setQueryData(["settings"], before),
    onSuccess: (settings) => client.setQueryData(["settings"], settings),
  });
}

/** Rewards and pipelines, asked again whenever one is loaded, let go, added or removed. */
export function useModels() {
  const client = useQueryClient();
  useServerEvent("models:changed", () => void client.invalidateQueries({ queryKey: ["models"] }));
  return useQuery({ queryKey: ["models"], queryFn: ({ signal }) => api.models(signal) });
}

/** Whether a reward, by the name that its scores have, is one of the demo models that come with Renoir. */
export function useIsDemo(): (reward: string) => boolean {
  const { data } = useModels();
  const demos = data?.items.filter(({ kind, builtIn }) => kind === "reward" && builtIn) ?? [];
  return (reward) => demos.some(({ name }) => name.toLowerCase() === reward.toLowerCase());
}
