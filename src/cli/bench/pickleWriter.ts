// The pickle inside a PyTorch checkpoint, written: an ordered dictionary of float32 tensors (protocol 2, as torch.save has it).

const op = {
  protocol2: [0x80, 2],
  mark: [0x28],
  stop: [0x2e],
  emptyTuple: [0x29],
  tuple: [0x74],
  reduce: [0x52],
  persistentId: [0x51],
  setItems: [0x75],
  false: [0x89],
} as const;

export class PickleWriter {
  readonly #parts: Buffer[] = [];

  static stateDict(shapes: Readonly<Record<string, readonly number[]>>): Buffer {
    const writer = new PickleWriter();
    writer.#op("protocol2").#orderedDict().#op("mark");
    for (const [i, [key, shape]] of Object.entries(shapes).entries()) writer.#text(key).#tensor(String(i), shape);
    writer.#op("setItems").#op("stop");
    return Buffer.concat(writer.#parts);
  }

  /** torch._utils._rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict()) */
  #tensor(storage: string, shape: readonly number[]): this {
    const size = shape.reduce((a, b) => a * b, 1);
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    this.#global("torch._utils", "_rebuild_tensor_v2").#op("mark").#op("mark");
    this.#text("storage").#global("torch", "FloatStorage").#text(storage).#text("cpu").#integer(size);
    this.#op("tuple").#op("persistentId").#integer(0).#tuple(shape).#tuple(strides);
    return this.#op("false").#orderedDict().#op("tuple").#op("reduce");
  }

  #orderedDict(): this {
    return this.#global("collections", "OrderedDict").#op("emptyTuple").#op("reduce");
  }

  #tuple(values: readonly number[]): this {
    this.#op("mark");
    for (const value of values) this.#integer(value);
    return this.#op("tuple");
  }

  #op(name: keyof typeof op): this {
    return this.#bytes(Buffer.from(op[name]));
  }

  #global(module: string, name: string): this {
    return this.#bytes(Buffer.from(`c${module}\n${name}\n`));
  }

  #text(text: string): this {
    const head = Buffer.from("X\0\0\0\0", "latin1");
    head.writeUInt32LE(Buffer.byteLength(text), 1);
    return this.#bytes(head).#bytes(Buffer.from(text));
  }

  #integer(value: number): this {
    const bytes = Buffer.from("J\0\0\0\0", "latin1");
    bytes.writeInt32LE(value, 1);
    return this.#bytes(bytes);
  }

  #bytes(bytes: Buffer): this {
    this.#parts.push(bytes);
    return this;
  }
}
