import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { ShapeError, SystemError } from "../../src/errors.ts";
import { openCheckpoint } from "../../src/weights/checkpoint.ts";
import { readTensor } from "../../src/weights/read.ts";
import { type TensorToWrite, writeSafetensors } from "../../src/weights/safetensors.ts";
import { scratch } from "./build.ts";

const file = scratch();
const folder = dirname(file("x", ""));
const small: Record<string, TensorToWrite> = {
  b: { dtype: "float16", shape: [3], data: new Uint16Array([1, 2, 3]) },
  c: { dtype: "float32", shape: [2, 1], data: new Float32Array([0.5, -0.5]) },
  a: { dtype: "float32", shape: [], data: new Float32Array([7]) },
  d: { dtype: "bool", shape: [0, 2], data: new Uint8Array(0) },
};

test("what is written is read again: every dtype, shape, value and the metadata", async () => {
  const fixture = await openCheckpoint(join(import.meta.dirname, "fixtures", "every.safetensors"));
  const tensors: Record<string, TensorToWrite> = {};
  for (const [name, t] of fixture.tensors)
    tensors[name] = { dtype: t.dtype, shape: t.shape, data: (await readTensor(t)).data };
  const path = join(folder, "every.safetensors");
  await writeSafetensors(path, tensors, fixture.metadata);
  const again = await openCheckpoint(path);
  expect(again.metadata).toEqual(fixture.metadata);
  expect([...again.tensors.keys()].sort()).toEqual([...fixture.tensors.keys()].sort());
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    expect(again.tensors.get(name)).toMatchObject({ dtype, shape, contiguous: true });
    expect((await readTensor(again.tensors.get(name)!)).data, name).toEqual(data);
  }
});

test("tensors begin at multiples of their dtype's width", async () => {
  await writeSafetensors(join(folder, "small.safetensors"), small);
  const { tensors } = await openCheckpoint(join(folder, "small.safetensors"));
  expect([...tensors.keys()]).toEqual(["a", "c", "b", "d"]);
  for (const name of ["a", "c"]) expect(tensors.get(name)!.offset % 4).toBe(0);
});

test("a view of part of a buffer writes that part alone", async () => {
  const path = join(folder, "part.safetensors");
  await writeSafetensors(path, {
    w: { dtype: "float32", shape: [2], data: new Float32Array([1, 2, 3, 4]).subarray(1, 3) },
  });
  expect((await readTensor((await openCheckpoint(path)).tensors.get("w")!)).data).toEqual(new Float32Array([2, 3]));
});

test("a failed write leaves the old file and nothing beside it", async () => {
  const path = join(folder, "kept.safetensors");
  await writeSafetensors(path, small);
  const before = readFileSync(path);
  await expect(writeSafetensors(join(folder, "no-such-folder", "x.safetensors"), small)).rejects.toThrow(SystemError);
  await expect(writeSafetensors(folder, small)).rejects.toThrow(/could not be written/); // a folder can not be replaced
  const wrong = { w: { dtype: "float32", shape: [3], data: new Float32Array(2) } } as const;
  await expect(writeSafetensors(path, wrong)).rejects.toThrow(
    'Tensor "w" of shape [3] and dtype float32 is 12 bytes, but 8 were given.',
  );
  await expect(writeSafetensors(path, { __metadata__: small.a! })).rejects.toThrow(ShapeError);
  expect(readFileSync(path)).toEqual(before);
  const beside = [folder, dirname(folder)]
    .flatMap((path) => readdirSync(path))
    .filter((name) => name.endsWith(".safetensors.tmp"));
  expect(beside).toEqual([]);
});

test("an older file of the same name is replaced", async () => {
  const path = join(folder, "replaced.safetensors");
  await writeSafetensors(path, small);
  await writeSafetensors(path, { w: small.a! });
  expect([...(await openCheckpoint(path)).tensors.keys()]).toEqual(["w"]);
});

test.skipIf(process.platform === "win32")(
  "a file of 8 GB with a hole in it opens without its data being read",
  async () => {
    const path = join(folder, "large.safetensors");
    const elements = 2 ** 31;
    const header = JSON.stringify({ w: { dtype: "F32", shape: [elements], data_offsets: [0, 4 * elements] } });
    const start = Buffer.alloc(8);
    start.writeBigUInt64LE(BigInt(header.length));
    file("large.safetensors", Buffer.concat([start, Buffer.from(header)]));
    execFileSync("truncate", ["-s", String(8 + header.length + 4 * elements), path]);
    const before = process.memoryUsage().arrayBuffers;
    const { tensors } = await openCheckpoint(path);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
    expect(tensors.get("w")).toMatchObject({ offset: 8 + header.length, byteLength: 4 * elements, contiguous: true });
    expect(existsSync(path) && statSync(path).size).toBe(8 + header.length + 4 * elements);
  },
);
