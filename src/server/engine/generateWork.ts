// Pictures drawn in the models' process: as `renoir generate` makes them, each a piece with its scores.

import { mkdir } from "node:fs/promises";
import { withScores } from "../../metadata/index.ts";
import { byName } from "../../reno/stepGraph.ts";
import type { Origin } from "../../tasks/origin.ts";
import { pictureOfSeries } from "../../tasks/series.ts";
import { writeWhole } from "../../tasks/writeWhole.ts";
import type { Hands } from "./hands.ts";
import { pictureFile, previewFile } from "./jobFolder.ts";
import type { GeneratePiece, GenerateWork } from "./messages.ts";
import { Leases } from "./models.ts";
import { previewOf } from "./preview.ts";
import { originFor } from "./refineWork.ts";

/** Resolves with how many there are, those of an earlier process counted in. */
export async function generateWork(work: GenerateWork, hands: Hands): Promise<number> {
  const leases = new Leases(hands.models, work.computing);
  try {
    await mkdir(work.folder, { recursive: true });
    const origin = await originFor(work, hands, leases);
    const rewards = byName(await leases.rewards(work.rewards ?? []));
    let index = work.from;
    for (; index < work.count && !hands.signal.aborted; index++) {
      await hands.handOver(await make(index, origin, rewards, work));
    }
    return index;
  } finally {
    leases.release();
  }
}

async function make(
  index: number,
  origin: Origin,
  rewards: ReturnType<typeof byName>,
  { folder }: GenerateWork,
): Promise<GeneratePiece> {
  const begun = performance.now();
  const { file: bytes, pixels, seed } = await pictureOfSeries(origin, index);
  const scores: Record<string, number> = {};
  for (const [name, { reward }] of rewards) [scores[name]] = (await reward.score(origin.prompt, [bytes])) as [number];
  const file = pictureFile(folder, index);
  const scored = rewards.size > 0;
  await writeWhole(file, scored ? await withScores(bytes, scores) : bytes);
  const preview = await previewOf({ ...origin, pixels }, origin.rounding);
  await writeWhole(previewFile(folder, index), preview);
  const ms = Math.round(performance.now() - begun);
  return { index, seed: String(seed ?? ""), file, ms, ...(scored && { scores }), preview };
}
