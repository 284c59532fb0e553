// Recomputation (Chen et al. 2016, arXiv 1604.06174, "Training Deep Nets with Sublinear Memory Cost"): what happens inside a
// block is forgotten after the forward pass and computed again for its gradient.

import { defineOp } from "./define.ts";
import { nodesLeadingTo, pullBack } from "./gradient.ts";
import { add, mul } from "./ops/elementwise.ts";
import { reshape, slice } from "./ops/movement.ts";
import type { Node, Tensor } from "./tensor.ts";

const identity = defineOp("Identity", ["x"], { shape: ({ x }) => x.shape, gradient: ({ dy }) => ({ x: dy }) });

/**
 * f(...inputs), whose inside is not kept for the gradient but computed again there: memory for one more forward pass.
 * f is called more than once, so it must make the same values each time. What it uses beside its inputs (weights, an embedding
 * of the time) has a gradient too, but what depends on that alone is kept.
 */
export function recomputed(f: (...inputs: Tensor[]) => Tensor, ...inputs: Tensor[]): Tensor {
  const aliases = inputs.map((x) => identity(x)); // so that it can be told what f made of them
  const inside = f(...aliases);
  const others = usedBeside(f, aliases, inside);
  return withGradient(inside, [...inputs, ...others], (dy, wanted) => {
    const again = inputs.map((x) => tied(x, dy));
    const sources = [...again, ...others];
    const wrt = sources.filter((_, i) => wanted[i]);
    const dxs = pullBack(f(...again), dy, wrt, new Set(sources));
    return wanted.map((each) => (each ? dxs.shift()! : null)); // nothing flows through the first pass
  });
}

/** `value`, whose gradient is taken as that of f(...inputs): the same value in a form that leads back better. */
export const differentiatedAs = (value: Tensor, f: (...inputs: Tensor[]) => Tensor, ...inputs: Tensor[]): Tensor =>
  withGradient(value, inputs, (dy, wanted) => {
    const dxs = pullBack(
      f(...inputs),
      dy,
      inputs.filter((_, i) => wanted[i]),
      new Set(inputs),
    );
    return wanted.map((each) => (each ? dxs.shift()! : null));
  });

/** `value`, with a rule of its own for its gradients by `inputs`. */
export function withGradient(
  value: Tensor,
  inputs: readonly Tensor[],
  rule: (dy: Tensor, wanted: readonly boolean[]) => readonly (Tensor | null)[],
): Tensor {
  const outputs: Tensor[] = [];
  const node: Node = {
    type: "Identity",
    inputs: [value, ...inputs],
    outputs,
    lowering: { operands: 1 },
    backward: ([dy], wanted) => [null, ...rule(dy!, wanted.slice(1))],
  };
  outputs.push({ shape: value.shape, dtype: value.dtype, origin: { kind: "node", node, output: 0 } });
  return outputs[0]!;
}

/** What f uses beside its inputs: the values that a second application of it does not make anew. */
function usedBeside(f: (...inputs: Tensor[]) => Tensor, inputs: readonly Tensor[], inside: Tensor): Tensor[] {
  const fresh = inputs.map((x) => identity(x));
  const shared = new Set(nodesLeadingTo([f(...fresh)], new Set(fresh)));
  const others = new Set<Tensor>();
  for (const node of nodesLeadingTo([inside], new Set(inputs))) {
    if (shared.has(node)) continue;
    for (const x of node.inputs) if (!inputs.includes(x) && isOutside(x, shared)) others.add(x);
  }
  return [...others];
}

const isOutside = ({ origin }: Tensor, shared: ReadonlySet<Node>): boolean =>
  origin.kind === "node" ? shared.has(origin.node) : origin.kind !== "constant";

/**
 * x + 0 · dy[0]: x, but not before dy is there. Without that dependency the runtime's elimination of common subexpressions
 * merges the second pass with the first, and everything is kept after all; with that optimiser off it runs too early.
 */
export function tied(x: Tensor, dy: Tensor): Tensor {
  if (x.dtype !== dy.dtype) return x; // ids, masks: nothing flows to them
  return add(x, mul(slice(reshape(dy, [-1]), 0, 0, 1), 0));
}
