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
  type Colour,
  colourNames,
  type Description,
  type Ground,
  groundNames,
  itemContradiction,
  outlines,
  type Placed,
  relationHolds,
  type Scene,
  shapeNames,
  shapesOf,
  side,
  unnamed,
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

// ── Guides: what lies in each patch, where the things are that the sentence names, and which part of it is true ──

const colourClasses = colourNames.length + groundNames.length;
const shapeClasses = shapeNames.length + 1;
const classes = colourClasses + shapeClasses;
const mostItems = 3;
const coordinates = 2 * mostItems;
const parts = mostItems + 3; // each item, the relation, the ground, and that there is nothing else

/**
 * Linear layers that only learning needs. One tells from each patch's token the colour, shape and place of what covers it; two tell
 * from [CLS] where each thing of the sentence lies and which parts of the sentence are true. From rankings alone the model
 * learns colours soon and relations not at all: after 1500 steps it still guessed.
 */
export const guideShapes = ({ visionWidth, textWidth }: Widths): Record<string, Shape> => ({
  "guides.naming.weight": [classes + 2, visionWidth],
  "guides.naming.bias": [classes + 2],
  "guides.finding.weight": [coordinates, textWidth],
  "guides.finding.bias": [coordinates],
  "guides.judging.weight": [parts, textWidth],
  "guides.judging.bias": [parts],
});

interface Widths {
  visionWidth: number;
  textWidth: number;
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
  const shape = [first.shape[0]!, coordinates];
  const distance = sub(linear(first, w.get("weight"), w.get("bias")), input("places", shape));
  return sum(mul(mul(distance, distance), input("placeWeights", shape)));
}

/** Binary cross-entropy: softplus of the logit, negative where the part is true. */
function judgingLoss(w: Weights, first: Tensor): Tensor {
  const shape = [first.shape[0]!, parts];
  const logits = linear(first, w.get("weight"), w.get("bias"));
  return sum(mul(softplus(mul(logits, input("falsehoods", shape))), input("partWeights", shape)));
}

/** What the guides want of each cell of the groups' tables: a sentence and a picture, whether they fit or not. */
function guideFeeds(groups: readonly Group[], patch: number): Feeds {
  const rows = groups.length * cells;
  const places = new Float32Array(rows * coordinates);
  const placeWeights = new Float32Array(places.length);
  const falsehoods = new Float32Array(rows * parts);
  const partWeights = new Float32Array(falsehoods.length);
  for (const [g, { scenes, descriptions }] of groups.entries())
    for (const [picture, scene] of scenes.entries())
      for (const [sentence, description] of descriptions.entries()) {
        const row = cellAt(g, { picture, sentence });
        for (const [i, place] of placesOf(description, scene).entries()) {
          if (!place) continue;
          places.set(place, row * coordinates + 2 * i);
          placeWeights.fill(1, row * coordinates + 2 * i, row * coordinates + 2 * i + 2);
        }
        for (const [i, truth] of truthOfParts(description, scene).entries()) {
          if (truth === undefined) continue;
          falsehoods[row * parts + i] = truth ? -1 : 1;
          partWeights[row * parts + i] = 1;
        }
      }
  const naming = namingFeeds(
    groups.flatMap((group) => group.scenes),
    patch,
  );
  return { ...naming, places, placeWeights: shareOut(placeWeights), falsehoods, partWeights: shareOut(partWeights) };
}

/** From -1 to 1, of things that there is one of. */
const placesOf = ({ items }: Description, scene: Scene | undefined): (readonly number[] | undefined)[] =>
  items.map((item) => {
    const shapes = scene ? shapesOf(item, scene) : [];
    return shapes.length === 1 ? coordinatesOf(shapes[0]!) : undefined;
  });

/** Undefined: not said, or, of a relation, not to be asked since one of the two is not there. */
function truthOfParts({ items, relation, ground }: Description, scene: Scene | undefined): (boolean | undefined)[] {
  if (!scene) return [];
  const canRelate = relation && items.slice(0, 2).every((item) => shapesOf(item, scene).length > 0);
  return [
    ...Array.from({ length: mostItems }, (_, i) => items[i] && !itemContradiction(items[i], scene)),
    canRelate ? relationHolds(items, relation, scene) : undefined,
    ground && ground === scene.ground,
    !unnamed(items, scene),
  ];
}

const emptyWeight = 0.15; // most patches are ground, and soon known

function namingFeeds(scenes: readonly (Scene | undefined)[], patch: number): Feeds {
  const patches = (side / patch) ** 2;
  const rows = scenes.length * patches;
  const wanted = new Float32Array(rows * classes);
  const centres = new Float32Array(rows * 2);
  const centreWeights = new Float32Array(rows * 2);
  for (let row = 0; row < rows; row++) {
    const scene = scenes[Math.floor(row / patches)];
    if (!scene) continue;
    const cover = coverOf(scene, patch, row % patches);
    const weight = cover ? 1 : emptyWeight;
    wanted[row * classes + colourClass(cover?.colour ?? scene.ground)] = weight;
    wanted[row * classes + colourClasses + (cover ? shapeNames.indexOf(cover.shape) + 1 : 0)] = weight;
    if (!cover) continue;
    centres.set(coordinatesOf(cover), 2 * row);
    centreWeights.fill(1, 2 * row, 2 * row + 2);
  }
  return { wanted: shareOut(wanted), centres, centreWeights: shareOut(centreWeights) };
}

const colourClass = (name: Colour | Ground): number => ([...groundNames, ...colourNames] as string[]).indexOf(name);

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
/** Each of three sentences against two other pictures and each way, the first picture's again for the fourth, and the fourth itself. */
const mostPreferences = 2 * sentencesPerGroup * (sentencesPerGroup - 1) + 2 * (sentencesPerGroup - 1) + 1;

/** The state at [CLS] of every sentence of a group before every picture of it; each picture is encoded once. */
function look(w: Weights, groups: number): { tokens: Tensor; first: Tensor } {
  const tokens = visionTransformer(w, input("pixels", [groups * picturesPerGroup, 3, side, side]));
  const [, count, width] = tokens.shape as [number, number, number];
  const rows = reshape(tokens, [groups, picturesPerGroup, 1, count * width]);
  const repeated = expand(rows, [groups, picturesPerGroup, sentencesPerGroup, count * width]);
  const ids = input("ids", [groups * cells, trainingTokens], "int64");
  const mask = input("mask", [groups * cells, trainingTokens]);
  return { tokens, first: bertFirstToken(w, ids, reshape(repeated, [groups * cells, count, width]), mask) };
}

/** Raw scores of every sentence of a group on every picture of it, [groups * 4 * 3]. */
export const groupScores = (w: Weights, groups: number): Tensor => rewardHead(w, look(w, groups).first);

/** The ranking loss and, in the weight that is fed, the guides'. */
export function learning(w: Weights, groups: number) {
  const { tokens, first } = look(w, groups);
  const scores = rewardHead(w, first);
  const guides = w.in("guides");
  const naming = namingLoss(guides.in("naming"), tokens);
  const finding = findingLoss(guides.in("finding"), first);
  const judging = judgingLoss(guides.in("judging"), first);
  const ranking = rankingLoss(scores, groups);
  const guided = add(add(naming, mul(finding, findingWeight)), judging);
  return { loss: add(ranking, mul(guided, input("guidance", []))), ranking, naming, finding, judging, scores };
}

/** ImageReward's loss, -log sigmoid(better - worse) (Xu et al. 2023, equation 1), over all pairs of the groups. */
function rankingLoss(scores: Tensor, groups: number): Tensor {
  const at = (name: string) => gather(scores, input(name, [groups * mostPreferences], "int64"));
  const losses = softplus(sub(at("worse"), at("better")));
  return sum(mul(losses, input("pairWeights", [groups * mostPreferences])));
}

export function scoringFeeds(groups: readonly Group[], sentences = groups.map((group) => group.sentences)): Feeds {
  const perCell = sentences.flatMap((own) => Array.from({ length: picturesPerGroup }, () => own).flat());
  return { pixels: standardise(groups.flatMap((group) => group.pictures)), ...tokenise(perCell) };
}

/** Groups have different numbers of pairs: the places left over weigh nothing. */
export function learningFeeds(groups: readonly Group[], patch: number, guidance: number): Feeds {
  const pairs = groups.flatMap((group, g) => group.preferences.map((preference) => ({ g, ...preference })));
  const places = groups.length * mostPreferences;
  const cellsOf = (way: "better" | "worse") =>
    BigInt64Array.from({ length: places }, (_, i) => BigInt(pairs[i] ? cellAt(pairs[i].g, pairs[i][way]) : 0));
  const weights = Float32Array.from({ length: places }, (_, i) => (pairs[i] ? (pairs[i].weight ?? 1) : 0));
  return {
    ...scoringFeeds(groups),
    ...guideFeeds(groups, patch),
    guidance: Float32Array.of(guidance),
    better: cellsOf("better"),
    worse: cellsOf("worse"),
    pairWeights: shareOut(weights),
  };
}

/** Where a group's cell lies among the scores. */
export const cellAt = (group: number, { picture, sentence }: { picture: number; sentence: number }): number =>
  group * cells + picture * sentencesPerGroup + sentence;
