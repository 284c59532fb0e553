// What the gateway adds: the same requests with it and without, in turns, against a WebUI that answers at once.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Row } from "./table.ts";

interface Case {
  readonly what: string;
  readonly path: string;
  readonly body?: string;
  readonly rounds: number;
  readonly target?: string;
}

const prompt = "a red circle left of a blue square";
const json = (more: object) => JSON.stringify({ prompt, steps: 20, batch_size: 4, ...more });
/** Of a 2-megapixel PNG. */
const upload = "A".repeat(5_000_000);

const cases: readonly Case[] = [
  { what: "a small question (progress)", path: "/sdapi/v1/progress", rounds: 300, target: "5 ms" },
  {
    what: "img2img with a picture of 5 MB",
    path: "/sdapi/v1/img2img",
    body: json({ init_images: [upload] }),
    rounds: 60,
  },
  {
    what: "txt2img, 4 pictures of 512x512, not scored",
    path: "/sdapi/v1/txt2img",
    body: json({}),
    rounds: 60,
    target: "5 ms",
  },
  {
    what: "the same, scored by the built-in reward and sorted",
    path: "/sdapi/v1/txt2img",
    body: json({ alwayson_scripts: { renoir: { enabled: true, rewards: "shapes" } } }),
    rounds: 20,
  },
];

export interface GatewayFigures {
  readonly what: string;
  readonly target?: string | undefined;
  /** Milliseconds, the middle ones. */
  readonly direct: number;
  readonly through: number;
  readonly bytes: number;
}

export async function measureGateway({ say }: { readonly say: (text: string) => void }): Promise<GatewayFigures[]> {
  const home = await mkdtemp(join(tmpdir(), "renoir-gateway-"));
  const upstream = await begin([beside("./gatewayUpstream.js")], {}, /^(http\S+)/);
  const args = [beside("../../../bin/renoir.mjs"), "start", "--port", "0", "--json", "--upstream", upstream.url];
  const gateway = await begin(args, { RENOIR_HOME: home }, /"listening","url":"([^"]+)"/);
  try {
    const figures: GatewayFigures[] = [];
    for (const each of cases) {
      say(`measuring: ${each.what}`);
      figures.push(await measure(each, upstream.url, gateway.url));
    }
    return figures;
  } finally {
    for (const { child } of [gateway, upstream]) await end(child);
    await rm(home, { recursive: true, force: true });
  }
}

async function measure(
  { what, path, body, rounds, target }: Case,
  upstream: string,
  gateway: string,
): Promise<GatewayFigures> {
  const times = { direct: [] as number[], through: [] as number[] };
  let bytes = 0;
  for (let round = -5; round < rounds; round++) {
    const [direct, through] = [await time(upstream, path, body), await time(gateway, path, body)];
    if (round < 0) continue; // everything is loaded and compiled by then
    times.direct.push(direct.ms);
    times.through.push(through.ms);
    bytes = through.bytes;
  }
  return { what, target, direct: median(times.direct), through: median(times.through), bytes };
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;

const agent = new Agent({ keepAlive: true });

function time(url: string, path: string, body?: string): Promise<{ ms: number; bytes: number }> {
  const headers =
    body === undefined ? {} : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const asking = request(
      `${url}${path}`,
      { agent, method: body === undefined ? "GET" : "POST", headers },
      (response) => {
        let bytes = 0;
        response.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
        });
        response.once("end", () => {
          if (response.statusCode === 200) resolve({ ms: performance.now() - began, bytes });
          else reject(new Error(`${url}${path} answered ${response.statusCode}.`));
        });
      },
    );
    asking.once("error", reject);
    asking.end(body);
  });
}

const beside = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/** Runs until `end`; what it says at the beginning holds its address. */
function begin(
  args: string[],
  env: Record<string, string>,
  address: RegExp,
): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"], env: { ...process.env, ...env } });
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += chunk;
      const url = address.exec(text)?.[1];
      if (url) resolve({ child, url });
    });
    child.once("close", () => reject(new Error(`${args.join(" ")} ended with "${text}" instead of an address.`)));
  });
}

async function end(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGTERM");
  await ended;
}

const ms = (value: number) => value.toFixed(1);

export const gatewayRows = (figures: readonly GatewayFigures[]): Row[] =>
  figures.map(({ what, target, direct, through, bytes }) => ({
    what,
    value: `+${ms(through - direct)} ms (${ms(direct)} without, ${ms(through)} with; ${(bytes / 1e6).toFixed(1)} MB back)`,
    ...(target && { target }),
  }));
