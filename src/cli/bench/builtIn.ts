// What eight bits cost a trained model: the built-in reward on held-out groups of pictures and sentences, both ways.

import { loadReward } from "../../scoring/loadReward.ts";
import { side } from "../../shapes/scene.ts";
import { testGroups } from "../../tuning/evaluation.ts";

const groups = 60;

/** Scores of the same sentences on the same pictures, in float32 and in int8. */
export async function builtInScores(threads: number): Promise<{ exact: number[]; rough: number[] }> {
  const exact: number[] = [];
  const rough: number[] = [];
  const cells = testGroups(groups, 2).flatMap(({ group }) =>
    group.pictures.flatMap((pixels) => group.sentences.map((sentence) => ({ pixels, sentence }))),
  );
  for (const [dtype, scores] of [
    ["float32", exact],
    ["int8", rough],
  ] as const) {
    const reward = await loadReward("shapes", { dtype, provider: "cpu", threads });
    const images = cells.map(({ pixels }) => ({ data: pixels, width: side, height: side, channels: 3 }));
    scores.push(
      ...(await reward.score(
        cells.map(({ sentence }) => sentence),
        images,
      )),
    );
    await reward.unload();
  }
  return { exact, rough };
}
