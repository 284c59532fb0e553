// npm run demo: the main job from end to end, offline, on the built-in models: pictures, scores, ranks, a filter, scores in the
// files, and the weakest picture refined from its own file.

import { readFile, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { readMetadata, writeScores } from "../metadata/index.ts";
import { builtInPipeline, loadPipeline } from "../reno/loadPipeline.ts";
import { keepers, ranksOf } from "../scoring/filter.ts";
import { rewardRegistry } from "../scoring/rewardRegistry.ts";
import { isScored, type Scored, scoreAll } from "../scoring/scorer.ts";
import { side } from "../shapes/scene.ts";
import { contactSheet } from "./contactSheet.ts";
import { type DemoPicture, drawPictures } from "./demoPictures.ts";
import { type DemoRefinement, refineWeakest } from "./demoRefine.ts";
import { watchInterrupts } from "./interrupt.ts";
import { rewardsOf } from "./options.ts";
import { bar, type ScoreLine, scoreText, tableText, usesColor } from "./output.ts";
import { createProgress } from "./progress.ts";
import { exitStatus, messageOf } from "./usage.ts";
import { promptOf } from "./verdict.ts";

const prompt = "a red circle left of a blue square";

const count = 12;
const top = 6;
const columns = 4;
const iterations = 25;

export async function main(args: readonly string[]): Promise<number> {
  const interrupt = watchInterrupts();
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        out: { type: "string", default: "outputs/demo" },
        reward: { type: "string", default: "shapes" },
        model: { type: "string", default: builtInPipeline.name },
      },
    });
    return await demo(values, interrupt.signal);
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    return exitStatus(error);
  } finally {
    interrupt.release();
  }
}

interface Wishes {
  readonly out: string;
  readonly reward: string;
  readonly model: string;
}

async function demo({ out, reward, model }: Wishes, signal: AbortSignal): Promise<number> {
  const began = performance.now();
  say("This is Renoir's demo on its built-in models: a small world of coloured shapes. Nothing is downloaded.");
  say(`\nThe prompt: "${prompt}"`);
  const drawn = await picturesOf(join(out, "pictures"), model);

  const scored = await scoreDrawn(drawn, reward, signal);
  if (signal.aborted) return 1;
  const values = scored.map(({ total }) => total);
  const ranks = ranksOf(values);
  const kept = keepers(values, { top });
  const lines = scored.map((one, index): ScoreLine => toLine(one, ranks[index]!, kept[index]!));
  lines.sort((a, b) => a.rank! - b.rank!);
  for (const { file, scores } of lines) await writeScores(file, scores);

  process.stdout.write(tableText(lines, usesColor(process.stdout)));
  const sheet = join(out, "contact-sheet.png");
  await writeFile(sheet, await sheetOf(lines, drawn));
  await report(lines, drawn, sheet);
  if (!signal.aborted) {
    const weakest = drawn.find(({ file }) => file === lines.at(-1)!.file)!;
    say(`\nThe weakest, ${show(weakest.file)}, is refined from its own file: prompt, seed and size are in it.`);
    const refined = await refineWeakest(weakest.file, { model, reward, iterations, signal });
    await reportRefined(weakest, refined, join(out, "before-after.png"));
  }
  say(`Done in ${((performance.now() - began) / 1000).toFixed(1)} s.`);
  return signal.aborted ? 1 : 0;
}

async function picturesOf(folder: string, model: string): Promise<DemoPicture[]> {
  const pipeline = await loadPipeline(model);
  try {
    const drawn = await drawPictures(pipeline, prompt, count, folder);
    say(
      `${drawn.length} pictures are generated from ${count} seeds, each with its making in the file as A1111 writes it.\n`,
    );
    return drawn;
  } finally {
    await pipeline.unload();
  }
}

async function scoreDrawn(drawn: readonly DemoPicture[], reward: string, signal: AbortSignal): Promise<Scored[]> {
  const registry = rewardRegistry();
  const progress = createProgress(drawn.length, "Scored");
  const rewards = await rewardsOf({ reward: [reward], dtype: "float32" });
  const scored: Scored[] = [];
  try {
    const files = drawn.map(({ file }) => ({ file }));
    for await (const outcome of scoreAll(files, { rewards, registry, promptOf, signal })) {
      if (!isScored(outcome)) throw outcome.error;
      scored.push(outcome);
      progress.step();
    }
  } finally {
    progress.stop();
    await registry.unload();
  }
  return scored;
}

const toLine = ({ picture, prompt, scores }: Scored, rank: number, kept: boolean): ScoreLine => ({
  file: picture.file,
  prompt,
  scores,
  rank,
  kept,
});

async function sheetOf(lines: readonly ScoreLine[], drawn: readonly DemoPicture[]): Promise<Buffer> {
  const cells = lines.map(({ file, scores, rank, kept }) => ({
    pixels: drawn.find((one) => one.file === file)!.pixels,
    label: `#${rank} ${Object.values(scores)[0]!.toFixed(2)}`,
    kept,
  }));
  return await contactSheet(cells, side, columns);
}

async function report(lines: readonly ScoreLine[], drawn: readonly DemoPicture[], sheet: string): Promise<void> {
  const fitting = new Set(drawn.filter(({ verdict }) => verdict.right).map(({ file }) => file));
  const count = (some: readonly ScoreLine[]) => some.filter(({ file }) => fitting.has(file)).length;
  const kept = lines.filter((line) => line.kept);
  say(
    `\nThe demo world's own checker, an exact look at the pixels that the reward never sees, finds ${count(lines)} of ${lines.length} pictures right.`,
  );
  say(`Of the ${kept.length} best by score, ${count(kept)} are; of the others, ${count(lines) - count(kept)}.`);
  const best = lines[0]!;
  const { scores } = await readMetadata(best.file);
  const written = Object.entries(scores).map(([name, score]) => `${name} Score: ${score}`);
  say(`Each file now says its score: ${show(best.file)} says "${written.join(", ")}".`);
  say(`The sheet of all, best first: ${show(sheet)} (${(await readFile(sheet)).length} bytes).`);
}

async function reportRefined(weakest: DemoPicture, refined: DemoRefinement, sheet: string): Promise<void> {
  const { result, verdict, difference } = refined;
  const [name, after] = Object.entries(result.scores.after)[0]!;
  const before = result.scores.before[name]!;
  const says = (right: boolean, why: string) => (right ? "right" : `wrong: ${why}`);
  if (difference !== undefined) say(`Step 0 is that very picture: it differs by ${difference.toFixed(3)} of 255.`);
  const rows = [
    ["before", before, weakest.verdict] as const,
    [`after ${result.iterations} steps`, after, verdict] as const,
  ];
  const [low, high] = [Math.min(before, after), Math.max(before, after)];
  for (const [label, score, { right, why }] of rows) {
    const share = 0.1 + (0.9 * (score - low)) / (high - low || 1);
    say(`  ${label.padEnd(15)} ${scoreText(score).padStart(8)}  ${bar(share)}  ${says(right, why)}`);
  }
  say("Right and wrong are the checker's words again; the refining saw the reward alone.");
  const cells = [
    { pixels: weakest.pixels, label: before.toFixed(2), kept: weakest.verdict.right },
    { pixels: refined.pixels, label: after.toFixed(2), kept: verdict.right },
  ];
  await writeFile(sheet, await contactSheet(cells, side, 2));
  say(
    `The refined picture, with its noise in it: ${show(refined.file)}. Before and after side by side: ${show(sheet)}`,
  );
}

const show = (path: string): string => relative(process.cwd(), path) || path;
const say = (text: string): void => void process.stdout.write(`${text}\n`);
