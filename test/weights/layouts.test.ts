import { join } from "node:path";
import { expect, test } from "vitest";
import type { Checkpoint } from "../../src/weights/checkpoint.ts";
import { openCheckpoint } from "../../src/weights/checkpoint.ts";
import { openClip } from "../../src/weights/layouts/clip.ts";
import { recognise, relabel, split, transpose } from "../../src/weights/layouts/layout.ts";
import { readTensor } from "../../src/weights/read.ts";

const fixture = (name: string) => openCheckpoint(join(import.meta.dirname, "fixtures", name));

async function contents({ tensors }: Checkpoint) {
  const all: Record<string, unknown> = {};
  for (const [name, t] of tensors) {
    const { data, shape } = await readTensor(t);
    all[name] = { shape: [...shape], data };
  }
  return all;
}

test("open_clip's weights under transformers' names are the ones with which transformers computes the same features", async () => {
  const theirs = await fixture("open_clip.safetensors");
  const wanted = await contents(await fixture("clip_hf.safetensors"));
  expect(Object.keys(wanted)).toHaveLength(78); // 16 in each of 4 blocks, 7 and 4 around them, 3 for both
  expect(await contents(relabel(theirs, openClip))).toEqual(wanted);
});

test("q, k and v are parts of the fused tensor's own bytes, and whole rows stay contiguous", async () => {
  const theirs = await fixture("open_clip.safetensors");
  const fused = theirs.tensors.get("transformer.resblocks.0.attn.in_proj_weight")!;
  const parts = split("x", fused, ["q", "k", "v"]);
  expect(parts.map(({ offset }) => offset - fused.offset)).toEqual([0, 256, 512]);
  expect(parts.map(({ byteLength, contiguous }) => [byteLength, contiguous])).toEqual(new Array(3).fill([256, true]));
});

test("parts of a transposed tensor end where the tensor ends, and hold its rows", async () => {
  const { tensors } = await fixture("views.pt");
  const whole = tensors.get("transposed")!; // [8, 6], strides [1, 8]
  const [, second] = split("x", whole, ["a", "b"]);
  expect(second!.offset + second!.byteLength).toBe(whole.offset + whole.byteLength);
  const { data } = await readTensor(whole);
  expect((await readTensor(second!)).data).toEqual(data.slice(24));
});

test("an empty tensor has empty parts", async () => {
  const empty = (await fixture("every.pt")).tensors.get("empty")!;
  for (const part of split("x", { ...empty, shape: [4, 0], strides: [1, 1] }, ["a", "b"])) {
    expect(part).toMatchObject({ shape: [2, 0], offset: empty.offset, byteLength: 0 });
  }
});

test("rows that can not be shared are an error", async () => {
  const { tensors } = await fixture("views.pt");
  expect(() => split("x.pt", tensors.get("base")!, ["a", "b", "c", "d"])).toThrow(
    'x.pt: tensor "base" of shape [6,8] should hold 4 equal parts',
  );
});

test("transposing twice gives the tensor back, and once torch's transposed values", async () => {
  const { tensors } = await fixture("views.pt");
  const base = tensors.get("base")!;
  expect(transpose(transpose(base))).toMatchObject({ shape: base.shape, strides: base.strides });
  expect((await readTensor(transpose(base))).data).toEqual((await readTensor(tensors.get("transposed")!)).data);
});

test("a layout is recognised by its sample, and a clash of names is an error", async () => {
  const theirs = await fixture("open_clip.safetensors");
  expect(recognise(theirs.tensors, [openClip])?.name).toBe("open_clip");
  expect(recognise((await fixture("clip_hf.safetensors")).tensors, [openClip])).toBeUndefined();
  const both = { name: "both", sample: "", renames: [{ from: /^.*$/, to: "same" }] };
  expect(() => relabel(theirs, both)).toThrow(/would be named "same", but there is one of that name already/);
});
