// `npm run fidelity`: how far every figure we compute lies from the original packages' stored ones, as a table.

import { rm } from "node:fs/promises";
import { dirname, extname } from "node:path";
import { expect, test } from "vitest";
import { loadBertTokenizer } from "../../src/scoring/bertTokenizer.ts";
import { decodeImage } from "../../src/scoring/decode.ts";
import { ImageReward } from "../../src/scoring/imageReward.ts";
import { pixelsForScoring } from "../../src/scoring/preprocess.ts";
import tokens from "../scoring/fixtures/tokens.json" with { type: "json" };
import { bytesOf, fixture, pillow } from "../scoring/reference.ts";
import { dot, largestDifference, norm } from "../support/compare.ts";
import {
  floatPicture,
  type ModelName,
  modelNames,
  openReferenceModel,
  prompts,
  recorded,
  recordedGradients,
  referencePictures,
} from "../support/referenceModel.ts";
import { seededNormal } from "../support/seededWeights.ts";
import { cases, differencesOf } from "../support/torchOps.ts";
import { bestOf, comparable, openModels, runOf, runs, stepDifference } from "../support/trajectories.ts";

interface Row {
  readonly what: string;
  readonly compared: number;
  readonly difference: number;
  /** The most that counts as the same. */
  readonly allowed: number;
}

const largest = (differences: readonly number[]) => Math.max(0, ...differences);

async function scoreRows(name: ModelName, reward: ImageReward): Promise<Row[]> {
  const pictures = referencePictures(name);
  const { scores, ranks } = recorded(name);
  const made = [];
  for (const prompt of prompts) made.push(await reward.rank(prompt, pictures));
  const compared = prompts.length * pictures.length;
  const scoreDifferences = made.map(({ rewards }, i) => largestDifference(rewards, scores[i]!));
  const rankDifferences = made.map(({ ranking }, i) => largestDifference(ranking, ranks[i]!));
  return [
    { what: `scores, ${name} model`, compared, difference: largest(scoreDifferences), allowed: 1e-4 },
    { what: `ranks, ${name} model`, compared, difference: largest(rankDifferences), allowed: 0 },
  ];
}

async function gradientRows(name: ModelName, reward: ImageReward): Promise<Row[]> {
  const rows: Row[] = [];
  for (const want of recordedGradients(name)) {
    const { gradient } = await reward.gradient(prompts[want.prompt]!, floatPicture(want.picture, want.size));
    const sampled = want.places.map((place) => gradient[place]!);
    const alongs = want.dots.map((_, k) =>
      dot(gradient, seededNormal(`${want.picture}/direction/${k}`, [gradient.length])),
    );
    // Each kind of difference as a part of what it is compared with.
    const differences = [
      largestDifference(sampled, want.entries) / Math.max(...want.entries.map(Math.abs)),
      largestDifference(alongs, want.dots) / want.norm,
      Math.abs(norm(gradient) / want.norm - 1),
    ];
    const what = `gradient, ${name} model, ${want.size.join(" x ")}`;
    rows.push({ what, compared: sampled.length + alongs.length + 1, difference: largest(differences), allowed: 1e-3 });
  }
  return rows;
}

async function modelRows(name: ModelName): Promise<Row[]> {
  const checkpoint = await openReferenceModel(name);
  const reward = new ImageReward(checkpoint, loadBertTokenizer(), { provider: "cpu" });
  const rows = [...(await scoreRows(name, reward)), ...(await gradientRows(name, reward))];
  await reward.unload();
  await rm(dirname(checkpoint.path), { recursive: true });
  return rows;
}

// Lossy colour is turned into RGB by other libraries here (libheif) than in Pillow (libavif), with other roundings and blends.
const lossyAllowance: Readonly<Record<string, number>> = { ".avif": 30 };

// The last four bytes of its pixels' chunk are gone: Pillow forgives that, libpng does not.
const refusedHere = new Set(["no-last-crc.png"]);

/** Pixels as the model gets them, one row for each kind of file that Pillow reads. */
async function pixelRows(): Promise<Row[]> {
  const byKind = new Map<string, number[]>();
  for (const [name, { sides, error }] of Object.entries(pillow)) {
    if (error || refusedHere.has(name)) continue;
    const image = await decodeImage(fixture(name));
    const differences = Object.entries(sides).map(([side, pixels]) =>
      largestDifference(pixelsForScoring(image, Number(side)), bytesOf(pixels)),
    );
    byKind.set(extname(name), [...(byKind.get(extname(name)) ?? []), ...differences]);
  }
  return [...byKind].map(([kind, differences]) => ({
    what: `pixels, ${kind}`,
    compared: differences.length,
    difference: largest(differences),
    allowed: lossyAllowance[kind] ?? 0,
  }));
}

function tokenRow(): Row {
  const tokenizer = loadBertTokenizer();
  const differences = tokens.cases.map(({ prompt, times, length, ids }) =>
    largestDifference(tokenizer.encode(prompt.repeat(times), length).ids, ids),
  );
  return { what: "token ids", compared: differences.length, difference: largest(differences), allowed: 0 };
}

async function opRow(): Promise<Row> {
  const differences: number[] = [];
  for (const name of Object.keys(cases)) differences.push(...Object.values(await differencesOf(name)));
  return { what: "ops and gradients", compared: differences.length, difference: largest(differences), allowed: 2e-6 };
}

/** Every number of a run of ReNO's own trainer, one row for each run, and which step was best. */
async function trajectoryRows(): Promise<Row[]> {
  const models = await openModels();
  const rows: Row[] = [];
  const bests: number[] = [];
  for (const [name, run] of Object.entries(runs)) {
    if (run.settings.mode === "select") continue; // test/reno/refineTrajectories.test.ts
    const steps = await runOf(run, models);
    const { steps: count, allowed } = comparable(run);
    const differences = run.steps.slice(0, count).map((want, i) => stepDifference(steps[i]!, want));
    const what = `trajectory, ${name}`;
    rows.push({ what, compared: differences.length, difference: largest(differences), allowed });
    bests.push(Math.abs(bestOf(steps) - run.best));
  }
  await models.release();
  return [...rows, { what: "best step", compared: bests.length, difference: largest(bests), allowed: 0 }];
}

function table(rows: readonly Row[]): string {
  const head = ["what", "compared", "largest difference", "allowed"];
  const cells = rows.map(({ what, compared, difference, allowed }) => [
    what,
    String(compared),
    written(difference),
    written(allowed),
  ]);
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]!.length)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ");
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...cells.map(line)].join("\n");
}

const written = (x: number) => (Number.isInteger(x) ? String(x) : x.toExponential(1));

test("everything agrees with the originals", async () => {
  const rows = [await opRow(), tokenRow(), ...(await pixelRows())];
  for (const name of modelNames) rows.push(...(await modelRows(name)));
  rows.push(...(await trajectoryRows()));
  process.stdout.write(`\n${table(rows)}\n\n`);
  expect(rows.filter(({ difference, allowed }) => !(difference <= allowed))).toEqual([]);
});
