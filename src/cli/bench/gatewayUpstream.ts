// A WebUI for the gateway's figures, in a process of its own: answers at once what A1111 answers, so that only the way there counts.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import sharp from "sharp";
import { png } from "../../metadata/carriers/png.ts";
import { noise } from "../../reno/noise/index.ts";

const prompt = "a red circle left of a blue square";
const count = 4;
const size = 512;

const infotext = (seed: number) =>
  `${prompt}\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: ${seed}, Size: ${size}x${size}`;

/** As large as a photograph's PNG: noise does not compress. */
async function picture(seed: number): Promise<string> {
  const values = noise({ seed, shape: [3, size, size], rng: "cpu" });
  const data = Uint8Array.from(values, (value) => Math.max(0, Math.min(255, 128 + 40 * value)));
  const bytes = await sharp(data, { raw: { width: size, height: size, channels: 3 } })
    .png()
    .toBuffer();
  const edits = [{ do: "add", kind: "text", keyword: "parameters", text: infotext(seed) }] as const;
  return Buffer.from(png.edit!(bytes, edits)).toString("base64");
}

async function generation(): Promise<string> {
  const seeds = Array.from({ length: count }, (_, i) => i + 1);
  const images = await Promise.all(seeds.map(picture));
  const info = { index_of_first_image: 0, all_seeds: seeds, infotexts: seeds.map(infotext) };
  return JSON.stringify({ images, parameters: { prompt }, info: JSON.stringify(info) });
}

const answers: Readonly<Record<string, string>> = {
  "/sdapi/v1/progress": JSON.stringify({ progress: 0.5, eta_relative: 3, state: { job_count: 1 }, textinfo: null }),
  "/sdapi/v1/txt2img": await generation(),
  "/sdapi/v1/img2img": JSON.stringify({ images: [], parameters: {}, info: "{}" }),
};

const server = createServer((request, response) => {
  request.resume().once("end", () => {
    response.setHeader("Content-Type", "application/json").end(answers[request.url ?? ""] ?? "{}");
  });
});
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
