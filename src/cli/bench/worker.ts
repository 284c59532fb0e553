// One case of the bench in a process of its own: takes a task as JSON, prints its figures as JSON.

import { compile, input, matmul } from "../../graph/index.ts";
import { loadReward } from "../../scoring/loadReward.ts";
import { prompts } from "./prompts.ts";
import { imageRewardShapes } from "./randomImageReward.ts";

export interface ScoreTask {
  readonly kind: "score";
  readonly weights: string;
  readonly files: readonly string[];
  readonly threads: number;
  readonly home: string;
  readonly prompts: "one" | "each";
  readonly prepack?: boolean;
  readonly dtype?: string;
}

export type WorkerTask = ScoreTask | { readonly kind: "peak"; readonly threads: number };

export interface WorkerResult {
  gflops?: number;
  /** Billions of operations of one score. */
  gflop?: number;
  imagesPerSecond?: number;
  /** Bytes resident: of the empty process, after loading, at the worst moment. */
  emptyRss?: number;
  loadRss?: number;
  peakRss?: number;
  scores?: number[];
}

/** The best float32 matrix product that the same engine reaches here: 2048³, twice the multiplications counted. */
async function peak(threads: number): Promise<WorkerResult> {
  const n = 2048;
  const session = await compile({ y: matmul(input("a", [n, n]), input("b", [n, n])) }, { provider: "cpu", threads });
  const feeds = { a: new Float32Array(n * n).fill(1), b: new Float32Array(n * n).fill(0.5) };
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 12; i++) {
    const from = performance.now();
    await session.run(feeds);
    best = Math.min(best, performance.now() - from);
  }
  return { gflops: (2 * n ** 3) / best / 1e6 };
}

/** Multiplications and additions of one score: every linear weight times the tokens that pass it, and attention. */
function countGflop(textTokens: number): number {
  const imageTokens = 197;
  let sum = 0;
  for (const [key, shape] of Object.entries(imageRewardShapes())) {
    if (shape.length !== 2 || /embeddings|_proj\.weight/.test(key)) continue;
    const seesImage = key.includes("visual_encoder") || /crossattention\.self\.(key|value)/.test(key);
    sum += shape[0]! * shape[1]! * (key.startsWith("mlp") ? 1 : seesImage ? imageTokens : textTokens);
  }
  sum += 1024 * 3 * 16 * 16 * 196; // patch embedding
  sum += 24 * 2 * imageTokens ** 2 * 1024; // the ViT's attention
  sum += 12 * 2 * textTokens * (textTokens + imageTokens) * 768; // BERT's
  return (2 * sum) / 1e9;
}

async function score(task: ScoreTask): Promise<WorkerResult> {
  process.env.RENOIR_HOME = task.home;
  const emptyRss = process.memoryUsage().rss;
  const reward = await loadReward("imagereward", {
    weights: task.weights,
    provider: "cpu",
    threads: task.threads,
    dtype: task.dtype,
    prepack: task.prepack,
  });
  const texts = task.files.map((_, i) => prompts[task.prompts === "one" ? 0 : i % prompts.length]!);
  await reward.load();
  const loadRss = process.memoryUsage().rss;
  await reward.score(texts.slice(0, prompts.length), task.files.slice(0, prompts.length)); // pages and text sessions come with the first runs
  const from = performance.now();
  const scores = await reward.score(texts, task.files);
  const seconds = (performance.now() - from) / 1000;
  return {
    emptyRss,
    loadRss,
    peakRss: process.resourceUsage().maxRSS * 1024,
    imagesPerSecond: task.files.length / seconds,
    gflop: countGflop(16),
    scores,
  };
}

const task = JSON.parse(process.argv[2]!) as WorkerTask;
const result = task.kind === "peak" ? await peak(task.threads) : await score(task);
process.stdout.write(JSON.stringify(result));
