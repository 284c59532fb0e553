// Every tensor of the fixtures, in every format, against what torch and safetensors read from the same files.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/weights/checkpoint.ts";
import { findNonFinite, readFloat32, readTensor } from "../../src/weights/read.ts";

const fixture = (name: string) => join(import.meta.dirname, "fixtures", name);

interface Exact {
  readonly dtype: string;
  readonly shape: number[];
  /** Little-endian, row by row. */
  readonly bytes: string;
}
const expected = JSON.parse(readFileSync(fixture("expected.json"), "utf8")) as {
  files: Record<string, Record<string, Exact>>;
  float32: Record<string, string>;
};

const hex = (data: ArrayBufferView) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex");
const floats = (text: string) => new Float32Array(new Uint8Array(Buffer.from(text, "hex")).buffer);

const kinds: Record<string, string> = {
  "every.safetensors": "safetensors",
  "every.legacy.pt": "torch-legacy",
  "views.legacy.pt": "torch-legacy",
  "model.safetensors.index.json": "sharded",
};

describe.each(Object.keys(expected.files))("%s", (file) => {
  test("has torch's tensors, bit for bit", async () => {
    const checkpoint = await openCheckpoint(fixture(file));
    const found: Record<string, Exact> = {};
    for (const [name, tensor] of checkpoint.tensors) {
      const { data, shape } = await readTensor(tensor);
      found[name] = { dtype: tensor.dtype, shape: [...shape], bytes: hex(data) };
    }
    expect(found).toEqual(expected.files[file]);
    expect(checkpoint.kind).toBe(kinds[file] ?? "torch");
    expect(checkpoint.name).toBe(file);
  });

  test("gives places in the file that hold the contiguous tensors' very bytes", async () => {
    for (const [name, t] of (await openCheckpoint(fixture(file))).tensors) {
      if (!t.contiguous) continue;
      const bytes = readFileSync(t.file).subarray(t.offset, t.offset + t.byteLength);
      expect(bytes.toString("hex"), name).toBe(expected.files[file]![name]!.bytes);
    }
  });
});

test.each(["every.safetensors", "every.pt"])(
  "%s: every float dtype widens to the float32 that torch makes of it",
  async (file) => {
    const { tensors } = await openCheckpoint(fixture(file));
    for (const [name, bytes] of Object.entries(expected.float32)) {
      expect(await readFloat32(tensors.get(name)!), name).toEqual(floats(bytes));
    }
  },
);

test("readFloat32 refuses whole numbers and names the tensor", async () => {
  const { tensors } = await openCheckpoint(fixture("every.pt"));
  await expect(readFloat32(tensors.get("i.int64")!)).rejects.toThrow('every.pt: tensor "i.int64" holds int64');
});

test("findNonFinite finds the first infinity or NaN of each dtype, and none in whole numbers", async () => {
  const { tensors } = await openCheckpoint(fixture("every.safetensors"));
  const found: Record<string, number | null> = {};
  for (const [name, t] of tensors) found[name] = await findNonFinite(t);
  // Infinities are at 8 and 9, the NaN at 10; float8_e4m3fn has no infinity, and torch makes 448 of it.
  expect(found).toMatchObject({ "f.float64": 8, "f.float32": 8, "f.float16": 8, "f.bfloat16": 8, "f.float8_e5m2": 8 });
  expect(found).toMatchObject({ "f.float8_e4m3fn": 10, "i.int64": null, "i.uint8": null, scalar: null, empty: null });
});

test("views share their storage: strides, offsets and contiguity are PyTorch's", async () => {
  const { tensors } = await openCheckpoint(fixture("views.pt"));
  const base = tensors.get("base")!;
  const at = (name: string) => {
    const { offset, strides, contiguous, byteLength } = tensors.get(name)!;
    return { skip: (offset - base.offset) / 4, strides, contiguous, byteLength };
  };
  expect(at("base")).toEqual({ skip: 0, strides: [8, 1], contiguous: true, byteLength: 192 });
  expect(at("transposed")).toEqual({ skip: 0, strides: [1, 8], contiguous: false, byteLength: 192 });
  expect(at("columns")).toEqual({ skip: 10, strides: [8, 2], contiguous: false, byteLength: 4 * 29 });
  expect(at("row")).toEqual({ skip: 24, strides: [1], contiguous: true, byteLength: 32 });
  expect(at("no_rows")).toMatchObject({ skip: 48, contiguous: true, byteLength: 0 });
  expect(tensors.get("expanded")).toMatchObject({ strides: [0, 1], contiguous: false, byteLength: 16 });
  expect(tensors.get("tied_a")!.offset).toBe(tensors.get("tied_b")!.offset);
  expect(tensors.get("tail")!.offset).toBe(tensors.get("tied_a")!.offset + 8);
});

test("metadata: safetensors' own, and the wrapping that was taken off a training script's file", async () => {
  expect((await openCheckpoint(fixture("every.safetensors"))).metadata).toEqual({ format: "pt", by: "Ünïcode" });
  expect((await openCheckpoint(fixture("lightning.ckpt"))).metadata).toEqual({ wrapping: "state_dict" });
  expect((await openCheckpoint(fixture("model.pth"))).metadata).toEqual({ wrapping: "model" });
  expect((await openCheckpoint(fixture("module.pt"))).metadata).toEqual({});
});
