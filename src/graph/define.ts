// How an op is stated: its type, the letters of its inputs, its shape rule and its gradient rule, side by side.

import { ShapeError } from "../errors.ts";
import {
  type AttributeValue,
  type DType,
  describe,
  type Lowering,
  type Node,
  type Shape,
  type Tensor,
} from "./tensor.ts";

type Inputs<I extends string> = Record<I, Tensor>;

/** What a gradient rule may use: the inputs by name, the output `y`, what flows into it `dy`, and whether an input's gradient is wanted. */
export type At<I extends string> = Inputs<I> & {
  readonly y: Tensor;
  readonly dy: Tensor;
  /** All outputs, and what flows into each (null: nothing), for the few ops that have several. */
  readonly ys: readonly Tensor[];
  readonly dys: readonly (Tensor | null)[];
  readonly wants: (name: I) => boolean;
};

export interface Output {
  readonly shape: Shape;
  readonly dtype: DType;
}

type Gradient<I extends string, A> = (at: At<I>, attributes: A) => Record<NoInfer<I>, Tensor | null>;

interface Rules<I extends string, A> {
  /** The output's shape; throws ShapeError where the inputs do not fit. */
  readonly shape: (inputs: Inputs<I>, attributes: A) => Shape;
  /** The output's dtype; the first input's where not said. */
  readonly dtype?: (inputs: Inputs<I>, attributes: A) => DType;
  /** Every output, for ops with more than one; the first is `shape`'s. */
  readonly outputs?: (inputs: Inputs<I>, attributes: A) => readonly Output[];
  /** ∂ of each input by its name; null says that nothing flows there. A reason instead says that nothing can. */
  readonly gradient: Gradient<I, A> | { readonly none: string };
  /** How ONNX is told of the attributes; as they are where not said. */
  readonly lower?: (attributes: A, inputs: Inputs<I>) => Lowering;
}

type Arguments<I extends readonly string[], A> = [
  ...{ [K in keyof I]: Tensor },
  ...(unknown extends A ? [] : [attributes: A]),
];

export interface Op<I extends readonly string[] = readonly string[], A = unknown> {
  (...args: Arguments<I, A>): Tensor;
  /** The same application with all its outputs. */
  all(...args: Arguments<I, A>): readonly Tensor[];
  readonly type: string;
  readonly differentiable: boolean;
}

/** Makes the function that applies an op. Inputs have the letters of the formula; names and attributes are ONNX's. */
export function defineOp<const I extends readonly string[], A = unknown>(
  type: string,
  names: I,
  rules: Rules<I[number], A>,
): Op<I, A> {
  const all = (...args: unknown[]): readonly Tensor[] => {
    const tensors = args.slice(0, names.length) as Tensor[];
    return apply(type, names, rules, tensors, args[names.length] as A);
  };
  const op = ((...args: unknown[]) => all(...args)[0]) as unknown as Op<I, A>;
  return Object.assign(op, { all, type, differentiable: typeof rules.gradient === "function" }) as Op<I, A>;
}

function apply<I extends string, A>(
  type: string,
  names: readonly I[],
  rules: Rules<I, A>,
  inputs: readonly Tensor[],
  attributes: A,
): readonly Tensor[] {
  const named = Object.fromEntries(names.map((name, i) => [name, inputs[i]])) as Inputs<I>;
  const made = rules.outputs?.(named, attributes) ?? [
    {
      shape: rules.shape(named, attributes),
      dtype: rules.dtype?.(named, attributes) ?? sameDType(type, names, inputs),
    },
  ];
  const outputs: Tensor[] = [];
  const node: Node = {
    type,
    inputs,
    outputs,
    lowering: rules.lower?.(attributes, named) ?? { attributes: (attributes ?? {}) as Record<string, AttributeValue> },
    backward(dys, wanted) {
      if (typeof rules.gradient !== "function")
        throw new ShapeError(`${type} has no gradient: ${rules.gradient.none}.`);
      const wants = (name: I) => wanted[names.indexOf(name)] ?? false;
      const at = { ...named, y: outputs[0]!, dy: dys[0]!, ys: outputs, dys, wants } as At<I>;
      const gradients = rules.gradient(at, attributes);
      return names.map((name) => gradients[name]);
    },
  };
  made.forEach(({ shape, dtype }, output) => {
    outputs.push({ shape, dtype, origin: { kind: "node", node, output } });
  });
  return outputs;
}

function sameDType(type: string, names: readonly string[], inputs: readonly Tensor[]): DType {
  const first = inputs[0]!;
  const odd = inputs.findIndex((x) => x.dtype !== first.dtype);
  if (odd > 0) {
    throw new ShapeError(
      `${type}: ${names[0]} is ${first.dtype} but ${names[odd]} is ${inputs[odd]!.dtype} ` +
        `(${describe(first)}, ${describe(inputs[odd]!)}). Cast one of them.`,
    );
  }
  return first.dtype;
}

/** The shape that NumPy's broadcasting gives a and b. */
export function broadcast(type: string, a: Tensor, b: Tensor, aShape = a.shape, bShape = b.shape): Shape {
  const rank = Math.max(aShape.length, bShape.length);
  return Array.from({ length: rank }, (_, i) => {
    const m = aShape[aShape.length - rank + i] ?? 1;
    const n = bShape[bShape.length - rank + i] ?? 1;
    if (m !== n && m !== 1 && n !== 1) {
      throw new ShapeError(`${type}: sizes ${m} and ${n} do not broadcast (${describe(a)}, ${describe(b)}).`);
    }
    return m === 1 ? n : m;
  });
}

/** `axis` counted from the front, checked against `rank`. */
export function positiveAxis(type: string, axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (positive < 0 || positive >= rank) throw new ShapeError(`${type}: there is no axis ${axis} among ${rank}.`);
  return positive;
}
