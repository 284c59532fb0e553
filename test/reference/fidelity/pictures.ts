// Whole pictures of small pipelines, and the one step of each scheduler.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadPipeline } from "../../../src/reno/loadPipeline.ts";
import {
  draw,
  drawByOwnScheduler,
  onCpu,
  pictureDifferences,
  stepDifferences,
} from "../../support/diffusersPictures.ts";
import { fixture, type ModelName, writeDiffusersFolder } from "../../support/tinyPipelines.ts";
import { largest, type Row, row } from "./table.ts";

export function schedulerRows(): Row[] {
  const differences = fixture.steps.map((one) => largest(Object.values(stepDifferences(one))));
  return [row("one step of a scheduler", differences, 3e-6)];
}

export async function pictureRows(): Promise<Row[]> {
  const home = await mkdtemp(join(tmpdir(), "renoir-pictures-"));
  const rows: Row[] = [];
  for (const model of Object.keys(fixture.models) as ModelName[]) rows.push(await modelRow(join(home, model), model));
  await rm(home, { recursive: true });
  return rows;
}

async function modelRow(folder: string, model: ModelName): Promise<Row> {
  await writeDiffusersFolder(folder, model);
  const pipeline = await loadPipeline(folder, onCpu);
  const differences: number[] = [];
  for (const want of fixture.models[model].cases) {
    const made = want.scheduler ? await drawByOwnScheduler(folder, want) : await draw(pipeline, want);
    differences.push(largest(Object.values(pictureDifferences(made, want))));
  }
  await pipeline.unload();
  return row(`pictures, ${model}`, differences, 1e-4);
}
