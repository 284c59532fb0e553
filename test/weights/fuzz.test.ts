// Every cut and thousands of changed bytes: a damaged file is a WeightError or a checkpoint within its bounds, never anything else.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { WeightError } from "../../src/errors.ts";
import { openCheckpoint } from "../../src/weights/checkpoint.ts";
import { scratch } from "./build.ts";

const write = scratch();
const MUTATIONS = 2000;

/** Numerical Recipes' linear congruential generator: the same bytes on every run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

async function outcome(bytes: Uint8Array): Promise<"refused" | "opened"> {
  const path = write("fuzz.pt", bytes);
  try {
    const { tensors } = await openCheckpoint(path);
    for (const { offset, byteLength } of tensors.values()) {
      expect(offset).toBeGreaterThanOrEqual(0);
      expect(byteLength).toBeGreaterThanOrEqual(0);
      expect(offset + byteLength).toBeLessThanOrEqual(bytes.length);
    }
    return "opened";
  } catch (error) {
    expect(error).toBeInstanceOf(WeightError);
    return "refused";
  }
}

describe.each(["module.pt", "every.safetensors", "views.legacy.pt", "model.safetensors.index.json"])("%s", (name) => {
  const whole = readFileSync(join(import.meta.dirname, "fixtures", name));
  const sharded = name.endsWith(".json"); // its shards are not beside the copy

  test("cut short anywhere, it is refused", async () => {
    for (let length = 0; length < whole.length; length++) {
      expect(await outcome(whole.subarray(0, length)), `${length} bytes`).toBe("refused");
    }
    expect(await outcome(whole)).toBe(sharded ? "refused" : "opened");
  });

  test(`with any of ${MUTATIONS} bytes changed, it is refused or opened within its bounds`, async () => {
    const below = random(1);
    const counts = { refused: 0, opened: 0 };
    for (let i = 0; i < MUTATIONS; i++) {
      const bytes = Buffer.from(whole);
      const at = below(bytes.length);
      bytes[at] = bytes[at]! ^ (1 + below(255));
      counts[await outcome(bytes)]++;
    }
    expect(counts.refused).toBeGreaterThan(MUTATIONS / 10);
    if (!sharded) expect(counts.opened).toBeGreaterThan(0);
  });
});
