// How long a step takes and how long the rest will.

import type { JobStep } from "../../../../src/server/api/jobs.ts";

/** The median of the latest steps: the first one compiles the graph and would mislead. */
export function stepTime(steps: readonly JobStep[], latest = 7): number | undefined {
  const times = steps
    .slice(1)
    .slice(-latest)
    .flatMap(({ ms }) => (ms === undefined ? [] : [ms]))
    .sort((a, b) => a - b);
  return times[times.length >> 1] ?? steps[0]?.ms;
}

/** Milliseconds until the last step. */
export function remaining(steps: readonly JobStep[], total: number | null | undefined): number | undefined {
  const time = stepTime(steps);
  return time === undefined || total == null ? undefined : Math.max(0, total - steps.length) * time;
}
