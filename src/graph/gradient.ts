// Reverse-mode differentiation: from a graph to the graph of its gradients. Every rule only calls ops,
// so gradients can be differentiated again.

import { ShapeError } from "../errors.ts";
import { add } from "./ops/elementwise.ts";
import { expand, zeros } from "./ops/movement.ts";
import { sumTo } from "./ops/reduce.ts";
import { constant, describe, elementCount, type Node, type Tensor } from "./tensor.ts";

/** ∂y/∂x for each x of `wrt`, y having one element. A value that y does not depend on gets zeros. */
export function gradients(y: Tensor, wrt: readonly Tensor[]): Tensor[] {
  if (elementCount(y.shape) !== 1) {
    throw new ShapeError(`Only one number can be differentiated, but y is ${describe(y)}: sum it first.`);
  }
  return pullBack(y, expand(constant(1, y.dtype), y.shape), wrt).map((dx, i) => dx ?? zeros(wrt[i]!));
}

/**
 * Σ dy ⊙ ∂y/∂x for each x of `wrt`; null where y does not depend on it. The walk goes as far back as the values `until`,
 * which the caller answers for.
 */
export function pullBack(
  y: Tensor,
  dy: Tensor,
  wrt: readonly Tensor[],
  until: ReadonlySet<Tensor> = new Set(),
): (Tensor | null)[] {
  const nodes = nodesLeadingTo([y], until);
  const needed = valuesDependingOn(new Set(wrt), nodes);
  const flows = new Map<Tensor, Tensor>([[y, dy]]);

  for (const node of nodes.reverse()) {
    const dys = node.outputs.map((output) => flows.get(output) ?? null);
    const wanted = node.inputs.map((input) => needed.has(input));
    if (!dys.some(Boolean) || !wanted.some(Boolean)) continue;
    const dxs = node.backward(dys, wanted);
    node.inputs.forEach((input, i) => {
      const dx = dxs[i];
      if (!dx || !wanted[i]) return;
      const flow = sumTo(dx, input.shape); // a rule need not know that its input was broadcast
      const before = flows.get(input);
      flows.set(input, before ? add(before, flow) : flow);
    });
  }
  return wrt.map((x) => flows.get(x) ?? null);
}

/** Every node that the values are made by, each after those it needs; none that only `until` is made by. */
export function nodesLeadingTo(values: readonly Tensor[], until: ReadonlySet<Tensor> = new Set()): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  // An explicit stack: chains of ten thousand nodes would overflow the call stack.
  const stack: { node: Node; entered: boolean }[] = [];
  const push = (value: Tensor) => {
    const { origin } = value;
    if (origin.kind === "node" && !seen.has(origin.node) && !until.has(value))
      stack.push({ node: origin.node, entered: false });
  };
  for (const value of values) {
    push(value);
    for (let top = stack.pop(); top; top = stack.pop()) {
      if (top.entered) order.push(top.node);
      else if (!seen.has(top.node)) {
        seen.add(top.node);
        stack.push({ node: top.node, entered: true });
        top.node.inputs.toReversed().forEach(push);
      }
    }
  }
  return order;
}

function valuesDependingOn(sources: ReadonlySet<Tensor>, nodes: readonly Node[]): ReadonlySet<Tensor> {
  const dependent = new Set(sources);
  for (const node of nodes) {
    if (node.inputs.some((input) => dependent.has(input))) for (const output of node.outputs) dependent.add(output);
  }
  return dependent;
}
