// A guide for the generator's text encoder: what a sentence says must be told, by one linear layer, from its tokens' average. The
// U-Net looks at all 77 tokens alike when it begins, and most are padding; from pictures alone, after 1800 steps it had
// learned grounds and places from the noise but of the words nothing. The layer is not kept.

import {
  add,
  input,
  linear,
  logSoftmax,
  mean,
  mul,
  reshape,
  type Shape,
  slice,
  sum,
  type Tensor,
  transpose,
} from "../graph/index.ts";
import {
  colourNames,
  type Description,
  groundNames,
  relationNames,
  type Scene,
  shapeNames,
  side,
  sizeNames,
} from "../shapes/scene.ts";
import type { Weights } from "../weights/weights.ts";

const mostItems = 3;
const counts = [1, 2, 3] as const;

/** What is asked of each item and of the whole: the possible answers, beside "nothing", and the right one. */
const questions: readonly { answers: readonly unknown[]; of: (description: Description) => unknown }[] = [
  ...Array.from({ length: mostItems }, (_, i) => [
    { answers: colourNames, of: ({ items }: Description) => items[i]?.colour },
    { answers: shapeNames, of: ({ items }: Description) => items[i]?.shape },
    { answers: sizeNames, of: ({ items }: Description) => items[i]?.size },
    { answers: counts, of: ({ items }: Description) => items[i]?.count },
  ]).flat(),
  { answers: relationNames, of: ({ relation }) => relation },
  { answers: groundNames, of: ({ ground }) => ground },
];

const sizes = questions.map(({ answers }) => answers.length + 1);
const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0));
const classes = sizes.reduce((a, b) => a + b);

export const guideShapes = (textWidth: number, unetWidth: number): Record<string, Shape> => ({
  "guides.reading.weight": [classes, textWidth],
  "guides.reading.bias": [classes],
  "guides.laying.weight": [colourClasses + shapeClasses, cornersOfQuarter * unetWidth],
  "guides.laying.bias": [colourClasses + shapeClasses],
});

// ── What lies where ─────────────────────────────────────────────────────────────────────────────────────────────
// A second linear layer tells from the U-Net's smallest map which colour and shape lies in each quarter of the picture: to choose
// quarters and to keep two kinds apart is what squares of latents teach most slowly.

const colourClasses = colourNames.length + 1;
const shapeClasses = shapeNames.length + 1;
const quarters = 4;
const cornersOfQuarter = 4; // places of the 4 x 4 map in a quarter

/** The mean cross-entropy of colour and shape, from a map [N, width, 4, 4]. */
export function layingLoss(w: Weights, map: Tensor): Tensor {
  const layer = w.in("laying");
  const [batch, width] = map.shape as [number, number];
  const parts = transpose(reshape(map, [batch, width, 2, 2, 2, 2]), [0, 2, 4, 1, 3, 5]);
  const logits = linear(
    reshape(parts, [batch * quarters, width * cornersOfQuarter]),
    layer.get("weight"),
    layer.get("bias"),
  );
  const laid = input("laid", logits.shape);
  const agreement = (from: number, to: number) =>
    sum(mul(logSoftmax(slice(logits, 1, from, to)), slice(laid, 1, from, to)));
  const total = add(agreement(0, colourClasses), agreement(colourClasses, colourClasses + shapeClasses));
  return mul(total, -1 / (2 * batch * quarters));
}

/** The right answers, [N * 4, classes]; "nothing" is the first of each. */
export function layingTargets(scenes: readonly Scene[]): Float32Array {
  const size = colourClasses + shapeClasses;
  const laid = new Float32Array(scenes.length * quarters * size);
  for (const [n, { shapes }] of scenes.entries())
    for (let quarter = 0; quarter < quarters; quarter++) {
      const found = shapes.find(({ x, y }) => 2 * Math.floor((2 * y) / side) + Math.floor((2 * x) / side) === quarter);
      const row = (n * quarters + quarter) * size;
      laid[row + (found ? colourNames.indexOf(found.colour) + 1 : 0)] = 1;
      laid[row + colourClasses + (found ? shapeNames.indexOf(found.shape) + 1 : 0)] = 1;
    }
  return laid;
}

// ── What the sentence says ──────────────────────────────────────────────────────────────────────────────────────

/** The mean cross-entropy of the answers, from the tokens' states [N, T, width]. */
export function readingLoss(w: Weights, text: Tensor): Tensor {
  const layer = w.in("reading");
  const logits = linear(mean(text, { axes: [1] }), layer.get("weight"), layer.get("bias"));
  const said = input("said", logits.shape);
  const agreements = sizes.map((size, i) => {
    const part = (x: Tensor) => slice(x, 1, starts[i]!, starts[i]! + size);
    return sum(mul(logSoftmax(part(logits)), part(said)));
  });
  return mul(
    agreements.reduce((a, b) => add(a, b)),
    -1 / (questions.length * logits.shape[0]!),
  );
}

/** The right answers, [N, classes]: a one for each question. */
export function readingTargets(descriptions: readonly Description[]): Float32Array {
  const said = new Float32Array(descriptions.length * classes);
  for (const [n, description] of descriptions.entries())
    for (const [i, { answers, of }] of questions.entries())
      said[n * classes + starts[i]! + answers.indexOf(of(description)) + 1] = 1; // "nothing" is the first answer
  return said;
}
