// Convolution and its two gradients, each of which is again a convolution.

import { ShapeError } from "../../errors.ts";
import { defineOp } from "../define.ts";
import { differentiatedAs } from "../recompute.ts";
import { constant, describe, elementCount, type Shape, type Tensor } from "../tensor.ts";
import { add } from "./elementwise.ts";
import { matmul } from "./linear.ts";
import { concat, expand, pad, reshape, reverse, slice, split, transpose } from "./movement.ts";

export interface ConvOptions {
  /** Along height and width, the same for both. */
  readonly stride?: number;
  /** Zeros on each side; for uneven padding see pad2d. */
  readonly padding?: number;
  readonly dilation?: number;
  readonly groups?: number;
}

interface Attributes {
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly dilations: readonly number[];
  readonly group: number;
}

interface TransposedAttributes extends Attributes {
  readonly output_padding: readonly number[];
}

const attributesOf = ({ stride = 1, padding = 0, dilation = 1, groups = 1 }: ConvOptions): Attributes => ({
  strides: [stride, stride],
  pads: [padding, padding, padding, padding],
  dilations: [dilation, dilation],
  group: groups,
});

const spatial = (x: Tensor): readonly [number, number] => x.shape.slice(-2) as unknown as [number, number];

/** y[o] = Σᵢ x[i] ⋆ w[o, i], x [N, C, H, W], w [O, C / group, kh, kw]. */
const convolve = defineOp("Conv", ["x", "w"], {
  shape({ x, w }, { strides, pads, dilations, group }: Attributes) {
    const channels = w.shape[1]! * group;
    if (x.shape.length !== 4 || w.shape.length !== 4 || x.shape[1] !== channels) {
      throw new ShapeError(`Conv: ${describe(w)} takes [N, ${channels}, H, W] but x is ${describe(x)}.`);
    }
    const sizes = spatial(x).map((size, i) => {
      const reach = dilations[i]! * (spatial(w)[i]! - 1) + 1;
      return Math.floor((size + pads[i]! + pads[i + 2]! - reach) / strides[i]!) + 1;
    });
    return [x.shape[0]!, w.shape[0]!, ...sizes];
  },
  gradient: ({ x, w, dy, wants }, attributes) => ({
    x: wants("x") ? inputGradient(x.shape, w, dy, attributes) : null,
    w: wants("w") ? weightGradient(x, w.shape, dy, attributes) : null,
  }),
  lower: (attributes) => ({ attributes: { ...attributes } }),
});

/** The transpose of `convolve` as a linear map of x: its gradient, and the upsampling convolution. */
const convolveTransposed = defineOp("ConvTranspose", ["x", "w"], {
  shape({ x, w }, { strides, pads, dilations, group, output_padding }: TransposedAttributes) {
    if (x.shape[1] !== w.shape[0]) {
      throw new ShapeError(`ConvTranspose: ${describe(w)} takes ${w.shape[0]} channels but x is ${describe(x)}.`);
    }
    const sizes = spatial(x).map(
      (size, i) =>
        strides[i]! * (size - 1) +
        output_padding[i]! +
        dilations[i]! * (spatial(w)[i]! - 1) +
        1 -
        pads[i]! -
        pads[i + 2]!,
    );
    return [x.shape[0]!, w.shape[1]! * group, ...sizes];
  },
  gradient: ({ x, w, dy, wants }, { output_padding: _, ...attributes }) => ({
    x: wants("x") ? cropTo(convolve(dy, w, attributes), x.shape) : null,
    w: wants("w") ? weightGradient(dy, w.shape, x, attributes) : null, // x and ∂y have changed places
  }),
  lower: (attributes) => ({ attributes: { ...attributes } }),
});

/**
 * Conv with flipped kernels took 0.51 to 0.74 of ConvTranspose's time on 12 of 13 shapes of U-Net and decoder (one thread of a
 * busy machine; 1.01 at 2560 to 1280 channels, 16x16), and has no column buffer (C·9·H·W floats), but copies the weights.
 * A copied byte serves as many products as there are pixels, so below 32x32 only small kernels are flipped: at 512 px the
 * others' copies were reckoned at 1.6 GB. What they would save of an iteration has not been measured.
 */
const flipFrom = { side: 16, largeSide: 32, smallKernel: 2 ** 20 };

function inputGradient(shape: Shape, w: Tensor, dy: Tensor, attributes: Attributes): Tensor {
  const { strides, pads, dilations, group } = attributes;
  const [height, width] = spatial(dy);
  const flippable = strides.every((stride) => stride === 1) && spatial(w).every((size) => size > 1) && group === 1;
  const { side, largeSide, smallKernel } = flipFrom;
  if (flippable && Math.min(height, width) >= (elementCount(w.shape) <= smallKernel ? side : largeSide)) {
    const flipped = reverse(transpose(w, [1, 0, 2, 3]), [2, 3]); // folded into a copy when the weights are fixed
    const around = pads.map((before, i) => dilations[i % 2]! * (spatial(w)[i % 2]! - 1) - before);
    return convolve(dy, flipped, { ...attributes, pads: around });
  }
  const output_padding = spatial({ shape } as Tensor).map((size, i) => {
    const reached =
      strides[i]! * (spatial(dy)[i]! - 1) + dilations[i]! * (spatial(w)[i]! - 1) + 1 - pads[i]! - pads[i + 2]!;
    return size - reached; // the rows at the end that the stride did not reach
  });
  return convolveTransposed(dy, w, { ...attributes, output_padding });
}

/** ∂w[o, i] = Σₙ x[n, i] ⋆ ∂y[n, o]: a convolution over the batch, strides and dilations in each other's place. */
function weightGradient(x: Tensor, shape: Shape, dy: Tensor, attributes: Attributes): Tensor {
  const { strides, pads, dilations, group } = attributes;
  if (group > 1) {
    const [xs, dys] = [split(x, group, 1), split(dy, group, 1)];
    const part = [shape[0]! / group, ...shape.slice(1)];
    return concat(
      xs.map((each, i) => weightGradient(each, part, dys[i]!, { ...attributes, group: 1 })),
      0,
    );
  }
  const overBatch = convolve(transpose(x, [1, 0, 2, 3]), transpose(dy, [1, 0, 2, 3]), {
    strides: dilations,
    pads,
    dilations: strides,
    group: 1,
  });
  return transpose(cropTo(overBatch, [shape[1]!, shape[0]!, shape[2]!, shape[3]!]), [1, 0, 2, 3]);
}

/** The first rows and columns: what a stride left over at the end belongs to no output. */
const cropTo = (x: Tensor, shape: Shape) => slice(slice(x, 2, 0, shape[2]!), 3, 0, shape[3]!);

/** Convolution as PyTorch's Conv2d: x [N, C, H, W], weight [O, C / groups, kh, kw], bias [O]. */
export function conv2d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvOptions = {}): Tensor {
  const y = convolve(x, weight, attributesOf(options));
  return bias ? add(y, reshape(bias, [1, -1, 1, 1])) : y;
}

/** PyTorch's ConvTranspose2d: x [N, C, H, W], weight [C, O / groups, kh, kw], bias [O]. */
export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor,
  options: ConvOptions & { outputPadding?: number } = {},
): Tensor {
  const extra = options.outputPadding ?? 0;
  const y = convolveTransposed(x, weight, { ...attributesOf(options), output_padding: [extra, extra] });
  return bias ? add(y, reshape(bias, [1, -1, 1, 1])) : y;
}

/** Zeros around the last two axes: top, bottom, left, right. */
export const pad2d = (x: Tensor, top: number, bottom: number, left: number, right: number): Tensor =>
  pad(pad(x, -2, top, bottom), -1, left, right);

/** Each pixel repeated `factor` times both ways: nearest-neighbour upsampling by a whole number. */
export function upsampleNearest(x: Tensor, factor: number): Tensor {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const repeated = expand(reshape(x, [n, c, h, 1, w, 1]), [n, c, h, factor, w, factor]);
  return reshape(repeated, [n, c, h * factor, w * factor]);
}

/** Which rows of a 3x3 kernel meet the doubled pixel: in the rows of its 4x4 transposed convolution of stride 2. */
const meetings = [
  [0, 0, 1],
  [0, 1, 1],
  [1, 1, 0],
  [1, 0, 0],
] as const;
/** The rows of those four that make the even and the odd rows of the picture, from the top. */
const parities = [
  [3, 1],
  [2, 0],
] as const;

/**
 * Upsampling by two and a 3x3 convolution with padding 1. On large maps as one convolution, with 4/9 of the products: a kernel over doubled
 * pixels is four 2x2 kernels over the pixels themselves, one for each parity of row and column; its gradient by x has stride 2.
 */
export function upsampledConv2d(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const [height, width] = spatial(x);
  const worthIt = Math.min(height, width) >= flipFrom.largeSide && weight.dtype === "float32"; // others may not be folded
  if (!worthIt) return conv2d(upsampleNearest(x, 2), weight, bias, { padding: 1 });
  return differentiatedAs(byParities(x, weight, bias), transposedByTwo, x, weight, bias);
}

function byParities(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const [batch, , height, width] = x.shape as [number, number, number, number];
  const channels = weight.shape[0]!;
  const parts = [0, 1].flatMap((odd) =>
    [0, 1].map((oddColumn) => {
      const kernel = mixedKernel(weight, parities[odd]!, parities[oddColumn]!);
      const pads = [1 - odd, 1 - oddColumn, odd, oddColumn];
      const y = convolve(x, kernel, { ...attributesOf({}), pads });
      return add(y, reshape(bias, [1, -1, 1, 1]));
    }),
  );
  const apart = reshape(concat(parts, 0), [2, 2, batch, channels, height, width]);
  return reshape(transpose(apart, [2, 3, 4, 0, 5, 1]), [batch, channels, 2 * height, 2 * width]);
}

function transposedByTwo(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const kernel = mixedKernel(transpose(weight, [1, 0, 2, 3]), [0, 1, 2, 3], [0, 1, 2, 3]);
  return convTranspose2d(x, kernel, bias, { stride: 2, padding: 1 });
}

/** Kernels whose element (r, c) adds up those of `weight` that meet in row rows[r] and column columns[c]; folded where the weights are fixed. */
function mixedKernel(weight: Tensor, rows: readonly number[], columns: readonly number[]): Tensor {
  const [o, i] = weight.shape as [number, number];
  const mix = [0, 1, 2].flatMap((k) =>
    [0, 1, 2].flatMap((l) => rows.flatMap((r) => columns.map((c) => meetings[r]![k]! * meetings[c]![l]!))),
  );
  const mixed = matmul(reshape(weight, [-1, 9]), constant(mix, [9, rows.length * columns.length]));
  return reshape(mixed, [o, i, rows.length, columns.length]);
}
