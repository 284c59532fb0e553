// Runs a model in this process and prints by how much its resident set grew at the worst, in bytes (see peak.ts).

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import ort from "onnxruntime-node";

const { folder, inputs, options, runs } = JSON.parse(process.argv[2]);
const feeds = {};
for (const { name, shape, dtype } of inputs) {
  const { buffer } = new Uint8Array(await readFile(join(folder, name)));
  const data = dtype === "int64" ? new BigInt64Array(buffer) : new Float32Array(buffer);
  feeds[name] = new ort.Tensor(dtype, data, shape);
}
const model = await readFile(join(folder, "model.onnx"));
const tiny = await ort.InferenceSession.create(model, options);
await tiny.release();
const before = process.memoryUsage().rss;
const session = await ort.InferenceSession.create(model, options);
for (let i = 0; i < runs; i++) await session.run(feeds);
process.stdout.write(String(process.resourceUsage().maxRSS * 1024 - before));
