// ImageReward: from a prompt and a file to the score, and its gradient by the picture.

import { rm } from "node:fs/promises";
import { dirname, extname } from "node:path";
import { loadBertTokenizer } from "../../../src/scoring/bertTokenizer.ts";
import { decodeImage } from "../../../src/scoring/decode.ts";
import { ImageReward } from "../../../src/scoring/imageReward.ts";
import { pixelsForScoring } from "../../../src/scoring/preprocess.ts";
import tokens from "../../scoring/fixtures/tokens.json" with { type: "json" };
import { bytesOf, fixture, pillow } from "../../scoring/reference.ts";
import { dot, largestDifference, norm } from "../../support/compare.ts";
import {
  floatPicture,
  type ModelName,
  modelNames,
  openReferenceModel,
  prompts,
  recorded,
  recordedGradients,
  referencePictures,
} from "../../support/referenceModel.ts";
import { seededNormal } from "../../support/seededWeights.ts";
import { largest, type Row, row } from "./table.ts";

export function bertTokenRows(): Row[] {
  const tokenizer = loadBertTokenizer();
  const differences = tokens.cases.map(({ prompt, times, length, ids }) =>
    largestDifference(tokenizer.encode(prompt.repeat(times), length).ids, ids),
  );
  return [row("token ids, BERT", differences, 0)];
}

// Lossy colour is turned into RGB by other libraries here (libheif) than in Pillow (libavif), with other roundings and blends.
const lossyAllowance: Readonly<Record<string, number>> = { ".avif": 30 };

// The last four bytes of its pixels' chunk are gone: Pillow forgives that, libpng does not.
const refusedHere = new Set(["no-last-crc.png"]);

/** Pixels as the model gets them, one row for each kind of file that Pillow reads. */
export async function pixelRows(): Promise<Row[]> {
  const byKind = new Map<string, number[]>();
  for (const [name, { sides, error }] of Object.entries(pillow)) {
    if (error || refusedHere.has(name)) continue;
    const image = await decodeImage(fixture(name));
    const differences = Object.entries(sides).map(([side, pixels]) =>
      largestDifference(pixelsForScoring(image, Number(side)), bytesOf(pixels)),
    );
    byKind.set(extname(name), [...(byKind.get(extname(name)) ?? []), ...differences]);
  }
  return [...byKind].map(([kind, differences]) => row(`pixels, ${kind}`, differences, lossyAllowance[kind] ?? 0));
}

export async function rewardRows(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of modelNames) rows.push(...(await modelRows(name)));
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

async function scoreRows(name: ModelName, reward: ImageReward): Promise<Row[]> {
  const pictures = referencePictures(name);
  const { scores, ranks } = recorded(name);
  const made = [];
  for (const prompt of prompts) made.push(await reward.rank(prompt, pictures));
  const compared = prompts.length * pictures.length;
  const scoreDifferences = made.map(({ rewards }, i) => largestDifference(rewards, scores[i]!));
  const rankDifferences = made.map(({ ranking }, i) => largestDifference(ranking, ranks[i]!));
  return [
    { ...row(`scores, ${name} model`, scoreDifferences, 1e-4), compared },
    { ...row(`ranks, ${name} model`, rankDifferences, 0), compared },
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
      largestDifference(sampled, want.entries) / largest(want.entries.map(Math.abs)),
      largestDifference(alongs, want.dots) / want.norm,
      Math.abs(norm(gradient) / want.norm - 1),
    ];
    const compared = sampled.length + alongs.length + 1;
    rows.push({ ...row(`gradient, ${name} model, ${want.size.join(" x ")}`, differences, 1e-3), compared });
  }
  return rows;
}
