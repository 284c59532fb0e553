// How much memory a graph will take, known before it runs: the runtime's order of nodes, its plan of which buffer serves whom,
// and its arena, followed in numbers. (onnxruntime 1.30: graph.cc ReverseDFSFrom, allocation_planner.cc, bfc_arena.cc.)

import { Arena, type Chunk } from "./arena.ts";
import { nodesLeadingTo } from "./gradient.ts";
import { dtypes, elementCount, type Node, type Tensor } from "./tensor.ts";

export interface MemoryNeed {
  /** Weights that are read where they lie in their files: pages that the system may take back. */
  readonly mapped: ReadonlySet<Tensor>;
  /** What making the session adds: flipped kernels, casts, weights that are not mapped, and what making them leaves behind. */
  readonly copies: number;
  /** Of the arena at the worst moment of a run: values, their buffers kept for reuse, and what is lost between them. */
  readonly activations: number;
}

/** What building and running a session of `outputs` on the CPU takes, in bytes, beside the process itself. */
export function memoryOf(
  outputs: Readonly<Record<string, Tensor>>,
  cuts: Readonly<Record<string, Tensor>> = {},
): MemoryNeed {
  const graph = simplify(Object.values(outputs), new Set(Object.values(cuts)));
  const { mapped, copies } = weightsOf(graph);
  return { mapped, copies: copies * left, activations: activationsOf(graph) };
}

/** Glibc keeps what it was once given for blocks of up to 32 MB: measured, a folded copy takes 2.1 times its size (1.0 with MALLOC_MMAP_THRESHOLD_). */
const left = process.platform === "linux" ? 2.1 : 1;

export const bytesOf = ({ shape, dtype }: Tensor) => elementCount(shape) * dtypes[dtype].bytes;

// -- what the runtime makes of the graph ------------------------------------------------------------------------------

/** A node that is left when identities, repetitions and what can be computed beforehand are gone. */
interface Step {
  readonly node: Node;
  /** The values that its inputs have become. */
  readonly inputs: readonly Tensor[];
  readonly order: number;
}

interface Graph {
  readonly steps: readonly Step[];
  /** By the tensors that they make. */
  readonly maker: ReadonlyMap<Tensor, Step>;
  /** What is known when the session is made: weights, constants, and what is made of them alone. */
  readonly fixed: ReadonlySet<Tensor>;
  readonly outputs: readonly Tensor[];
}

function simplify(values: readonly Tensor[], cuts: ReadonlySet<Tensor>): Graph {
  const became = new Map<Tensor, Tensor>();
  const fixed = new Set<Tensor>();
  const known = new Map<string, Step | Node>();
  const names = new Map<Tensor | string, number>();
  const steps: Step[] = [];
  const maker = new Map<Tensor, Step>();
  const nameOf = (x: Tensor) => {
    const same = x.origin.kind === "constant" ? `${x.dtype} ${x.shape} ${x.origin.data.slice(0, 16)}` : x;
    if (!names.has(same)) names.set(same, names.size);
    return names.get(same);
  };
  const standFor = (x: Tensor) => {
    const y = became.get(x) ?? x;
    if (!cuts.has(y) && (y.origin.kind === "parameter" || y.origin.kind === "constant")) fixed.add(y);
    return y;
  };
  for (const node of nodesLeadingTo(values, cuts)) {
    const inputs = node.inputs.slice(0, node.lowering.operands).map(standFor);
    if (node.type === "Identity") {
      became.set(node.outputs[0]!, inputs[0]!);
      continue;
    }
    const key = `${node.type} ${inputs.map(nameOf)} ${JSON.stringify(node.lowering)}`;
    const twin = known.get(key);
    if (twin) {
      const made = "node" in twin ? twin.node.outputs : twin.outputs;
      node.outputs.forEach((output, i) => {
        became.set(output, made[i]!);
      });
      continue;
    }
    if (inputs.every((x) => fixed.has(x))) {
      for (const output of node.outputs) fixed.add(output);
      known.set(key, node);
      continue;
    }
    const step = { node, inputs, order: steps.length };
    known.set(key, step);
    steps.push(step);
    for (const output of node.outputs) maker.set(output, step);
  }
  return { steps: inRunningOrder(steps, maker), maker, fixed, outputs: values.map(standFor) };
}

/** Depth first from the nodes that nothing uses, the latest first, as the runtime sorts them. */
function inRunningOrder(steps: readonly Step[], maker: ReadonlyMap<Tensor, Step>): Step[] {
  const used = new Set(steps.flatMap(({ inputs }) => inputs.map((x) => maker.get(x))));
  const stack = steps.filter((step) => !used.has(step)).map((step) => ({ step, entered: false }));
  const seen = new Set<Step>();
  const order: Step[] = [];
  for (let top = stack.pop(); top; top = stack.pop()) {
    const { step, entered } = top;
    if (entered) order.push(step);
    else if (!seen.has(step)) {
      seen.add(step);
      stack.push({ step, entered: true });
      const before = new Set(step.inputs.flatMap((x) => maker.get(x) ?? []));
      for (const each of [...before].sort((a, b) => a.order - b.order)) stack.push({ step: each, entered: false });
    }
  }
  return order;
}

function weightsOf({ steps, fixed, outputs }: Graph): { mapped: Set<Tensor>; copies: number } {
  const mapped = new Set<Tensor>();
  let copies = 0;
  for (const x of new Set([...steps.flatMap(({ inputs }) => inputs), ...outputs])) {
    if (!fixed.has(x)) continue;
    if (x.origin.kind === "parameter" && "file" in x.origin.source) mapped.add(x);
    else copies += bytesOf(x);
  }
  return { mapped, copies };
}

// -- the run ----------------------------------------------------------------------------------------------------------

/** Ops that may write where they read, when nobody else reads there any more (seen in the arena's log; Add, Mul and the like may not). */
const inPlace: ReadonlySet<string> = new Set("Sigmoid Tanh Clip Softmax Softplus Cast".split(" "));

/** A place in memory, and how many reads of the values in it are still to come. */
interface Buffer {
  readonly bytes: number;
  readonly key: string;
  reads: number;
  /** The last step, in running order, that has to do with it. */
  last: number;
  chunk?: Chunk | undefined;
}

/** Ops that the runtime makes one with the op before: a convolution and its bias, x · sigmoid(x). */
const fusing: Readonly<Record<string, (part: Tensor, inputs: readonly Tensor[], graph: Graph) => boolean>> = {
  Add: (part, inputs, { maker, fixed }) => maker.get(part)?.node.type === "Conv" && inputs.some((x) => fixed.has(x)),
  Mul(part, inputs, { maker }) {
    const { node, inputs: seen } = maker.get(part) ?? {};
    return node?.type === "Sigmoid" && inputs.includes(seen![0]!);
  },
};

/** Whether only the last two axes change places, which a matrix product does itself. */
function swaps({ lowering, outputs }: Node): boolean {
  const last = outputs[0]!.shape.length - 1;
  const perm = lowering.attributes!.perm as readonly number[];
  return perm[last] === last - 1 && perm[last - 1] === last;
}

/** The type of the one op that reads a value. */
function readOnce(steps: readonly Step[], reads: ReadonlyMap<Tensor, number>): Map<Tensor, string> {
  const readers = new Map<Tensor, string>();
  for (const { node, inputs } of steps) for (const x of inputs) if (reads.get(x) === 1) readers.set(x, node.type);
  return readers;
}

/** Which buffer each value has. A buffer that is free is given to the next value of the same shape, and held until then. */
function planBuffers(graph: Graph): Map<Tensor, Buffer> {
  const { steps, outputs } = graph;
  const reads = new Map<Tensor, number>();
  for (const { inputs } of steps) for (const x of new Set(inputs)) reads.set(x, (reads.get(x) ?? 0) + 1);
  const onlyReader = readOnce(steps, reads);
  for (const x of outputs) reads.set(x, Number.POSITIVE_INFINITY);
  const buffers = new Map<Tensor, Buffer>();
  const free = new Map<string, Buffer[]>();
  for (const [at, { node, inputs }] of steps.entries()) {
    for (const [i, output] of node.outputs.entries()) {
      const buffer = i === 0 ? (sameplace(node, inputs, output) ?? take(output)) : take(output);
      buffer.reads += reads.get(output) ?? 0;
      buffer.last = at;
      buffers.set(output, buffer);
    }
    for (const x of new Set(inputs)) {
      const buffer = buffers.get(x);
      if (!buffer) continue;
      buffer.last = at;
      if (--buffer.reads === 0) giveBack(buffer);
    }
    for (const output of node.outputs) if (!reads.get(output)) giveBack(buffers.get(output)!);
  }
  return buffers;

  /** The buffer that an op's output shares with an input: of a view, of an op in place, or of ops that the runtime makes one. */
  function sameplace(node: Node, inputs: readonly Tensor[], output: Tensor): Buffer | undefined {
    const [x] = inputs as [Tensor];
    if (node.type === "Reshape") return buffers.get(x);
    if (node.type === "Transpose")
      return onlyReader.get(output) === "MatMul" && swaps(node) ? buffers.get(x) : undefined;
    if (inPlace.has(node.type)) return alone(x) && bytesOf(x) === bytesOf(output) ? buffers.get(x) : undefined;
    const part = inputs.find((each) => alone(each) && fusing[node.type]?.(each, inputs, graph));
    return part && buffers.get(part);
  }
  function alone(x: Tensor): boolean {
    return buffers.get(x)?.reads === 1;
  }
  function take(x: Tensor): Buffer {
    const key = `${x.dtype} ${x.shape}`;
    return free.get(key)?.pop() ?? { bytes: bytesOf(x), key, reads: 0, last: 0 };
  }
  function giveBack(buffer: Buffer): void {
    if (buffer.reads !== 0) return;
    const list = free.get(buffer.key) ?? [];
    if (list.includes(buffer)) return;
    free.set(buffer.key, [...list, buffer]);
  }
}

function activationsOf(graph: Graph): number {
  const buffers = planBuffers(graph);
  const ending = new Map<number, Set<Buffer>>();
  for (const buffer of buffers.values()) {
    if (buffer.reads === Number.POSITIVE_INFINITY) continue;
    ending.set(buffer.last, (ending.get(buffer.last) ?? new Set()).add(buffer));
  }
  const arena = new Arena();
  for (let run = 0; run < 2; run++) runIn(arena, graph, buffers, ending); // what a run leaves free may not suit the next
  return arena.resident;
}

function runIn(
  arena: Arena,
  { steps }: Graph,
  buffers: ReadonlyMap<Tensor, Buffer>,
  ending: ReadonlyMap<number, ReadonlySet<Buffer>>,
): void {
  for (const [at, { node }] of steps.entries()) {
    for (const output of node.outputs) {
      const buffer = buffers.get(output)!;
      buffer.chunk ??= arena.allocate(buffer.bytes);
    }
    const workspace = workspaceOf(node);
    if (workspace > 0) arena.release(arena.allocate(workspace));
    for (const buffer of ending.get(at) ?? []) letGo(arena, buffer);
  }
  for (const buffer of new Set(buffers.values())) letGo(arena, buffer); // the outputs
}

function letGo(arena: Arena, buffer: Buffer): void {
  if (buffer.chunk) arena.release(buffer.chunk);
  buffer.chunk = undefined;
}

/** What an op needs beside its inputs and outputs (conv_transpose.cc; MlasConvPrepare in mlas/lib/convolve.cpp). */
function workspaceOf({ type, inputs, outputs }: Node): number {
  if (type !== "Conv" && type !== "ConvTranspose") return 0;
  const [x, w] = inputs as [Tensor, Tensor];
  const kernel = w.shape[1]! * w.shape[2]! * w.shape[3]!;
  const pixels = ({ shape }: Tensor) => shape[2]! * shape[3]!;
  if (type === "ConvTranspose") return 4 * kernel * pixels(x); // all columns
  const asProduct = w.shape[2] === 1 && w.shape[3] === 1;
  const columns = pixels(outputs[0]!);
  return !asProduct && w.shape[0]! > columns ? 4 * kernel * columns : 0; // else in pieces that fit a cache
}
