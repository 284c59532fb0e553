// npm run demo: the main job from end to end, offline, on the built-in models: pictures, scores, ranks, a filter, scores in the files.

import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { png } from "../metadata/carriers/png.ts";
import { formatInfotext, readMetadata, writeScores } from "../metadata/index.ts";
import { keepers, ranksOf } from "../scoring/filter.ts";
import { rewardRegistry } from "../scoring/rewardRegistry.ts";
import { isScored, type Scored, scoreAll } from "../scoring/scorer.ts";
import { check } from "../shapes/check.ts";
import { Random } from "../shapes/random.ts";
import { addNoise, blur, type Pixels, render } from "../shapes/render.ts";
import { parseSentence, place, side } from "../shapes/scene.ts";
import { contactSheet } from "./contactSheet.ts";
import { watchInterrupts } from "./interrupt.ts";
import { rewardsOf } from "./options.ts";
import { type ScoreLine, tableText, usesColor } from "./output.ts";
import { createProgress } from "./progress.ts";
import { exitStatus, messageOf } from "./usage.ts";
import { promptOf } from "./verdict.ts";

const prompt = "a red circle left of a blue square";

/** What a generator that is right only half of the time might give: what is drawn, and what is then done to it. */
const attempts: { name: string; shows: string; damage?: (pixels: Pixels, random: Random) => Pixels }[] = [
  { name: "right-1", shows: prompt },
  { name: "swapped-sides", shows: "a red circle right of a blue square" },
  { name: "wrong-colour", shows: "a green circle left of a blue square" },
  { name: "right-2", shows: prompt },
  { name: "blurred", shows: prompt, damage: (pixels) => blur(pixels, 4) },
  { name: "wrong-shape", shows: "a red triangle left of a blue square" },
  { name: "right-3", shows: prompt },
  { name: "one-missing", shows: "a red circle" },
  { name: "swapped-colours", shows: "a blue circle left of a red square" },
  { name: "noisy", shows: prompt, damage: (pixels, random) => addNoise(pixels, 90, random) },
  { name: "right-4", shows: prompt },
  { name: "one-too-many", shows: "a red circle left of two blue squares" },
];

const top = 6;
const columns = 4;

interface Drawn {
  readonly file: string;
  readonly pixels: Pixels;
  /** Whether the picture shows what the sentence says, by an exact look at its pixels that no reward has seen. */
  readonly fits: boolean;
}

export async function main(args: readonly string[]): Promise<number> {
  const interrupt = watchInterrupts();
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { out: { type: "string", default: "outputs/demo" }, reward: { type: "string", default: "shapes" } },
    });
    return await demo(values.out, values.reward, interrupt.signal);
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    return exitStatus(error);
  } finally {
    interrupt.release();
  }
}

async function demo(folder: string, reward: string, signal: AbortSignal): Promise<number> {
  const began = performance.now();
  say("This is Renoir's demo on its built-in models: a small world of coloured shapes. Nothing is downloaded.");
  say(`\nThe prompt: "${prompt}"`);
  const drawn = await drawAll(folder);
  say(
    `${drawn.length} pictures are drawn, some right and some not, each with its prompt in the file as A1111 writes it.\n`,
  );

  const scored = await scoreDrawn(drawn, reward, signal);
  if (signal.aborted) return 1;
  const values = scored.map(({ total }) => total);
  const ranks = ranksOf(values);
  const kept = keepers(values, { top });
  const lines = scored.map((one, index): ScoreLine => toLine(one, ranks[index]!, kept[index]!));
  lines.sort((a, b) => a.rank! - b.rank!);
  for (const { file, scores } of lines) await writeScores(file, scores);

  process.stdout.write(tableText(lines, usesColor(process.stdout)));
  const sheet = join(folder, "contact-sheet.png");
  await writeFile(sheet, await sheetOf(lines, drawn));
  await report(lines, drawn, sheet, (performance.now() - began) / 1000);
  return 0;
}

/** Only the demo's own folder of pictures is emptied. */
async function drawAll(folder: string): Promise<Drawn[]> {
  const pictures = join(folder, "pictures");
  await rm(pictures, { recursive: true, force: true });
  await mkdir(pictures, { recursive: true });
  return await Promise.all(attempts.map((attempt, index) => draw(attempt, index, pictures)));
}

async function draw({ name, shows, damage }: (typeof attempts)[number], index: number, folder: string): Promise<Drawn> {
  const random = new Random(2024, index);
  const clean = render(place({ ...parseSentence(shows), ground: "white" }, random));
  const pixels = damage ? damage(clean, random) : clean;
  const image = await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer();
  const text = formatInfotext(prompt, "", [
    ["Steps", "1"],
    ["Sampler", "drawn"],
    ["Seed", String(index)],
    ["Size", `${side}x${side}`],
    ["Model", "shapes"],
  ]);
  const file = join(folder, `${String(index + 1).padStart(2, "0")}-${name}.png`);
  await writeFile(file, png.edit!(image, [{ do: "add", kind: "text", keyword: "parameters", text }]));
  return { file, pixels, fits: !damage && check(pixels, prompt).right };
}

async function scoreDrawn(drawn: readonly Drawn[], reward: string, signal: AbortSignal): Promise<Scored[]> {
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

async function sheetOf(lines: readonly ScoreLine[], drawn: readonly Drawn[]): Promise<Buffer> {
  const cells = lines.map(({ file, scores, rank, kept }) => ({
    pixels: drawn.find((one) => one.file === file)!.pixels,
    label: `#${rank} ${Object.values(scores)[0]!.toFixed(2)}`,
    kept,
  }));
  return await contactSheet(cells, side, columns);
}

async function report(
  lines: readonly ScoreLine[],
  drawn: readonly Drawn[],
  sheet: string,
  seconds: number,
): Promise<void> {
  const fitting = new Set(drawn.filter(({ fits }) => fits).map(({ file }) => file));
  const count = (some: readonly ScoreLine[]) => some.filter(({ file }) => fitting.has(file)).length;
  const kept = lines.filter((line) => line.kept);
  say(
    `\nAn exact look at the pixels, which the reward never sees, finds ${count(lines)} of ${lines.length} pictures right and sharp.`,
  );
  say(`Of the ${kept.length} best by score, ${count(kept)} are; of the others, ${count(lines) - count(kept)}.`);
  const best = lines[0]!;
  const { scores } = await readMetadata(best.file);
  const written = Object.entries(scores).map(([name, score]) => `${name} Score: ${score}`);
  say(`Each file now says its score: ${show(best.file)} says "${written.join(", ")}".`);
  say(
    `The sheet of all, best first: ${show(sheet)} (${(await readFile(sheet)).length} bytes). Done in ${seconds.toFixed(1)} s.`,
  );
}

const show = (path: string): string => relative(process.cwd(), path) || path;
const say = (text: string): void => void process.stdout.write(`${text}\n`);
