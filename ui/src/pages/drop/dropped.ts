// Files on their way to the Drop page, wherever they were dropped.

import { useSyncExternalStore } from "react";

let waiting: readonly File[] = [];
const listeners = new Set<() => void>();

export function offer(files: readonly File[]): void {
  waiting = [...waiting, ...files];
  for (const listener of listeners) listener();
}

/** Those offered and not yet taken. */
export const useOffered = () => useSyncExternalStore(subscribe, () => waiting);

export function takeOffered(): readonly File[] {
  const taken = waiting;
  waiting = [];
  for (const listener of listeners) listener();
  return taken;
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
