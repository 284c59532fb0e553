// A picture's layout chosen by noise: what lies in which quarter, how far from its middle, on which ground. A generator
// that is to paint in one step can only be sharp if its noise decides all that its sentence leaves open; so it is taught
// by pairs of noise and picture coupled in this way, as multisample couplings do (Pooladian et al. 2023, arXiv 2304.14772).

import { RequestError } from "../errors.ts";
import {
  type Description,
  type Ground,
  type Item,
  type Placed,
  type Relation,
  radii,
  type Scene,
  sentence,
  side,
} from "./scene.ts";

/** The noise's shape: three channels in which the first, second and third kind look for room, and one for all the rest. */
export const noiseChannels = 4;
export const noiseSide = 16;
const lastChannel = noiseChannels - 1;

const half = noiseSide / 2;
const quarters = [0, 1, 2, 3] as const; // left above, right above, left below, right below
type Quarter = (typeof quarters)[number];

const unsaidRadius = 8.75;
const farthest = 6; // pixels from a quarter's middle
const middleRadius = ({ size }: Item): number => (size ? (radii[size][0] + radii[size][1]) / 2 : unsaidRadius);

/** Which quarters' pairs a relation allows: side by side, never across. */
const neighbours: Record<Relation, readonly string[]> = {
  "left of": ["0 1", "2 3"],
  "right of": ["1 0", "3 2"],
  above: ["0 2", "1 3"],
  below: ["2 0", "3 1"],
};

/** The scene of a description that this noise [4, 16, 16] stands for: the same noise, the same scene. */
export function arrange(description: Description, noise: Float32Array): Scene {
  const items = description.items.flatMap((item, kind) => Array.from({ length: item.count }, () => ({ item, kind })));
  const wishes = items.map(({ kind }) => quarters.map((quarter) => leaning(noise, kind, quarter)));
  const places = bestPlaces(description, wishes);
  return {
    ground: description.ground ?? groundOf(noise),
    shapes: items.map(({ item }, i) => placed(item, places[i]!, noise)),
  };
}

/** The assignment of quarters that the wishes' sum is largest for, of those that the relation allows. */
function bestPlaces({ items, relation, ...rest }: Description, wishes: readonly number[][]): readonly Quarter[] {
  const isAllowed = ([first, second]: readonly Quarter[]) =>
    !relation || neighbours[relation].includes(`${first} ${second}`);
  const isSingle = !relation || (items[0]!.count === 1 && items[1]!.count === 1);
  const candidates = isSingle ? arrangements(wishes.length).filter(isAllowed) : [];
  const total = (places: readonly Quarter[]) => places.reduce<number>((sum, place, i) => sum + wishes[i]![place]!, 0);
  const [first, ...others] = candidates;
  if (!first)
    throw new RequestError(`"${sentence({ items, relation, ...rest })}" does not fit in a picture's four quarters.`);
  return others.reduce((best, places) => (total(places) > total(best) ? places : best), first);
}

/** Every way to give `count` shapes a quarter each. */
function arrangements(count: number): readonly (readonly Quarter[])[] {
  if (count === 0) return [[]];
  return arrangements(count - 1).flatMap((before) =>
    quarters.filter((quarter) => !before.includes(quarter)).map((quarter) => [...before, quarter]),
  );
}

/** Standard normal for standard normal noise: a weighted sum over one channel's quarter, scaled to its length. */
function leaning(noise: Float32Array, channel: number, quarter: Quarter, weight = (_x: number, _y: number) => 1) {
  const [left, top] = [half * (quarter % 2), half * Math.floor(quarter / 2)];
  let sum = 0;
  for (let y = 0; y < half; y++)
    for (let x = 0; x < half; x++) sum += weight(x, y) * noise[(channel * noiseSide + top + y) * noiseSide + left + x]!;
  return sum / half;
}

const rightward = (x: number) => Math.sign(x - half / 2 + 0.5);
const downward = (_: number, y: number) => rightward(y);

function placed(item: Item, quarter: Quarter, noise: Float32Array): Placed {
  const radius = middleRadius(item);
  const reach = Math.min(farthest, side / 4 - 1.1 - radius); // so that neighbours and edges are never touched
  const offset = (weight: typeof downward) => reach * Math.tanh(leaning(noise, lastChannel, quarter, weight));
  return {
    shape: item.shape,
    colour: item.colour,
    radius,
    x: (side / 4) * (1 + 2 * (quarter % 2)) + offset(rightward),
    y: (side / 4) * (1 + 2 * Math.floor(quarter / 2)) + offset(downward),
  };
}

const tercile = 0.4307; // of the standard normal distribution

function groundOf(noise: Float32Array): Ground {
  const level = quarters.reduce<number>((sum, quarter) => sum + leaning(noise, lastChannel, quarter), 0) / 2;
  if (level > tercile) return "white";
  return level < -tercile ? "black" : "gray";
}
