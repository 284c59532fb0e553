// How much memory a graph really takes: a run in a fresh process, its resident set before and at its worst.

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Feeds, Tensor } from "../../src/graph/index.ts";
import { lower } from "../../src/graph/onnx.ts";
import { sessionOptions } from "../../src/graph/session.ts";

const runner = fileURLToPath(new URL("peakRunner.mjs", import.meta.url));

/** Bytes that loading the graph and running it `runs` times added to a process that only had the runtime loaded. */
export async function peakOf(outputs: Readonly<Record<string, Tensor>>, feeds: Feeds, runs = 2): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "renoir-peak-"));
  try {
    const model = await lower(outputs);
    await writeFile(join(folder, "model.onnx"), model.bytes);
    const inputs = [];
    for (const { name, shape, dtype } of model.inputs) {
      const data = feeds[name]!;
      await writeFile(join(folder, name), new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      inputs.push({ name, shape, dtype });
    }
    const options = sessionOptions(model.folder, "cpu", { threads: 1 });
    const task = JSON.stringify({ folder, inputs, options, runs });
    const { stdout } = await promisify(execFile)(process.execPath, [runner, task]);
    return Number(stdout);
  } finally {
    await rm(folder, { recursive: true });
  }
}
