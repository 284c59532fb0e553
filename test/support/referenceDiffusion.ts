// The small diffusion models that test/reference/diffusion_models.py ran, as checkpoints on disk; how near a graph comes to them.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { compile, type Feeds, gradients, input, mul, sum, type Tensor } from "../../src/graph/index.ts";
import { openCheckpoint } from "../../src/weights/checkpoint.ts";
import { writeSafetensors } from "../../src/weights/safetensors.ts";
import { Weights } from "../../src/weights/weights.ts";
import { cosine, decodeFloat32, largestDifference, norm } from "./compare.ts";
import { seededNormal, seededWeight } from "./seededWeights.ts";

export type Shapes = Readonly<Record<string, readonly number[]>>;

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

/** A new folder, removed at the end of the test's file. */
export async function temporaryFolder(): Promise<string> {
  folders.push(await mkdtemp(join(tmpdir(), "renoir-diffusion-")));
  return folders.at(-1)!;
}

const made = new Map<Shapes, Promise<Weights>>();

/** The model whose tensors have these names and shapes; made once for all tests of a file. */
export function seededModel(shapes: Shapes): Promise<Weights> {
  if (!made.has(shapes)) made.set(shapes, writeModel(shapes));
  return made.get(shapes)!;
}

async function writeModel(shapes: Shapes): Promise<Weights> {
  const path = join(await temporaryFolder(), "model.safetensors");
  const tensors = Object.entries(shapes).map(([key, shape]) => [
    key,
    { dtype: "float32" as const, shape, data: seededWeight(key, shape) },
  ]);
  await writeSafetensors(path, Object.fromEntries(tensors));
  return Weights.fromCheckpoint(await openCheckpoint(path));
}

/** Runs `outputs` with the seeded inputs of these names and shapes, and others as given. */
export async function run(outputs: Readonly<Record<string, Tensor>>, shapes: Shapes, others: Feeds = {}) {
  const seeded = Object.entries(shapes).map(([name, shape]) => [name, seededNormal(name, shape)]);
  const session = await compile(outputs, { provider: "cpu", threads: 2 });
  const got = await session.run({ ...Object.fromEntries(seeded), ...others });
  await session.release();
  return got;
}

export const inputs = <K extends string>(shapes: Readonly<Record<K, readonly number[]>>): Record<K, Tensor> =>
  Object.fromEntries(
    Object.entries<readonly number[]>(shapes).map(([name, shape]) => [name, input(name, shape)]),
  ) as Record<K, Tensor>;

/** The output, and the gradient of its sum of squares. */
export const withGradient = (output: Tensor, wrt: Tensor) => ({
  output,
  gradient: gradients(sum(mul(output, output)), [wrt])[0]!,
});

/** The largest difference, as a part of the largest number wanted. */
export const relative = (got: Float32Array, want: Float32Array): number =>
  largestDifference(got, want) / largestDifference(want, new Float32Array(want.length));

/** What the reference recorded: float32 numbers. */
export interface Recorded {
  readonly output: string;
  readonly gradient?: string;
}

/** How far a gradient lies from the reference's: its largest difference, its length and its direction. */
export function gradientDifferences(got: Float32Array, stored: string) {
  const want = decodeFloat32(stored);
  return {
    largest: relative(got, want),
    norm: Math.abs(norm(got) / norm(want) - 1),
    direction: 1 - cosine(got, want),
  };
}

/** Output within 5e-6 of the reference, since a wrong epsilon of a norm shows at 7e-6; gradient within 1e-4. */
export function expectReference(got: Readonly<Record<string, Float32Array>>, want: Recorded): void {
  expect(relative(got.output!, decodeFloat32(want.output))).toBeLessThan(5e-6);
  if (!want.gradient) return;
  const { largest, norm, direction } = gradientDifferences(got.gradient!, want.gradient);
  expect(largest).toBeLessThan(1e-4);
  expect(norm).toBeLessThan(1e-5);
  expect(direction).toBeLessThan(1e-5);
}
