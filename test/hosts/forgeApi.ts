// A WebUI of the A1111 family as its API shows it: what it generates, what it saves, what its own parser reads.

import { readdir, readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";

export interface Info {
  readonly infotexts: string[];
  readonly all_seeds: number[];
  readonly all_prompts: string[];
  readonly index_of_first_image: number;
  readonly extra_generation_params: Record<string, unknown>;
}

export interface Generated {
  readonly images: string[];
  readonly info: Info;
}

/** What /sdapi/v1/png-info answers: the text, and the fields that the host's parser finds in it. */
export interface Read {
  readonly info: string;
  readonly parameters: Record<string, unknown>;
}

/** In the order of manifest.json's settings. */
export interface Settings {
  enabled?: boolean;
  rewards?: string;
  filter?: boolean;
  limit?: number;
  sort?: boolean;
  filtered?: "keep" | "reject" | "discard";
  address?: string;
}

export const renoir = (given: Settings = {}) => {
  const s = {
    enabled: true,
    rewards: "",
    filter: false,
    limit: 0,
    sort: true,
    filtered: "keep",
    address: "",
    ...given,
  };
  return { Renoir: { args: [s.enabled, s.rewards, s.filter, s.limit, s.sort, s.filtered, s.address] } };
};

/** As small as the host allows, and always the same. */
const smallest = {
  prompt: "a red circle",
  seed: 42,
  steps: 1,
  width: 64,
  height: 64,
  cfg_scale: 1,
  sampler_name: "Euler",
  scheduler: "Automatic",
};

export class Forge {
  readonly url: string;
  constructor(url: string) {
    this.url = url;
  }

  async json<T>(path: string, body?: unknown): Promise<T> {
    const headers = { "Content-Type": "application/json", "X-Renoir": "test" };
    const sent = body === undefined ? {} : { method: "POST", body: JSON.stringify(body), headers };
    const answer = await fetch(`${this.url}${path}`, sent);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text.slice(0, 500)}`);
    return JSON.parse(text) as T;
  }

  async generate(kind: "txt2img" | "img2img", request: Record<string, unknown>): Promise<Generated> {
    const { images, info } = await this.json<{ images: string[]; info: string }>(`/sdapi/v1/${kind}`, {
      ...smallest,
      ...request,
    });
    return { images, info: JSON.parse(info) as Info };
  }

  txt2img(request: Record<string, unknown> = {}): Promise<Generated> {
    return this.generate("txt2img", request);
  }

  read(image: string): Promise<Read> {
    return this.json("/sdapi/v1/png-info", { image });
  }

  /** Where it saves its pictures of txt2img; it runs on this machine. */
  async outputs(): Promise<string> {
    // Not /sdapi/v1/cmd-flags: Forge answers that with 500.
    const system = await this.json<{ "Data path": string }>("/internal/sysinfo?attachment=false");
    const options = await this.json<{ outdir_samples: string; outdir_txt2img_samples: string }>("/sdapi/v1/options");
    return resolve(system["Data path"], options.outdir_samples || options.outdir_txt2img_samples);
  }

  /** What `work` makes, and which files appear in the output folder by it. */
  async watching<T>(work: () => Promise<T>): Promise<{ made: T; files: string[] }> {
    const folder = await this.outputs();
    const before = new Set(await filesIn(folder));
    const made = await work();
    return { made, files: (await filesIn(folder)).filter((file) => !before.has(file)) };
  }
}

/** With their times: a name may be used again. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const times = await Promise.all(files.map(async (file) => [file, (await stat(file)).birthtimeMs] as const));
  return times.sort(([, a], [, b]) => a - b).map(([file]) => file);
}

export const base64Of = async (file: string) => (await readFile(file)).toString("base64");

const pair = /, ([A-Za-z0-9_]+ Score): (-?\d+\.\d{4})/g;

export const scoresOf = (text: string) => [...text.matchAll(pair)].map(([, , score]) => Number(score));
export const withoutScores = (text: string) => text.replace(pair, "");
