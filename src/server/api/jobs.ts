// Jobs: what takes longer than a request. Each has an id, a state, and steps that a socket can follow.

import { z } from "zod";
import { id, imageSource, rewardText, scores, seed } from "./common.ts";

export const jobKinds = ["refine", "generate", "score", "scan", "pull"] as const;
export const jobStates = ["queued", "running", "done", "failed", "cancelled"] as const;

const side = z.int().min(8).max(4096);
const weights = z.number().positive().finite();

/** What generate and refine have in common. Everything left out comes from the picture or the model. */
const making = {
  prompt: z.string().max(20_000).optional(),
  negativePrompt: z.string().max(20_000).optional(),
  guidance: z.number().finite().optional(),
  seed: seed.optional(),
  model: z.string().optional().describe("A name of the registry, a diffusers folder, or a single-file checkpoint"),
  width: side.optional(),
  height: side.optional(),
};

export const refineRequest = z
  .object({
    image: imageSource.optional().describe("The picture to begin with; its file says how it was made"),
    infotext: z
      .string()
      .max(2 ** 20)
      .optional()
      .describe("In place of what the picture's file says, or of a picture"),
    ...making,
    rewards: z.array(rewardText).min(1).optional().describe("What is optimised"),
    observe: z
      .array(rewardText)
      .optional()
      .describe("Judged at every look but not optimised: an honest second opinion"),
    iterations: z.int().min(1).max(10_000).default(50),
    optimizer: z.enum(["sgd", "adam", "lbfgs"]).default("sgd"),
    learningRate: weights.default(5),
    gradientClip: weights.default(0.1),
    regularization: z.number().min(0).finite().default(0.01),
    mode: z.enum(["refine", "select"]).default("refine"),
    patience: z.int().min(1).optional(),
  })
  .strict();

export const generateRequest = z
  .object({
    ...making,
    prompt: z.string().min(1).max(20_000),
    count: z.int().min(1).max(64).default(1),
    rewards: z.array(rewardText).optional().describe("Scores each picture by these"),
  })
  .strict();

/** Scores pictures of the library, those without a score by these rewards first of all. */
export const scoreJobRequest = z
  .object({
    ids: z.array(id).max(100_000).optional().describe("Default: every picture that lacks one of the scores"),
    rewards: z.array(rewardText).min(1).optional(),
    again: z.boolean().default(false).describe("Also those that have the scores"),
  })
  .strict();

/** One look of a refine; a picture of a generate; a count of a scan, a rescore or a download. */
export const jobStep = z.object({
  step: z.int(),
  rewards: scores.optional().describe("What is optimised"),
  observed: scores.optional().describe("What only looks on"),
  loss: z.number().optional(),
  regularizer: z.number().optional(),
  gradientNorm: z.number().nullable().optional(),
  latentsNorm: z.number().optional(),
  noiseSize: z.int().optional().describe("How many numbers the noise has: a Gaussian's norm is about its square root"),
  ms: z.number().optional(),
  best: z.boolean().optional().describe("Whether it is the best so far"),
  preview: z.string().optional().describe("Where the step's picture lies, as a path of this server"),
});

export const jobProgress = z.object({
  done: z.number(),
  total: z.number().nullable(),
  unit: z.enum(["steps", "pictures", "files", "bytes"]),
  message: z.string().optional(),
});

/** What a job made. `pictures` are in the library, or stay with the job until they are kept. */
export const jobResult = z.object({
  picture: z.string().optional().describe("Where the result lies, as a path of this server"),
  before: z.string().optional().describe("The picture that a refine began with, drawn again"),
  pictures: z
    .array(z.object({ picture: z.string(), scores: scores.optional(), seed: z.string(), id: id.optional() }))
    .optional(),
  best: z.int().optional(),
  scores: z.object({ before: scores, after: scores }).optional(),
  observed: z.object({ before: scores, after: scores }).optional(),
  kept: z.object({ id: id.optional(), path: z.string() }).optional().describe("Where `keep` saved it"),
  counts: z.record(z.string(), z.number()).optional(),
});

export const job = z.object({
  id,
  kind: z.enum(jobKinds),
  state: z.enum(jobStates),
  created: z.iso.datetime(),
  started: z.iso.datetime().nullable(),
  ended: z.iso.datetime().nullable(),
  title: z.string().describe("For people, as in its prompt"),
  request: z.record(z.string(), z.unknown()).describe("What was asked, without pictures' bytes"),
  source: id.nullable().describe("The library's picture that a refine began with"),
  notes: z.array(z.string()).describe("Sentences for people: which model was chosen and why, what differs"),
  progress: jobProgress.nullable(),
  steps: z.array(jobStep),
  result: jobResult.nullable(),
  error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }).nullable(),
});

export const jobList = z.object({ items: z.array(job.omit({ steps: true })) });

export const jobStarted = z.object({ id });

/** What becomes of a refine's or a generate's picture. */
export const keepRequest = z
  .object({
    index: z.int().min(0).default(0).describe("Which picture of a generate"),
    step: z.int().min(0).optional().describe("Another look of a refine than the best"),
  })
  .strict();

export type JobKind = (typeof jobKinds)[number];
export type JobState = (typeof jobStates)[number];
export type RefineRequest = z.infer<typeof refineRequest>;
export type GenerateRequest = z.infer<typeof generateRequest>;
export type ScoreJobRequest = z.infer<typeof scoreJobRequest>;
export type JobStep = z.infer<typeof jobStep>;
export type JobProgress = z.infer<typeof jobProgress>;
export type JobResult = z.infer<typeof jobResult>;
export type Job = z.infer<typeof job>;
export type JobSummary = Omit<Job, "steps">;
