// The dropped pictures, each on its way from file to score. They live in this page's memory and nowhere else.

import { useEffect, useReducer, useRef } from "react";
import type { InfoReply, ScoreReply } from "../../../../src/server/api/pictures.ts";
import { ApiError, api } from "../../api.ts";
import { asError } from "../../components/toasts.tsx";

export interface Dropped {
  readonly key: number;
  readonly file: File;
  readonly url: string;
  readonly state: "waiting" | "scoring" | "done";
  readonly info?: InfoReply;
  /** From the file, or as written here for one that has none. */
  readonly prompt?: string;
  readonly scores: Readonly<Record<string, number>>;
  readonly infotext?: string | null;
  readonly error?: { message: string; hint?: string };
}

type Action =
  | { type: "add"; items: readonly Dropped[] }
  | { type: "change"; key: number; change: Partial<Dropped> }
  | { type: "remove"; key: number | undefined };

const AT_ONCE = 3;

let nextKey = 1;

function reduce(now: readonly Dropped[], action: Action): readonly Dropped[] {
  if (action.type === "remove") return action.key === undefined ? [] : now.filter(({ key }) => key !== action.key);
  if (action.type === "change") {
    return now.map((one) => (one.key === action.key ? { ...one, ...action.change } : one));
  }
  return [...now, ...action.items];
}

export function useDropped() {
  const [items, dispatch] = useReducer(reduce, []);
  const urls = useRef<string[]>([]);

  // A few at a time: a hundred dropped files shall neither fill the memory nor starve who else asks the server.
  useEffect(() => {
    const free = AT_ONCE - items.filter(({ state }) => state === "scoring").length;
    for (const item of items.filter(({ state }) => state === "waiting").slice(0, free)) {
      const change = (change: Partial<Dropped>) => dispatch({ type: "change", key: item.key, change });
      change({ state: "scoring" });
      void scored(item, change).finally(() => change({ state: "done" }));
    }
  }, [items]);
  useEffect(() => {
    const made = urls.current;
    return () => {
      for (const url of made.splice(0)) URL.revokeObjectURL(url);
    };
  }, []);

  return {
    items,
    add: (files: readonly File[]) => {
      const items = files.map(waiting);
      urls.current.push(...items.map(({ url }) => url));
      dispatch({ type: "add", items });
    },
    remove: (key?: number) => dispatch({ type: "remove", key }),
    scoreWith: (key: number, prompt: string) =>
      dispatch({ type: "change", key, change: { prompt, state: "waiting", error: undefined } }),
  };
}

const waiting = (file: File): Dropped => ({
  key: nextKey++,
  file,
  url: URL.createObjectURL(file),
  state: "waiting",
  scores: {},
});

async function scored(item: Dropped, change: (change: Partial<Dropped>) => void): Promise<void> {
  try {
    const info = item.info ?? (await api.infoOfFile(item.file));
    const prompt = item.prompt ?? info.prompt ?? undefined;
    change({ info, prompt });
    if (prompt === undefined) throw new ApiError(noPrompt, 0);
    const { results } = await api.scoreFile(item.file, item.prompt);
    change(outcome(results[0]!));
  } catch (error) {
    change({ error: asError(error) });
  }
}

const noPrompt = {
  code: "request",
  message: "The file does not say what the picture was to show.",
  hint: "Write its prompt to have it scored.",
};

const outcome = ({ scores, infotext, error }: ScoreReply["results"][number]): Partial<Dropped> => ({
  scores,
  infotext,
  error,
});
