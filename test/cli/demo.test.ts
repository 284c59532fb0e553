// npm run demo from end to end, on a small model with random weights in the place of the built-in generator.

import { readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test, vi } from "vitest";
import { main } from "../../src/cli/demo.ts";
import { readMetadata } from "../../src/metadata/index.ts";
import { tinyModel } from "./making.ts";

test("pictures are made, scored, ranked and told their scores, and the weakest is refined from its own file", async () => {
  const model = await tinyModel();
  const out = join(dirname(model), "demo");
  let said = "";
  const heard = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      said += text;
      return true;
    }),
  );
  try {
    expect(await main(["--model", model, "--out", out])).toBe(0);
  } finally {
    for (const spy of heard) spy.mockRestore();
  }
  expect(said).toContain("12 pictures are generated from 12 seeds");
  expect(said).toContain("Step 0 is that very picture: it differs by 0.000 of 255.");
  expect(said).toMatch(/before +-?\d\.\d{4} {2}█/);
  expect((await readdir(out)).sort()).toEqual(["before-after.png", "contact-sheet.png", "pictures"]);
  const files = (await readdir(join(out, "pictures"))).filter((name) => name.endsWith(".png"));
  expect(files).toHaveLength(13);
  const scores = await Promise.all(
    files.map(async (name) => (await readMetadata(join(out, "pictures", name))).scores.Shapes!),
  );
  const refined = files.findIndex((name) => name.endsWith("-refined.png"));
  const weakest = files.indexOf(files[refined]!.replace("-refined", ""));
  expect(scores[weakest]).toBe(Math.min(...scores));
  expect(scores[refined]).toBeGreaterThan(scores[weakest]!);
  const trace = JSON.parse(await readFile(join(out, "pictures", files[refined]!.replace(".png", ".json")), "utf8"));
  expect(trace.steps).toHaveLength(25);
  await rm(dirname(model), { recursive: true });
});
