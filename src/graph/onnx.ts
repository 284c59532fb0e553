// Graph → ModelProto. Weights are named by where they lie, never copied into the model.

import { parse, relative, sep } from "node:path";
import { nodesLeadingTo } from "./gradient.ts";
import { encodeModel } from "./onnxSchema.ts";
import { type AttributeValue, dtypes, type Node, type Shape, type Source, type Tensor } from "./tensor.ts";

// 18: reductions take their axes as inputs, ScatterND adds. IR 8 is what goes with it; newer runtimes read both.
const opset = 18;
const irVersion = 8;
const attributeTypes = { float: 1, int: 2, string: 3, ints: 7 };
const externalLocation = 1;

export interface LoweredModel {
  readonly bytes: Uint8Array;
  /** The folder that external data is relative to: the root that all weight files share. */
  readonly folder: string;
  readonly inputs: readonly { name: string; shape: Shape; dtype: Tensor["dtype"] }[];
  readonly nodeCount: number;
}

/**
 * The model whose outputs are `outputs`, by name. Values of `cuts` are not computed but fed, by their names there.
 * Parameters that must be made first (`load`) are awaited.
 */
export async function lower(
  outputs: Readonly<Record<string, Tensor>>,
  cuts: Readonly<Record<string, Tensor>> = {},
): Promise<LoweredModel> {
  const writer = new Writer();
  for (const [name, value] of Object.entries(cuts)) writer.addInput(name, value);
  const nodes = nodesLeadingTo(Object.values(outputs), new Set(Object.values(cuts)));
  for (const node of nodes) await writer.addNode(node);
  const results = [];
  for (const [name, value] of Object.entries(outputs)) results.push(await writer.addOutput(name, value));
  return {
    bytes: encodeModel({
      ir_version: irVersion,
      producer_name: "renoir",
      opset_import: [
        { domain: "", version: opset },
        { domain: "com.microsoft", version: 1 },
      ],
      graph: {
        name: "renoir",
        node: writer.nodes,
        initializer: writer.initializers,
        input: writer.inputs.map(({ name, shape, dtype }) => valueInfo(name, shape, dtype)),
        output: results,
      },
    }),
    folder: writer.folder ?? "/",
    inputs: writer.inputs,
    nodeCount: writer.nodes.length,
  };
}

class Writer {
  readonly nodes: object[] = [];
  readonly initializers: object[] = [];
  readonly inputs: { name: string; shape: Shape; dtype: Tensor["dtype"] }[] = [];
  folder: string | undefined;
  readonly #names = new Map<Tensor, string>();
  readonly #taken = new Set<string>();
  readonly #vectors = new Map<string, string>();
  readonly #constants = new Map<string, string>();

  addInput(name: string, value: Tensor): void {
    if (this.#taken.has(name)) throw new Error(`Two different inputs are called ${JSON.stringify(name)}.`);
    this.#taken.add(name);
    this.#names.set(value, name);
    this.inputs.push({ name, shape: value.shape, dtype: value.dtype });
  }

  async addNode(node: Node): Promise<void> {
    const inputs = [];
    for (const input of node.inputs.slice(0, node.lowering.operands)) inputs.push(await this.#nameOf(input));
    for (const vector of node.lowering.vectors ?? []) inputs.push(this.#vector(vector));
    const name = this.#unused(node.type);
    const output = node.outputs.map((value, i) => {
      const outputName = node.outputs.length === 1 ? name : `${name}.${i}`;
      this.#names.set(value, outputName);
      return outputName;
    });
    const attribute = Object.entries(node.lowering.attributes ?? {}).map(([key, value]) => attributeProto(key, value));
    this.nodes.push({ op_type: node.type, name, input: inputs, output, attribute, domain: node.lowering.domain ?? "" });
  }

  /** Outputs get their caller's names through an Identity, which the runtime removes. */
  async addOutput(name: string, value: Tensor): Promise<object> {
    this.nodes.push({
      op_type: "Identity",
      name: `output.${name}`,
      input: [await this.#nameOf(value)],
      output: [name],
    });
    return valueInfo(name, value.shape, value.dtype);
  }

  async #nameOf(value: Tensor): Promise<string> {
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    const name = await this.#declare(value);
    this.#names.set(value, name);
    return name;
  }

  async #declare(value: Tensor): Promise<string> {
    const { origin, shape, dtype } = value;
    if (origin.kind === "node") throw new Error("A node's output was used before the node; the order is broken.");
    if (origin.kind === "input") {
      this.addInput(origin.name, value);
      return origin.name;
    }
    const key = origin.kind === "constant" ? constantKey(origin.data, shape, dtype) : undefined;
    const written = key && this.#constants.get(key);
    if (written) return written;
    const name = this.#unused(origin.kind === "parameter" ? origin.name : "constant");
    if (key) this.#constants.set(key, name);
    const data = origin.kind === "parameter" ? await this.#place(origin.source) : { raw_data: origin.data };
    this.initializers.push({ name, dims: shape, data_type: dtypes[dtype].onnx, ...data });
    return name;
  }

  async #place(source: Source): Promise<object> {
    if ("data" in source) return { raw_data: source.data };
    if ("load" in source) return { raw_data: await source.load() };
    const folder = parse(source.file).root;
    if (this.folder !== undefined && this.folder !== folder) {
      throw new Error(
        `One model cannot read weights from two drives, ${this.folder} and ${folder}: move one of the files.`,
      );
    }
    this.folder = folder;
    const entries = {
      location: relative(folder, source.file).split(sep).join("/"),
      offset: String(source.offset),
      length: String(source.byteLength),
    };
    return {
      external_data: Object.entries(entries).map(([key, value]) => ({ key, value })),
      data_location: externalLocation,
    };
  }

  /** Small int64 vectors (shapes, axes) that ONNX takes as inputs; equal ones are written once. */
  #vector(values: readonly number[]): string {
    const key = values.join(",");
    const known = this.#vectors.get(key);
    if (known !== undefined) return known;
    const name = this.#unused("vector");
    const numbers = BigInt64Array.from(values.map(BigInt));
    const raw_data = new Uint8Array(numbers.buffer);
    this.initializers.push({ name, dims: [values.length], data_type: dtypes.int64.onnx, raw_data });
    this.#vectors.set(key, name);
    return name;
  }

  #unused(base: string): string {
    let name = base;
    for (let i = this.#taken.size; this.#taken.has(name); i++) name = `${base}_${i}`;
    this.#taken.add(name);
    return name;
  }
}

/** Equal small constants are written once, so that the runtime sees that what is made of them is equal too. */
const constantKey = (data: Uint8Array, shape: Shape, dtype: Tensor["dtype"]): string | undefined =>
  data.length <= 16 ? `${dtype} ${shape} ${data}` : undefined;

function attributeProto(name: string, value: AttributeValue): object {
  if (typeof value === "string") return { name, s: Buffer.from(value), type: attributeTypes.string };
  if (typeof value === "number") return { name, i: value, type: attributeTypes.int };
  if (Array.isArray(value)) return { name, ints: value, type: attributeTypes.ints };
  return { name, f: (value as { float: number }).float, type: attributeTypes.float };
}

const valueInfo = (name: string, shape: Shape, dtype: Tensor["dtype"]) => ({
  name,
  type: { tensor_type: { elem_type: dtypes[dtype].onnx, shape: { dim: shape.map((size) => ({ dim_value: size })) } } },
});
