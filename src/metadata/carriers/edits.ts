// From wanted changes to the carriers they mean, the same for every format.

import { MetadataError } from "../../errors.ts";
import type { Carrier, Edit } from "./carrier.ts";

/** Refuses an edit that would harm the file, with all reasons at once. */
export function refuse(reasons: readonly string[]): void {
  if (reasons.length === 0) return;
  throw new MetadataError(`The file's metadata is not rewritten. ${reasons.join(" ")}`, {
    hint: "Write the score to a sidecar file beside the image.",
  });
}

export const signedReason =
  "It carries a C2PA signature, which covers the whole file and would no longer be valid after any change.";

/** What the edits come to in one file: edits made before have no part in it. */
export interface Plan<C extends Carrier> {
  replaced: Map<C, string>;
  texts: { keyword: string; text: string }[];
  comment: string | undefined;
}

/**
 * An edit's carrier is found by place and old text, then by old text alone; where neither is there but the new text
 * already is, the edit was made before and changes nothing. A UserComment that is there but empty is where a new one goes.
 */
export function planEdits<C extends Carrier>(carriers: readonly C[], edits: readonly Edit[]): Plan<C> {
  const plan: Plan<C> = { replaced: new Map(), texts: [], comment: undefined };
  const has = (keyword: string, text: string) => carriers.some((c) => c.keyword === keyword && c.text === text);
  for (const edit of edits) {
    if (edit.do === "replace") {
      const found = locate(carriers, edit.carrier, edit.text);
      if (found.text !== edit.text) plan.replaced.set(found, edit.text);
    } else if (edit.kind === "text") {
      if (!has(edit.keyword, edit.text)) plan.texts.push(edit);
    } else if (!has(edit.tag, edit.text)) {
      const empty = carriers.find((c) => c.keyword === edit.tag && c.text.trim() === "");
      if (empty) plan.replaced.set(empty, edit.text);
      else plan.comment = edit.text;
    }
  }
  return plan;
}

function locate<C extends Carrier>(carriers: readonly C[], wanted: Carrier, text: string): C {
  const alike = carriers.filter((c) => c.keyword === wanted.keyword && c.ifd === wanted.ifd);
  const found =
    alike.find((c) => c.index === wanted.index && c.text === wanted.text) ??
    alike.find((c) => c.text === wanted.text) ??
    alike.find((c) => c.text === text);
  if (found) return found;
  throw new MetadataError(
    `The file has no ${wanted.kind} "${wanted.keyword}" with the text that was to be replaced; ` +
      `it has ${carriers.length} texts, ${alike.length} of that name.`,
    { hint: "Read the file anew and make the edit from what it says now." },
  );
}
