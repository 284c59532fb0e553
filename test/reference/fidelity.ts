// `npm run fidelity`: how far every figure we compute lies from the original packages' stored ones, as a table.
// One subject alone: `npm run fidelity -- -t noise`.

import { afterAll, expect, test } from "vitest";
import { diffusionRows } from "./fidelity/diffusion.ts";
import { noiseRows } from "./fidelity/noise.ts";
import { opRows, optimizerRows } from "./fidelity/ops.ts";
import { pictureRows, schedulerRows } from "./fidelity/pictures.ts";
import { clipTokenRows, hostRows } from "./fidelity/prompts.ts";
import { bertTokenRows, pixelRows, rewardRows } from "./fidelity/scoring.ts";
import { type Row, table, tooFar } from "./fidelity/table.ts";
import { trajectoryRows } from "./fidelity/trajectories.ts";

const subjects: Readonly<Record<string, () => Row[] | Promise<Row[]>>> = {
  ops: opRows,
  "BERT's tokens": bertTokenRows,
  "pixels for scoring": pixelRows,
  rewards: rewardRows,
  "CLIP's tokens": clipTokenRows,
  "hosts' prompts": hostRows,
  "starting noise": noiseRows,
  "parts of generators": diffusionRows,
  schedulers: schedulerRows,
  pictures: pictureRows,
  optimisers: optimizerRows,
  "whole runs": trajectoryRows,
};

const rows: Row[] = [];
afterAll(() => {
  process.stdout.write(`\n${table(rows)}\n\n`);
});

test.each(Object.entries(subjects))("%s agree with the originals", async (_, rowsOf) => {
  const made = await rowsOf();
  rows.push(...made);
  expect(made).not.toHaveLength(0);
  expect(tooFar(made)).toEqual([]);
});
