// What the reward model learns from, as graphs and what is fed to them: first to see and find, then to prefer.

import {
  add,
  expand,
  type Feeds,
  gather,
  input,
  linear,
  logSoftmax,
  mul,
  reshape,
  type Shape,
  slice,
  softplus,
  sub,
  sum,
  type Tensor,
} from "../graph/index.ts";
import { bertFirstToken, rewardHead, visionTransformer } from "../models/blip.ts";
import { MEAN, STD } from "../scoring/preprocess.ts";
import { type Group, picturesPerGroup, sentencesPerGroup } from "../shapes/pairs.ts";
import type { Pixels } from "../shapes/render.ts";
import {
  colourNames,
  type Description,
  outlines,
  type Placed,
  type Scene,
  sentence,
  shapeNames,
  side,
} from "../shapes/scene.ts";
import { tokenIds } from "../shapes/vocabulary.ts";
import type { Weights } from "../weights/weights.ts";

// ── Pictures and sentences as numbers ───────────────────────────────────────────────────────────────────────────

/** Tokens a sentence is padded to in training; a mask says which are there, so that scores are the same at any length. */
export const trainingTokens = 20;

/** [N, 3, side, side], standardised as the rewards do it. */
export function standardise(pictures: readonly Pixels[]): Float32Array {
  const area = side * side;
  const result = new Float32Array(pictures.length * 3 * area);
  for (const [n, pixels] of pictures.entries())
    for (let c = 0; c < 3; c++)
      for (let i = 0; i < area; i++) result[(3 * n + c) * area + i] = (pixels[3 * i + c]! / 255 - MEAN[c]!) / STD[c]!;
  return result;
}

export function tokenise(sentences: readonly string[]): { ids: BigInt64Array; mask: Float32Array } {
  const ids = new BigInt64Array(sentences.length * trainingTokens);
  for (const [n, sentence] of sentences.entries())
    ids.set(
      tokenIds(sentence)
        .slice(0, trainingTokens)
        .map((id) => BigInt(id)),
      n * trainingTokens,
    );
  return { ids, mask: Float32Array.from(ids, (id) => (id === 0n ? 0 : 1)) };
}

// ── To see and to find: what lies in each patch, and where the things are that the sentence names ──────────────

const colourClasses = colourNames.length + 1; // and none
const shapeClasses = shapeNames.length + 1;
const classes = colourClasses + shapeClasses;
const mostItems = 3;
const coordinates = 2 * mostItems;

/**
 * Two linear layers that only learning needs: one tells from each patch's token the colour, shape and place of what covers it, the other tells
 * from [CLS] where each thing of the sentence lies. From rankings alone the model learns colours soon and relations never.
 */
export const guideShapes = ({
  visionWidth,
  textWidth,
}: {
  visionWidth: number;
  textWidth: number;
}): Record<string, Shape> => ({
  "guides.naming.weight": [classes + 2, visionWidth],
  "guides.naming.bias": [classes + 2],
  "guides.finding.weight": [coordinates, textWidth],
  "guides.finding.bias": [coordinates],
});

/** Cross-entropy of colour and shape over the patches, and squared distance to the things named. */
export function grounding(w: Weights, pictures: number): { loss: Tensor; naming: Tensor; finding: Tensor } {
  const tokens = visionTransformer(w, input("pixels", [pictures, 3, side, side]));
  const naming = namingLoss(w.in("guides").in("naming"), tokens);
  const ids = input("ids", [pictures, trainingTokens], "int64");
  const first = bertFirstToken(w, ids, tokens, input("mask", [pictures, trainingTokens]));
  const finding = findingLoss(w.in("guides").in("finding"), first);
  return { loss: add(naming, mul(finding, findingWeight)), naming, finding };
}

const findingWeight = 4; // a square of about 0.1 beside an entropy of about 0.5

function namingLoss(w: Weights, tokens: Tensor): Tensor {
  const [pictures, count, width] = tokens.shape as [number, number, number];
  const rows = reshape(slice(tokens, 1, 1, count), [pictures * (count - 1), width]);
  const logits = linear(rows, w.get("weight"), w.get("bias"));
  const wanted = input("wanted", [pictures * (count - 1), classes]);
  const agreement = (from: number, to: number) =>
    sum(mul(logSoftmax(slice(logits, 1, from, to)), slice(wanted, 1, from, to)));
  const distance = sub(slice(logits, 1, classes, classes + 2), input("centres", [pictures * (count - 1), 2]));
  const astray = sum(mul(mul(distance, distance), input("centreWeights", [pictures * (count - 1), 2])));
  return sub(mul(astray, findingWeight), add(agreement(0, colourClasses), agreement(colourClasses, classes)));
}

function findingLoss(w: Weights, first: Tensor): Tensor {
  const pictures = first.shape[0]!;
  const distance = sub(linear(first, w.get("weight"), w.get("bias")), input("places", [pictures, coordinates]));
  return sum(mul(mul(distance, distance), input("placeWeights", [pictures, coordinates])));
}

/** A scene with a sentence that names its things, if perhaps in a wrong relation. */
export interface Grounded {
  description: Description;
  scene: Scene;
  picture: Pixels;
}

export const groundingFeeds = (examples: readonly Grounded[], patch: number): Feeds => ({
  pixels: standardise(examples.map(({ picture }) => picture)),
  ...tokenise(examples.map(({ description }) => sentence(description))),
  ...namingFeeds(
    examples.map(({ scene }) => scene),
    patch,
  ),
  ...findingFeeds(examples),
});

/** Places from -1 to 1, of things that there is one of. */
function findingFeeds(examples: readonly Grounded[]): Feeds {
  const places = new Float32Array(examples.length * coordinates);
  const placeWeights = new Float32Array(places.length);
  for (const [n, { description, scene }] of examples.entries())
    for (const [i, item] of description.items.entries()) {
      const named = scene.shapes.filter(({ colour, shape }) => colour === item.colour && shape === item.shape);
      if (named.length !== 1) continue;
      places.set(coordinatesOf(named[0]!), n * coordinates + 2 * i);
      placeWeights.fill(1, n * coordinates + 2 * i, n * coordinates + 2 * i + 2);
    }
  return { places, placeWeights: shareOut(placeWeights) };
}

const emptyWeight = 0.15; // most patches are ground, and soon known

function namingFeeds(scenes: readonly Scene[], patch: number): Feeds {
  const patches = (side / patch) ** 2;
  const rows = scenes.length * patches;
  const wanted = new Float32Array(rows * classes);
  const centres = new Float32Array(rows * 2);
  const centreWeights = new Float32Array(rows * 2);
  for (let row = 0; row < rows; row++) {
    const cover = coverOf(scenes[Math.floor(row / patches)]!, patch, row % patches);
    const weight = cover ? 1 : emptyWeight;
    wanted[row * classes + (cover ? colourNames.indexOf(cover.colour) + 1 : 0)] = weight;
    wanted[row * classes + colourClasses + (cover ? shapeNames.indexOf(cover.shape) + 1 : 0)] = weight;
    if (!cover) continue;
    centres.set(coordinatesOf(cover), 2 * row);
    centreWeights.fill(1, 2 * row, 2 * row + 2);
  }
  return { wanted: shareOut(wanted), centres, centreWeights: shareOut(centreWeights) };
}

/** From -1 to 1. */
const coordinatesOf = ({ x, y }: Placed) => [(2 * x) / side - 1, (2 * y) / side - 1];

/** Weights that sum to 1. */
function shareOut(weights: Float32Array): Float32Array {
  const total = weights.reduce((a, b) => a + b, 0) || 1;
  return weights.map((weight) => weight / total);
}

/** The shape that covers most of a patch, at least a fifth of it. */
function coverOf(scene: Scene, patch: number, index: number): Placed | undefined {
  const across = side / patch;
  const [left, top] = [(index % across) * patch, Math.floor(index / across) * patch];
  let most = 0.2;
  let cover: Placed | undefined;
  for (const placed of scene.shapes) {
    const share = coveredShare(placed, left, top, patch);
    if (share > most) [most, cover] = [share, placed];
  }
  return cover;
}

function coveredShare({ shape, x, y, radius }: Placed, left: number, top: number, patch: number): number {
  if (Math.max(Math.abs(left + patch / 2 - x), Math.abs(top + patch / 2 - y)) > radius + patch) return 0;
  let inside = 0;
  for (let i = 0; i < 16; i++) {
    const u = left + ((i % 4) + 0.5) * (patch / 4);
    const v = top + (Math.floor(i / 4) + 0.5) * (patch / 4);
    if (outlines[shape]((u - x) / radius, (v - y) / radius)) inside++;
  }
  return inside / 16;
}

// ── To prefer: which of two scores should be higher ─────────────────────────────────────────────────────────────

const cells = picturesPerGroup * sentencesPerGroup;
/** Each of three sentences against two other pictures and each way, and the damaged picture. */
const mostPreferences = 2 * sentencesPerGroup * (sentencesPerGroup - 1) + 1;

/** Raw scores of every sentence of a group on every picture of it, [groups * 4 * 3]; each picture is encoded once. */
export function groupScores(w: Weights, groups: number): Tensor {
  const image = visionTransformer(w, input("pixels", [groups * picturesPerGroup, 3, side, side]));
  const [, count, width] = image.shape as [number, number, number];
  const rows = reshape(image, [groups, picturesPerGroup, 1, count * width]);
  const repeated = expand(rows, [groups, picturesPerGroup, sentencesPerGroup, count * width]);
  const ids = input("ids", [groups * cells, trainingTokens], "int64");
  const mask = input("mask", [groups * cells, trainingTokens]);
  return rewardHead(w, bertFirstToken(w, ids, reshape(repeated, [groups * cells, count, width]), mask));
}

/** ImageReward's loss, -log sigmoid(better - worse) (Xu et al. 2023, equation 1), over all pairs of the groups. */
export function preferring(w: Weights, groups: number): { loss: Tensor; scores: Tensor } {
  const scores = groupScores(w, groups);
  const at = (name: string) => gather(scores, input(name, [groups * mostPreferences], "int64"));
  const losses = softplus(sub(at("worse"), at("better")));
  return { loss: sum(mul(losses, input("pairWeights", [groups * mostPreferences]))), scores };
}

export function scoringFeeds(groups: readonly Group[], sentences = groups.map((group) => group.sentences)): Feeds {
  const perCell = sentences.flatMap((own) => Array.from({ length: picturesPerGroup }, () => own).flat());
  return { pixels: standardise(groups.flatMap((group) => group.pictures)), ...tokenise(perCell) };
}

/** Groups have different numbers of pairs: the places left over weigh nothing. */
export function preferringFeeds(groups: readonly Group[]): Feeds {
  const pairs = groups.flatMap((group, g) =>
    group.preferences.map(({ better, worse }) => [cellAt(g, better), cellAt(g, worse)]),
  );
  const places = groups.length * mostPreferences;
  const padded = (pick: (pair: number[]) => number) =>
    BigInt64Array.from({ length: places }, (_, i) => BigInt(pairs[i] ? pick(pairs[i]) : 0));
  return {
    ...scoringFeeds(groups),
    better: padded((pair) => pair[0]!),
    worse: padded((pair) => pair[1]!),
    pairWeights: Float32Array.from({ length: places }, (_, i) => (i < pairs.length ? 1 / pairs.length : 0)),
  };
}

/** Where a group's cell lies among the scores. */
export const cellAt = (group: number, { picture, sentence }: { picture: number; sentence: number }): number =>
  group * cells + picture * sentencesPerGroup + sentence;
