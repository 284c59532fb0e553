// Single-file checkpoints by the names that diffusers reads: fixtures/singleFiles.json.gz, by test/reference/single_files.py.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { Checkpoint, StoredTensor } from "../../src/weights/checkpoint.ts";
import { writeSafetensors } from "../../src/weights/safetensors.ts";
import { seededWeight } from "./seededWeights.ts";

/** Of each name in the file: its shape, and the name or names (of equal parts) that diffusers gives it, or null where it reads nothing. */
export type Names = Readonly<
  Record<string, readonly [shape: readonly number[], ours: string | readonly string[] | null]>
>;

const path = join(import.meta.dirname, "../weights/fixtures/singleFiles.json.gz");

export const singleFileNames: Readonly<Record<"sd1" | "sd2" | "tinySd1" | "tinySd2", Names>> = JSON.parse(
  gunzipSync(readFileSync(path)).toString(),
);

const count = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

/** A table of contents without a file: each tensor behind the one before it. */
export function contents(names: Names, name = "model.safetensors"): Checkpoint {
  let offset = 0;
  const tensors = Object.entries(names).map(([key, [shape]]): [string, StoredTensor] => {
    const strides = shape.map((_, i) => count(shape.slice(i + 1)));
    const byteLength = 4 * count(shape);
    const tensor = {
      name: key,
      dtype: "float32",
      shape,
      strides,
      contiguous: true,
      file: `/${name}`,
      offset,
      byteLength,
    } as const;
    offset += byteLength;
    return [key, tensor];
  });
  return { path: `/${name}`, name, kind: "safetensors", tensors: new Map(tensors), metadata: {} };
}

/** diffusers' name of a tensor without the model's, by which its values are seeded. */
const bare = (ours: string) => ours.slice(ours.indexOf(".") + 1);

/** Writes the file, with the values by which the reference models were seeded; what diffusers does not read is -1 throughout. */
export function writeSingleFile(path: string, names: Names): Promise<void> {
  const tensors = Object.entries(names).map(([key, [shape, ours]]) => {
    const data = new Float32Array(count(shape)).fill(-1);
    const parts = [ours ?? []].flat();
    for (const [i, part] of parts.entries()) {
      const rows = shape.with(0, shape[0]! / parts.length);
      data.set(seededWeight(bare(part), rows), i * count(rows)); // a 1x1 convolution has the values of its matrix
    }
    return [key, { dtype: "float32" as const, shape, data }] as const;
  });
  return writeSafetensors(path, Object.fromEntries(tensors));
}
