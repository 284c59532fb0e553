// The compositional split: sentences that training never sees, though it sees every word and every kind of relation in them.

import { type Colour, colourNames, type Description, type Item, type Shape, shapeNames } from "./scene.ts";

/** Colours and shapes that training never sees together, alone or in company. */
export const unseenCombinations: readonly (readonly [Colour, Shape])[] = [
  ["blue", "triangle"],
  ["yellow", "cross"],
  ["purple", "circle"],
];

export type Split = "training" | "unseen combination" | "unseen pairing";

/** Of the sets of two or three kinds of shapes, one in eight is kept from training, in every order, number and relation. */
const keptBack = 8;

export function splitOf({ items }: Description): Split {
  if (items.some(isUnseenCombination)) return "unseen combination";
  return items.length > 1 && hash(items) % keptBack === 0 ? "unseen pairing" : "training";
}

const isUnseenCombination = ({ colour, shape }: Item): boolean =>
  unseenCombinations.some(([c, s]) => c === colour && s === shape);

/** The same for any order of the items (Knuth's multiplicative hash of the set as a bit mask). */
function hash(items: readonly Item[]): number {
  const mask = items.reduce((bits, item) => bits | (1 << kind(item)), 0);
  return Math.imul(mask, 2654435761) >>> 20;
}

const kind = ({ colour, shape }: Item): number =>
  colourNames.indexOf(colour) * shapeNames.length + shapeNames.indexOf(shape);
