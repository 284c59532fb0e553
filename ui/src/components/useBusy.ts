import { useState } from "react";
import { sayError } from "./toasts.tsx";

/** Runs what a button starts, one at a time, and says what went wrong. */
export function useBusy(): [busy: boolean, run: (work: () => Promise<unknown>) => Promise<void>] {
  const [busy, setBusy] = useState(false);
  const run = async (work: () => Promise<unknown>) => {
    setBusy(true);
    try {
      await work();
    } catch (error) {
      sayError(error);
    } finally {
      setBusy(false);
    }
  };
  return [busy, run];
}
