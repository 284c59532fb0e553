import { type KeyboardEvent, useEffect, useState } from "react";
import type { Settings } from "../../../../src/server/api/system.ts";
import { asError } from "../../components/toasts.tsx";
import { useChangeSettings } from "../../queries.ts";

export interface Saving {
  readonly save: (change: Partial<Settings>) => void;
  readonly saved: boolean;
  /** What the server has against it, for the field. */
  readonly error: string | undefined;
}

const shownMs = 2_500;

/** One field's saving: each has its own, so that it says at its own place how it went. */
export function useSaving(): Saving {
  const { mutate, isSuccess, error, submittedAt } = useChangeSettings();
  const [faded, setFaded] = useState(0);
  useEffect(() => {
    if (!isSuccess) return;
    const timer = setTimeout(() => setFaded(submittedAt), shownMs);
    return () => clearTimeout(timer);
  }, [isSuccess, submittedAt]);
  const said = error ? asError(error) : undefined;
  return {
    save: mutate,
    saved: isSuccess && faded !== submittedAt,
    error: said && [said.message, said.hint].filter(Boolean).join(" "),
  };
}

/** What stands in a field until it is saved: half a path or number is not, and one that is refused stays to be mended. */
export function useDraft<T>(value: T, saved: boolean): [shown: T, setDraft: (draft: T | undefined) => void] {
  const [draft, setDraft] = useState<T>();
  useEffect(() => {
    if (saved) setDraft(undefined);
  }, [saved]);
  return [draft ?? value, setDraft];
}

/** What leaving a field saves, Enter does too. */
export const leaveOnEnter = ({ key, currentTarget }: KeyboardEvent<HTMLElement>) =>
  key === "Enter" && currentTarget.blur();
