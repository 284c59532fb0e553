// The exact checker: which shapes, which colours and where, from the pixels alone. No optimiser ever sees it.

import type { Pixels } from "./render.ts";
import {
  type Colour,
  colourNames,
  colours,
  contradiction,
  type Ground,
  groundNames,
  grounds,
  outlines,
  type Placed,
  parseSentence,
  type Scene,
  type Shape,
  shapeNames,
  side,
} from "./scene.ts";

/** What was found where; shape null: a patch that is none of the shapes, as one cut off or smeared is. */
export interface Found extends Omit<Placed, "shape"> {
  shape: Shape | null;
  /** Overlap (intersection over union) of the patch with the nearest ideal shape: 1 is perfect. */
  likeness: number;
}

export interface Verdict {
  right: boolean;
  found: readonly Found[];
  ground: Ground;
  /** In words, for people: what is wrong, or that all is right. */
  why: string;
}

const smallestPatch = 16; // pixels: less is a speck, not a shape (the smallest cross drawn has about 67)
const likenessWanted = 0.75; // ideal shapes reach 0.85 and more; a circle taken for a square stands at pi / 4 = 0.785
const squareness = 1.35; // width by height: every shape fills a square

/** Is the sentence true of the picture: exactly its shapes, whole, in their relation, on its ground? */
export function check(pixels: Pixels, sentence: string): Verdict {
  const description = parseSentence(sentence);
  const { ground, found } = see(pixels);
  const strange = found.find(({ shape }) => shape === null);
  const why = strange
    ? `found something ${strange.colour} at ${Math.round(strange.x)}, ${Math.round(strange.y)} that is no whole shape`
    : contradiction(description, { ground, shapes: found } as Scene);
  return {
    right: why === undefined,
    found,
    ground,
    why: why ?? "everything the sentence says is there, and nothing else",
  };
}

/** The ground and the shapes of a picture. */
export function see(pixels: Pixels): { ground: Ground; found: Found[] } {
  const ground = nearestGround(pixels);
  const labels = smooth(smooth(unmix(pixels, ground)));
  return { ground, found: patches(labels).map(recognise) };
}

type Rgb = readonly [number, number, number];

const palette: readonly Rgb[] = [
  ...colourNames.map((name) => colours[name]),
  ...groundNames.map((name) => grounds[name]),
];
const nothing = palette.length; // the label of the ground

const rgb = (pixels: Pixels, i: number): Rgb => [pixels[3 * i]!, pixels[3 * i + 1]!, pixels[3 * i + 2]!];
const minus = (a: Rgb, b: Rgb): Rgb => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const times = (a: Rgb, k: number): Rgb => [a[0] * k, a[1] * k, a[2] * k];
const squared = (a: Rgb): number => dot(a, a);
const dot = (a: Rgb, b: Rgb): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

/** The ground that most pixels are nearest to, of those nearest to a ground at all. */
function nearestGround(pixels: Pixels): Ground {
  const labels = Uint8Array.from({ length: side * side }, (_, i) =>
    indexOfLeast(palette, (colour) => squared(minus(rgb(pixels, i), colour))),
  );
  return groundNames[commonest(labels.filter((label) => label >= colourNames.length)) - colourNames.length] ?? "white";
}

/**
 * Each pixel as ground + amount x (colour - ground), for the colour that explains it best: an index into the palette,
 * or `nothing` where the ground is more than half of it. So edges fall where the shape covers half a pixel.
 */
function unmix(pixels: Pixels, ground: Ground): Uint8Array {
  const directions = palette.map((colour) => minus(colour, grounds[ground]));
  return Uint8Array.from({ length: side * side }, (_, i) => {
    const offset = minus(rgb(pixels, i), grounds[ground]);
    const amount = (d: Rgb) => Math.min(1, Math.max(0, dot(offset, d) / (squared(d) || 1)));
    if (squared(offset) === 0) return nothing;
    const best = indexOfLeast(directions, (d) => squared(minus(offset, times(d, amount(d)))));
    return amount(directions[best]!) < 0.5 ? nothing : best;
  });
}

function indexOfLeast<T>(list: readonly T[], of: (item: T) => number): number {
  let least = 0;
  for (let i = 1; i < list.length; i++) if (of(list[i]!) < of(list[least]!)) least = i;
  return least;
}

/** Where three or fewer of the nine around a pixel agree with it, it takes the commonest of the others: noise and smears. */
function smooth(labels: Uint8Array): Uint8Array {
  return labels.map((label, i) => {
    const near = neighbourhood(i);
    let same = 0;
    for (const j of near) if (labels[j] === label) same++;
    return same > 3 ? label : commonest(near.flatMap((j) => (labels[j] === label ? [] : [labels[j]!])));
  });
}

const neighbourhoods = Array.from({ length: side * side }, (_, i) => {
  const [x, y] = [i % side, Math.floor(i / side)];
  const around = [-1, 0, 1].flatMap((dy) => [-1, 0, 1].map((dx) => [x + dx, y + dy] as const));
  return around.filter(([u, v]) => u >= 0 && v >= 0 && u < side && v < side).map(([u, v]) => v * side + u);
});
const neighbourhood = (i: number): readonly number[] => neighbourhoods[i]!;

function commonest(labels: ArrayLike<number>): number {
  const counts = new Array<number>(nothing + 1).fill(0);
  for (let i = 0; i < labels.length; i++) counts[labels[i]!]!++;
  return counts.indexOf(Math.max(...counts));
}

interface Patch {
  colour: Colour;
  members: readonly number[];
}

/** Connected pixels of one colour, specks left out. */
function patches(labels: Uint8Array): Patch[] {
  const seen = new Uint8Array(labels.length);
  const list: Patch[] = [];
  for (let start = 0; start < labels.length; start++) {
    const colour = colourNames[labels[start]!];
    if (seen[start] || !colour) continue;
    const members = flood(labels, start, seen);
    if (members.length >= smallestPatch) list.push({ colour, members });
  }
  return list;
}

function flood(labels: Uint8Array, start: number, seen: Uint8Array): number[] {
  const members = [start];
  seen[start] = 1;
  for (const i of members)
    for (const j of neighbourhood(i))
      if (!seen[j] && labels[j] === labels[start]) {
        seen[j] = 1;
        members.push(j);
      }
  return members;
}

/** The shape whose ideal form, laid over the patch's own square, overlaps it best. */
function recognise({ colour, members }: Patch): Found {
  const columns = members.map((i) => i % side);
  const rows = members.map((i) => Math.floor(i / side));
  const [left, right, top, bottom] = [Math.min(...columns), Math.max(...columns), Math.min(...rows), Math.max(...rows)];
  const [width, height] = [right - left + 1, bottom - top + 1];
  const where = { colour, x: left + width / 2, y: top + height / 2, radius: (width + height) / 4 };
  const scores = shapeNames.map((shape) => likeness(shape, { ...where, width, height }, members));
  const best = Math.max(...scores);
  const whole = best >= likenessWanted && Math.max(width / height, height / width) <= squareness;
  return { ...where, shape: whole ? shapeNames[scores.indexOf(best)]! : null, likeness: best };
}

function likeness(
  shape: Shape,
  { x, y, width, height }: { x: number; y: number; width: number; height: number },
  members: readonly number[],
): number {
  const isInside = (column: number, row: number) =>
    outlines[shape]((column + 0.5 - x) / (width / 2), (row + 0.5 - y) / (height / 2));
  const common = members.filter((i) => isInside(i % side, Math.floor(i / side))).length;
  let ideal = 0;
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) if (isInside(x - width / 2 + column, y - height / 2 + row)) ideal++;
  return common / (ideal + members.length - common);
}
