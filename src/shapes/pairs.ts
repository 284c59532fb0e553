// Preference pairs: a sentence and a picture of it, beside what is worse by one thing only. What people's rankings are to ImageReward.

import type { Random } from "./random.ts";
import { addNoise, blur, mix, type Pixels, render } from "./render.ts";
import {
  colourNames,
  contradiction,
  type Description,
  groundNames,
  type Item,
  type Placed,
  place,
  relationNames,
  type Scene,
  sentence,
  shapeNames,
  side,
  sizeNames,
} from "./scene.ts";
import type { Split } from "./splits.ts";
import { splitOf } from "./splits.ts";

export const edits = { colour, shape, relation, count, missing, size, ground } as const;
export const damages = { blur: blurred, noise: noisy, "cut off": cutOff, ghost } as const;

export type Edit = keyof typeof edits;
export type Damage = keyof typeof damages;
/** "painted": beside the picture of its own scene, what refining by the reward of that moment made of the scene's noise. */
export type Kind = Edit | Damage | "painted";

export const editNames = Object.keys(edits) as Edit[];
export const damageNames = Object.keys(damages) as Damage[];

// ── Descriptions ────────────────────────────────────────────────────────────────────────────────────────────────

/** How often a description has one, two or three kinds of shapes: by this, training goes from the simple to the manifold. */
export type Mixture = readonly [one: number, two: number, three: number];

export const wholeWorld: Mixture = [0.25, 0.5, 0.25];

export function randomDescription(random: Random, mixture: Mixture = wholeWorld): Description {
  const kinds = pickWeighted([1, 2, 3], mixture, random);
  const relation = kinds > 1 && random.chance(0.6) ? random.pick(relationNames) : undefined;
  const items: Item[] = [];
  while (items.length < kinds) {
    const item = randomItem(random, relation ? 1 : maximumCount(items, kinds));
    if (!items.some((other) => isSameKind(item, other))) items.push(item);
  }
  return { items, relation, ground: random.chance(0.35) ? random.pick(groundNames) : undefined };
}

/** At most three shapes in a picture. */
const maximumCount = (items: readonly Item[], kinds: number): number =>
  3 - items.reduce((sum, { count }) => sum + count, 0) - (kinds - items.length - 1);

const randomItem = (random: Random, most: number): Item => ({
  count: random.chance(0.5) ? 1 + random.below(most) : 1,
  size: random.chance(0.2) ? random.pick(sizeNames) : undefined,
  colour: random.pick(colourNames),
  shape: random.pick(shapeNames),
});

const isSameKind = (a: Item, b: Item): boolean => a.colour === b.colour && a.shape === b.shape;

function pickWeighted<T>(list: readonly T[], weights: readonly number[], random: Random): T {
  const total = weights.reduce((a, b) => a + b);
  let rest = random.next() * total;
  for (const [i, item] of list.entries()) {
    rest -= weights[i]!;
    if (rest < 0) return item;
  }
  return list.at(-1)!;
}

// ── Edits: another description, wrong in one thing ──────────────────────────────────────────────────────────────

type Change = (description: Description, random: Random) => Description | undefined;

/** Another one of the list. */
const another = <T>(list: readonly T[], not: T, random: Random): T =>
  random.pick(list.filter((other) => other !== not));

function changeItem(description: Description, random: Random, change: (item: Item) => Item | undefined) {
  const at = random.below(description.items.length);
  const item = change(description.items[at]!);
  return item && { ...description, items: description.items.with(at, item) };
}

/** The colours (or shapes) of the first two exchanged: all the same words, in another order. */
function exchange<K extends "colour" | "shape">(key: K, description: Description): Description | undefined {
  const [a, b] = description.items;
  if (!a || !b || a[key] === b[key]) return undefined;
  return { ...description, items: [{ ...a, [key]: b[key] }, { ...b, [key]: a[key] }, ...description.items.slice(2)] };
}

function colour(description: Description, random: Random): ReturnType<Change> {
  if (random.chance(0.4)) return exchange("colour", description);
  return changeItem(description, random, (item) => ({ ...item, colour: another(colourNames, item.colour, random) }));
}

function shape(description: Description, random: Random): ReturnType<Change> {
  if (random.chance(0.4)) return exchange("shape", description);
  return changeItem(description, random, (item) => ({ ...item, shape: another(shapeNames, item.shape, random) }));
}

function relation(description: Description, random: Random): ReturnType<Change> {
  const { items, relation } = description;
  if (!relation) return undefined;
  if (random.chance(0.3)) return { ...description, items: [items[1]!, items[0]!, ...items.slice(2)] };
  return { ...description, relation: another(relationNames, relation, random) };
}

function count(description: Description, random: Random): ReturnType<Change> {
  const room = 3 - description.items.reduce((sum, item) => sum + item.count, 0);
  return changeItem(description, random, (item) => {
    const others = [1, 2, 3].filter((n) => n !== item.count && n <= item.count + room);
    return others.length ? { ...item, count: random.pick(others) } : undefined;
  });
}

/** One kind of shape not there: the last, so that a relation between the first two still makes sense. */
function missing(description: Description): ReturnType<Change> {
  const { items, relation } = description;
  return items.length > 1
    ? { ...description, items: items.slice(0, -1), relation: items.length > 2 ? relation : undefined }
    : undefined;
}

function size(description: Description, random: Random): ReturnType<Change> {
  return changeItem(
    description,
    random,
    (item) => item.size && { ...item, size: another(sizeNames, item.size, random) },
  );
}

function ground(description: Description, random: Random): ReturnType<Change> {
  return description.ground && { ...description, ground: another(groundNames, description.ground, random) };
}

/** No kind named twice, and relations only between single shapes. */
const isSensible = ({ items, relation }: Description): boolean =>
  !(relation && items.slice(0, 2).some((item) => item.count > 1)) &&
  items.every((item, i) => items.every((other, j) => j <= i || !isSameKind(item, other)));

// ── Damages: the same scene, badly pictured ─────────────────────────────────────────────────────────────────────

function blurred(scene: Scene, random: Random): Pixels {
  return blur(render(scene), random.between(1.2, 3.5));
}

function noisy(scene: Scene, random: Random): Pixels {
  return addNoise(render(scene), random.between(18, 70), random);
}

/** One shape pushed over the nearest edge of the picture, a third to two thirds of it outside. */
function cutOff(scene: Scene, random: Random): Pixels {
  const at = random.below(scene.shapes.length);
  const shapes = (scene.shapes as Placed[]).with(at, pushOut(scene.shapes[at]!, random));
  return render({ ...scene, shapes });
}

function pushOut(placed: Placed, random: Random): Placed {
  const inside = placed.radius * random.between(-0.35, 0.35);
  const ways = [{ x: inside }, { x: side - inside }, { y: inside }, { y: side - inside }];
  if (placed.shape === "triangle") ways.pop(); // cut off below, a triangle is a smaller whole one
  const distance = (way: Partial<Placed>) =>
    Math.abs((way.x ?? placed.x) - placed.x) + Math.abs((way.y ?? placed.y) - placed.y);
  return { ...placed, ...ways.reduce((best, way) => (distance(way) < distance(best) ? way : best)) };
}

/** Half one scene and half another, as generators paint that cannot decide: a shape too many, elsewhere, or of another kind. */
function ghost(scene: Scene, random: Random): Pixels {
  const at = random.below(scene.shapes.length);
  const changed = random.pick(doubts)(scene.shapes[at]!, random);
  const other = { ...scene, shapes: scene.shapes.with(at, changed) };
  const both = { ...scene, shapes: [...scene.shapes, changed] };
  return mix(render(scene), render(random.chance(0.5) ? other : both), random.between(0.35, 0.65));
}

const somewhere = (radius: number, random: Random) => random.between(radius, side - radius);

const doubts: readonly ((placed: Placed, random: Random) => Placed)[] = [
  (placed, random) => ({ ...placed, colour: another(colourNames, placed.colour, random) }),
  (placed, random) => ({ ...placed, shape: another(shapeNames, placed.shape, random) }),
  (placed, random) => ({ ...placed, x: somewhere(placed.radius, random), y: somewhere(placed.radius, random) }),
];

/** A right picture may be a little noisy or soft too, as a generator's are: at most 4 of 255, where damage begins at 18, or 0.6 pixels. */
export function nearlyClean(scene: Scene, random: Random): Pixels {
  const pixels = random.chance(0.25) ? blur(render(scene), random.between(0.3, 0.6)) : render(scene);
  return random.chance(0.3) ? addNoise(pixels, random.between(0, 4), random) : pixels;
}

// ── Groups ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Row `picture`, column `sentence` of a group's table of scores. */
export interface Cell {
  picture: number;
  sentence: number;
}

export interface Preference {
  better: Cell;
  worse: Cell;
  /** By what it is worse; "mixed": by more than one thing. */
  kind: Kind | "mixed";
  /** How much it counts; 1 unless given. */
  weight?: number;
}

/** A description and two edits of it, each with its picture, and a damaged fourth picture of the first: all pairs among 4 x 3 scores. */
export interface Group {
  descriptions: readonly Description[];
  /** What each picture holds; undefined of the one where something is cut off. */
  scenes: readonly (Scene | undefined)[];
  sentences: readonly string[];
  pictures: readonly Pixels[];
  preferences: readonly Preference[];
}

export const picturesPerGroup = 4;
export const sentencesPerGroup = 3;

export interface GroupOptions {
  /** Which descriptions may come first. */
  splits: readonly Split[];
  /** May the edits be of any split? In training they may not. */
  editsOfAnySplit?: boolean;
  mixture?: Mixture;
  /** How many of the other descriptions are not edits but something else altogether: easier, for the start. Default 0. */
  unrelated?: number;
}

/** A generator's picture, and what it should have been by the noise it was painted from. */
export interface Painted {
  description: Description;
  scene: Scene;
  pixels: Pixels;
  /** The scene through the generator's own decoder: as near as any noise could come. */
  ideal: Pixels;
}

/** How often each edit is drawn: the hard ones most. */
const editWeights: Record<Edit, number> = {
  colour: 3,
  shape: 3,
  relation: 8,
  count: 3,
  missing: 1,
  size: 2,
  ground: 5,
};

export function randomGroup(random: Random, options: GroupOptions): Group {
  const first = drawUntil(
    () => randomDescription(random, options.mixture),
    (description) => options.splits.includes(splitOf(description)),
  );
  const { scenes, pictures, preferences, ...said } = around(first, place(first, random), random, options);
  const damage = random.pick(damageNames);
  return {
    ...said,
    scenes: [...scenes, damage === "cut off" ? undefined : scenes[0]],
    pictures: [...pictures, damages[damage](scenes[0]!, random)],
    preferences: [...preferences, { better: own(0), worse: { picture: 3, sentence: 0 }, kind: damage }],
  };
}

/** The same with a generator's picture as the fourth, worse than the first by as much as it differs from what it should be. */
export function paintedGroup({ description, scene, pixels, ideal }: Painted, random: Random): Group {
  const group = around(description, scene, random, { splits: ["training"] });
  const [rendered, ...others] = group.pictures;
  const astray = farthestBlock(pixels, ideal);
  const isTrue = astray < likeEnough;
  const worse = { better: own(0), worse: { picture: 3, sentence: 0 }, kind: "painted" } as const;
  return {
    ...group,
    scenes: [...group.scenes, isTrue ? scene : undefined],
    pictures: [random.chance(idealShare) ? ideal : rendered!, ...others, pixels],
    preferences: [
      ...group.preferences,
      ...(isTrue ? asIfFirst(group.preferences) : []),
      { ...worse, weight: paintedWeight * Math.min(1, Math.max(0, astray - asDrawn) / (quiteWrong - asDrawn)) },
    ],
  };
}

const idealShare = 0.7;
/** Of mean differences of 8-bit values in the worst block: 16 is an edge half a pixel off, 32 a corner rounded or a point gone. */
const asDrawn = 8;
const likeEnough = 22;
const quiteWrong = 32;
const paintedWeight = 6; // about half of what all other pairs of a group weigh
const blockSide = 8;

/** The mean difference of two pictures where they differ most, in blocks that overlap by half. */
function farthestBlock(a: Pixels, b: Pixels): number {
  let most = 0;
  for (let top = 0; top <= side - blockSide; top += blockSide / 2)
    for (let left = 0; left <= side - blockSide; left += blockSide / 2) most = Math.max(most, differenceAt(left, top));
  return most / (3 * blockSide ** 2);

  function differenceAt(left: number, top: number): number {
    let sum = 0;
    for (let y = top; y < top + blockSide; y++)
      for (let i = 3 * (y * side + left); i < 3 * (y * side + left + blockSide); i++) sum += Math.abs(a[i]! - b[i]!);
    return sum;
  }
}

/** What is preferred of the first picture, said of the fourth, which shows the same. */
const asIfFirst = (preferences: readonly Preference[]): Preference[] =>
  preferences
    .filter(({ better }) => better.picture === 0)
    .map(({ better, worse, kind }) => ({
      better: { ...better, picture: 3 },
      worse: worse.picture === 0 ? { ...worse, picture: 3 } : worse,
      kind,
    }));

/** A description and two edits of it, each with its picture; the first's scene is given. */
function around(first: Description, scene: Scene, random: Random, options: GroupOptions) {
  const changed = [0, 1].map(() => randomChange(first, random, options));
  const descriptions = [first, ...changed.map(({ description }) => description!)];
  const scenes = [scene, ...descriptions.slice(1).map((description) => place(description, random))];
  return {
    descriptions,
    scenes,
    sentences: descriptions.map(sentence),
    pictures: scenes.map((scene) => nearlyClean(scene, random)),
    preferences: contradictions(descriptions, scenes, ["mixed", ...changed.map(({ kind }) => kind)]),
  };
}

const own = (i: number): Cell => ({ picture: i, sentence: i });

function drawUntil<T>(draw: () => T, isWanted: (value: T) => boolean): T {
  for (;;) {
    const value = draw();
    if (isWanted(value)) return value;
  }
}

function randomChange(first: Description, random: Random, { editsOfAnySplit, unrelated = 0, mixture }: GroupOptions) {
  const another = random.chance(unrelated);
  return drawUntil(
    (): { kind: Edit | "mixed"; description: Description | undefined } => {
      if (another) return { kind: "mixed", description: randomDescription(random, mixture) };
      const kind = pickWeighted(editNames, Object.values(editWeights), random);
      return { kind, description: edits[kind](first, random) };
    },
    ({ description }): boolean =>
      description !== undefined && isSensible(description) && (editsOfAnySplit || splitOf(description) === "training"),
  );
}

/** Wherever sentence j is not true of picture i: picture i would rather have its own sentence, sentence j its own picture. */
function contradictions(
  descriptions: Description[],
  scenes: Scene[],
  kinds: readonly (Kind | "mixed")[],
): Preference[] {
  return scenes.flatMap((scene, i) =>
    descriptions.flatMap((description, j): Preference[] => {
      if (i === j || contradiction(description, scene) === undefined) return [];
      const kind = i === 0 ? kinds[j]! : j === 0 ? kinds[i]! : "mixed";
      const worse = { picture: i, sentence: j };
      return [i, j].map((k) => ({ better: own(k), worse, kind }));
    }),
  );
}
