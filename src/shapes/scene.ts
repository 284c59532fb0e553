// The shapes world: what a sentence says, what a picture holds, and when the one is true of the other.

import { RequestError } from "../errors.ts";
import type { Random } from "./random.ts";

export const side = 64; // pixels

export const colours = {
  red: [220, 40, 40],
  green: [40, 165, 60],
  blue: [40, 70, 220],
  yellow: [245, 220, 50],
  purple: [150, 50, 185],
  cyan: [60, 205, 220],
} as const;

export const grounds = { white: [255, 255, 255], black: [0, 0, 0], gray: [128, 128, 128] } as const;

/** Is (x, y) inside the shape that fills the square -1 .. 1? y points down. */
export const outlines = {
  circle: (x: number, y: number) => x * x + y * y <= 1,
  square: (x: number, y: number) => Math.abs(x) <= 1 && Math.abs(y) <= 1,
  triangle: (x: number, y: number) => Math.abs(x) <= (y + 1) / 2 && y <= 1,
  cross: (x: number, y: number) =>
    Math.min(Math.abs(x), Math.abs(y)) <= 1 / 3 && Math.max(Math.abs(x), Math.abs(y)) <= 1,
} as const;

/** Half the width in pixels. A shape whose size is not said is drawn between the two. */
export const radii = { small: [5.5, 7], large: [11, 13] } as const;
const unsaidRadius = [7.5, 10] as const;
/** What still counts as small, and from where on as large: halfway to the sizes that are drawn. */
const sizeLimits = { small: [0, 8.5], large: [9.5, side] } as const;

/** How far right and down the first of two things is from the second, as multiples of the distance. */
const directions = { "left of": [-1, 0], "right of": [1, 0], above: [0, -1], below: [0, 1] } as const;

const numbers = ["a", "two", "three"] as const;

export type Colour = keyof typeof colours;
export type Ground = keyof typeof grounds;
export type Shape = keyof typeof outlines;
export type Size = keyof typeof radii;
export type Relation = keyof typeof directions;

export const colourNames = Object.keys(colours) as Colour[];
export const groundNames = Object.keys(grounds) as Ground[];
export const shapeNames = Object.keys(outlines) as Shape[];
export const sizeNames = Object.keys(radii) as Size[];
export const relationNames = Object.keys(directions) as Relation[];

/** "two small red circles" */
export interface Item {
  count: number;
  size?: Size | undefined;
  colour: Colour;
  shape: Shape;
}

/** What a sentence says. A relation holds between the first two items; a ground not said may be any. */
export interface Description {
  items: readonly Item[];
  relation?: Relation | undefined;
  ground?: Ground | undefined;
}

/** One shape where it lies: centre and half width in pixels. */
export interface Placed {
  shape: Shape;
  colour: Colour;
  x: number;
  y: number;
  radius: number;
}

/** What a picture holds. */
export interface Scene {
  ground: Ground;
  shapes: readonly Placed[];
}

export const plural = (shape: Shape): string => (shape === "cross" ? "crosses" : `${shape}s`);

const itemWords = ({ count, size, colour, shape }: Item): string =>
  [numbers[count - 1], size, colour, count > 1 ? plural(shape) : shape].filter(Boolean).join(" ");

/** The sentence for a description: "a red circle left of a blue square and two green crosses on white". */
export function sentence({ items, relation, ground }: Description): string {
  const words = items.map(itemWords);
  const related = relation ? [`${words[0]} ${relation} ${words[1]}`, ...words.slice(2)] : words;
  const list = related.length > 1 ? `${related.slice(0, -1).join(", ")} and ${related.at(-1)}` : related[0]!;
  return ground ? `${list} on ${ground}` : list;
}

const alternatives = (words: readonly string[]): string => words.join("|");
const itemPattern = new RegExp(
  `^(${alternatives(numbers)}) (?:(${alternatives(sizeNames)}) )?(${alternatives(colourNames)}) ` +
    `(?:(${alternatives(shapeNames)})|(${alternatives(shapeNames.map(plural))}))$`,
);
const groundPattern = new RegExp(`^(.*) on (${alternatives(groundNames)})$`);
const relationPattern = new RegExp(` (${alternatives(relationNames)}) `);

/** What a sentence says. Capitals, "an", "one", "grey", "to the left of" and a closing full stop are understood too. */
export function parseSentence(text: string): Description {
  const plain = text
    .trim()
    .toLowerCase()
    .replace(/\s+/g, " ")
    .replace(/ ?[.!]$/, "")
    .replace(/\b(an|one)\b/g, "a")
    .replace(/\bgrey\b/g, "gray")
    .replace(/\bto the (left|right) of\b/g, "$1 of")
    .replace(/\b(white|black|gray) background$/, "$1")
    .replace(/ on a (white|black|gray)$/, " on $1");
  const [, list = plain, ground] = groundPattern.exec(plain) ?? [];
  const relation = relationPattern.exec(list)?.[1];
  const items = list.replace(relationPattern, " and ").split(/ ?, (?:and )?| and /);
  if (items.length < (relation ? 2 : 1) || items.length > 3) throw notUnderstood(text, "one to three kinds of shapes");
  if (relation && list.search(relationPattern) > list.search(/,| and |$/))
    throw notUnderstood(text, "a relation between the first two kinds");
  return {
    items: items.map((words) => parseItem(words, text)),
    relation: relation as Relation | undefined,
    ground: ground as Ground | undefined,
  };
}

function parseItem(words: string, text: string): Item {
  const [, number, size, colour, one, many] = itemPattern.exec(words) ?? [];
  const count = numbers.indexOf(number as (typeof numbers)[number]) + 1;
  if (!count || (count === 1) !== Boolean(one)) throw notUnderstood(text, `shapes where it says "${words}"`);
  const shape = (one ?? shapeNames.find((name) => plural(name) === many)) as Shape;
  return { count, size: size as Size | undefined, colour: colour as Colour, shape };
}

const notUnderstood = (text: string, wanted: string): RequestError =>
  new RequestError(`The shapes world does not understand "${text}": it wants ${wanted}.`, {
    hint:
      `Say for example "a red circle left of a blue square", "two small green triangles" or "a yellow cross on black". ` +
      `Colours: ${colourNames.join(", ")}. Shapes: ${shapeNames.join(", ")}. Grounds: ${groundNames.join(", ")}.`,
  });

/** Is the description true of the scene: exactly these shapes, no others, in this relation, on this ground? Says what is not. */
export function contradiction({ items, relation, ground }: Description, scene: Scene): string | undefined {
  const wrong = items.map((item) => itemContradiction(item, scene)).find(Boolean);
  if (wrong) return wrong;
  const extra = unnamed(items, scene);
  if (extra) return `found a ${extra.colour} ${extra.shape} that the sentence does not name`;
  if (relation && !relationHolds(items, relation, scene))
    return `the ${items[0]!.colour} ${items[0]!.shape} is not ${relation} the ${items[1]!.colour} ${items[1]!.shape}`;
  if (ground && ground !== scene.ground) return `wanted a ${ground} ground, found ${scene.ground}`;
  return undefined;
}

/** The shapes of an item's colour and kind. */
export const shapesOf = (item: Item, { shapes }: Scene): Placed[] =>
  shapes.filter(({ shape, colour }) => shape === item.shape && colour === item.colour);

export function itemContradiction(item: Item, scene: Scene): string | undefined {
  const all = shapesOf(item, scene);
  if (all.length !== item.count) return `wanted ${itemWords(item)}, found ${all.length || "none"}`;
  const odd = all.find((s) => item.size && !hasSize(s, item.size));
  return odd && `wanted ${itemWords(item)}, found one ${Math.round(2 * odd.radius)} pixels wide`;
}

/** A shape that no item names. */
export const unnamed = (items: readonly Item[], scene: Scene): Placed | undefined =>
  scene.shapes.find((s) => !items.some((item) => item.shape === s.shape && item.colour === s.colour));

/** Between every shape of the first item and every shape of the second. */
export const relationHolds = ([first, second]: readonly Item[], relation: Relation, scene: Scene): boolean =>
  shapesOf(first!, scene).every((a) => shapesOf(second!, scene).every((b) => isPlaced(a, relation, b)));

const hasSize = ({ radius }: Placed, size: Size): boolean =>
  radius > sizeLimits[size][0] && radius < sizeLimits[size][1];

/** More along the direction than across it, with a little tolerance at the diagonal, and at least 4 pixels apart. */
function isPlaced(a: Placed, relation: Relation, b: Placed, steepness = 0.8): boolean {
  const [right, down] = directions[relation];
  const along = (a.x - b.x) * right + (a.y - b.y) * down;
  const across = Math.abs((a.x - b.x) * down) + Math.abs((a.y - b.y) * right);
  return along >= 4 && along >= steepness * across;
}

/** A scene of which the description is true, clearly so: shapes apart from each other and inside the picture. */
export function place(description: Description, random: Random): Scene {
  const ground = description.ground ?? random.pick(groundNames);
  for (let attempt = 0; attempt < 2000; attempt++) {
    const scene = { ground, shapes: description.items.flatMap((item) => scatter(item, random)) };
    if (isClear(description, scene)) return scene;
  }
  throw new RequestError(`There is no room for "${sentence(description)}" in ${side} x ${side} pixels.`);
}

const scatter = ({ count, size, colour, shape }: Item, random: Random): Placed[] =>
  Array.from({ length: count }, () => {
    const [smallest, largest] = size ? radii[size] : unsaidRadius;
    const radius = random.between(smallest, largest);
    const [low, high] = [radius + 1, side - 1 - radius];
    return { shape, colour, radius, x: random.between(low, high), y: random.between(low, high) };
  });

const gap = 2; // pixels between two shapes' squares, so that antialiased edges do not meet

function isClear({ items, relation }: Description, { shapes }: Scene): boolean {
  const apart = shapes.every((a, i) =>
    shapes.every((b, j) => j <= i || Math.max(Math.abs(a.x - b.x), Math.abs(a.y - b.y)) > a.radius + b.radius + gap),
  );
  if (!apart || !relation) return apart;
  const [first, second] = [shapes.slice(0, items[0]!.count), shapes.slice(items[0]!.count).slice(0, items[1]!.count)];
  return first.every((a) => second.every((b) => isPlaced(a, relation, b, 1.4)));
}
