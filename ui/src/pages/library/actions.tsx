// What is done to the chosen pictures, each with its word afterwards and the way back.

import type { ChangeReply } from "../../../../src/server/api/library.ts";
import { api } from "../../api.ts";
import { say, sayError, sayWithUndo } from "../../components/toasts.tsx";
import { refreshLibrary } from "./usePictures.ts";

type Which = Parameters<typeof api.deletePictures>[0];

export const pictures = (count: number) => `${count.toLocaleString()} ${count === 1 ? "picture" : "pictures"}`;

const change = (action: "write" | "reject" | "restore" | "move") => (which: Which, to?: string) =>
  api.changeLibrary({ ...which, action, to });

/** By name: what is asked of the server, and what is said when it is done. */
const changes = {
  write: { ask: change("write"), done: "The scores now stand in the files of" },
  reject: { ask: change("reject"), done: "Rejected" },
  restore: { ask: change("restore"), done: "Restored" },
  move: { ask: change("move"), done: "Moved" },
  delete: { ask: api.deletePictures, done: "Deleted" },
} satisfies Record<string, { ask: (which: Which, to?: string) => Promise<ChangeReply>; done: string }>;

export type Change = keyof typeof changes;

/** Whether it went through for at least one picture. */
export async function changePictures(name: Change, which: Which, to?: string): Promise<boolean> {
  const { ask, done } = changes[name];
  try {
    const reply = await ask(which, to);
    if (reply.done > 0) sayWithUndo(`${done} ${pictures(reply.done)}.`, () => void undo(reply.operation));
    sayFailures(reply);
    return reply.done > 0;
  } catch (error) {
    sayError(error);
    return false;
  } finally {
    refreshLibrary();
  }
}

/** The latest change, or the one named. */
export async function undo(operation?: string): Promise<void> {
  try {
    const reply = await api.undo(operation);
    say(`Undone for ${pictures(reply.done)}.`);
    sayFailures(reply);
  } catch (error) {
    sayError(error);
  } finally {
    refreshLibrary();
  }
}

/** One message for all: the same thing usually went wrong with each. */
function sayFailures({ failed }: ChangeReply): void {
  const [first] = failed;
  if (first) sayError({ ...first.error, message: `Not done for ${pictures(failed.length)}: ${first.error.message}` });
}

export async function scorePictures(ids: string[] | undefined, again: boolean): Promise<void> {
  try {
    await api.rescore({ ids, again });
  } catch (error) {
    sayError(error);
  }
}
