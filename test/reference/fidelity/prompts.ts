// Prompts: CLIP's token ids, and what hosts make of weights, parts and times in them.

import { isDeepStrictEqual } from "node:util";
import { cleanedIds, cleanings, type Ids, paddedIds } from "../../support/clipTokens.ts";
import { largestDifference } from "../../support/compare.ts";
import { mixtures } from "../../support/hostMixtures.ts";
import { emphasis, readings, wanted } from "../../support/hostPrompts.ts";
import { type Row, row } from "./table.ts";

export function clipTokenRows(): Row[] {
  const rowOf = (what: string, ids: readonly Ids[]) =>
    row(
      what,
      ids.map(({ got, want }) => largestDifference(got, want)),
      0,
    );
  const cleaned = cleanings.map((cleaning) => rowOf(`token ids, CLIP, ${cleaning}`, cleanedIds(cleaning)));
  return [...cleaned, rowOf("token ids, CLIP, padded", paddedIds())];
}

/** Readings are alike or not; states with their words' weights differ by numbers. */
export async function hostRows(): Promise<Row[]> {
  const unlike = wanted.map(({ reading, prompt, want }) => Number(!isDeepStrictEqual(readings[reading](prompt), want)));
  const emphasized = Object.entries(emphasis()).map(([host, compared]) => {
    const differences = compared.map(({ got, want }) => largestDifference(got, want));
    return row(`states with weights, ${host}`, differences, 1e-4);
  });
  const mixed = await Promise.all(mixtures.map(async ({ got, want }) => largestDifference(await got(), want)));
  return [row("prompts read by hosts", unlike, 0), ...emphasized, row("parts of prompts, hosts", mixed, 2e-6)];
}
