import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { MetadataError } from "../../../src/errors.ts";
import { applyEdits, type Edit, pixelDigest, readCarriers } from "../../../src/metadata/carriers/carrier.ts";
import { fixture } from "./build.ts";

const folder = new URL("../fixtures/", import.meta.url);
const names = readdirSync(folder).filter((name) => /\.(png|jpg|webp|avif|heif|gif)$/.test(name));

/** Numbers that are the same in every run (Numerical Recipes' generator). */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; state = (Math.imul(state, 1664525) + 1013904223) >>> 0) yield state / 2 ** 32;
}

/** Files cut at up to 40 places, and with one to three bytes changed near the start, where the structure is. */
function* damaged(name: string): Generator<Uint8Array> {
  const whole = fixture(name);
  const random = numbers(whole.length);
  const next = (below: number) => Math.floor(random.next().value * below);
  for (let i = 0; i < 40; i++) yield whole.slice(0, Math.floor((whole.length * i) / 40));
  for (let i = 0; i < 60; i++) {
    const changed = whole.slice();
    for (let k = 0; k <= i % 3; k++) changed[next(Math.min(changed.length, 2000))] = [0, 1, 255, next(256)][next(4)]!;
    yield changed;
  }
}

function editFor(bytes: Uint8Array): Edit {
  const { format, carriers } = readCarriers(bytes);
  const carrier = carriers.find((c) => ["parameters", "UserComment", "Comment"].includes(c.keyword));
  if (carrier) return { do: "replace", carrier, text: `${carrier.text}, X: 1` };
  if (format === "png") return { do: "add", kind: "text", keyword: "renoir", text: "{}" };
  return { do: "add", kind: "exif", tag: "UserComment", text: "日本 x" };
}

/** The edited file, or the reason why it is not edited. */
function attempt(bytes: Uint8Array, edit: Edit): Uint8Array | MetadataError {
  try {
    return applyEdits(bytes, [edit]);
  } catch (error) {
    if (error instanceof MetadataError) return error;
    throw error;
  }
}

test("a damaged file is read without failing, and is edited soundly or refused in words", () => {
  const outcomes = { edited: 0, refused: 0 };
  for (const name of names) {
    for (const bytes of damaged(name)) {
      const edit = editFor(bytes);
      const result = attempt(bytes, edit);
      outcomes[result instanceof MetadataError ? "refused" : "edited"]++;
      if (result instanceof MetadataError) continue;
      expect(pixelDigest(result), name).toBe(pixelDigest(bytes));
      expect(Buffer.from(applyEdits(result, [edit])).equals(result), name).toBe(true);
    }
  }
  expect(outcomes.edited).toBeGreaterThan(500);
  expect(outcomes.refused).toBeGreaterThan(500);
  expect(outcomes.edited + outcomes.refused).toBe(100 * names.length);
});
