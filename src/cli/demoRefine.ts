// The demo's last part: the weakest picture refined from what its own file says, as `renoir refine` does it.

import { join, parse } from "node:path";
import sharp from "sharp";
import { fittingPlan } from "../reno/memoryPlan.ts";
import { loadReward } from "../scoring/loadReward.ts";
import type { RewardSpec } from "../scoring/registry.ts";
import { check, type Verdict } from "../shapes/check.ts";
import { originOf } from "../tasks/origin.ts";
import { type RunResult, runRefinement } from "../tasks/refineRun.ts";
import { rewardsOf } from "./options.ts";
import { refineProgress } from "./refineProgress.ts";

export interface DemoRefinement {
  readonly file: string;
  readonly result: RunResult;
  readonly pixels: Uint8Array;
  readonly verdict: Verdict;
  /** Of the picture made again from its file: 0 is the very picture. */
  readonly difference: number | undefined;
}

export async function refineWeakest(
  file: string,
  { model, reward, iterations, signal }: { model: string; reward: string; iterations: number; signal: AbortSignal },
): Promise<DemoRefinement> {
  const progress = refineProgress(iterations);
  const { name, path }: RewardSpec = (await rewardsOf({ reward: [reward] }))[0]!.spec;
  const judge = await loadReward(name, { weights: path });
  const origin = await originOf(file, { model }, progress.say);
  const out = join(parse(file).dir, `${parse(file).name}-refined.png`);
  try {
    await origin.pipeline.unload();
    const { pipeline, prompt, conditioning, latents, seed, width, height } = origin;
    const making = { pipeline, prompt, conditioning, latents, seed, width, height };
    const result = await runRefinement({
      options: { ...making, rewards: [{ reward: judge }], iterations, signal, plan: fittingPlan() },
      texts: origin.texts,
      rounding: origin.rounding,
      settings: { model: pipeline.name, seed: String(seed), iterations },
      out,
      trace: out.replace(/\.png$/, ".json"),
      withLatents: true,
      draw: (noise) => pipeline.generate({ ...origin, latents: noise }),
      onStep: progress.step,
    });
    const pixels = new Uint8Array(await sharp(out).raw().toBuffer());
    return { file: out, result, pixels, verdict: check(pixels, prompt), difference: origin.difference };
  } finally {
    progress.stop();
    await origin.pipeline.unload();
    await judge.unload();
  }
}
