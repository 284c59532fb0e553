// Scoring pictures and reading what they say, at once: no job, nothing stored.

import { z } from "zod";
import { imageSource, rewardText, scores } from "./common.ts";

const score = z.number().finite();

export const scoreRequest = z
  .object({
    prompt: z.string().max(20_000).optional().describe("For all pictures; without it each picture's own metadata says"),
    prompts: z.array(z.string().max(20_000)).optional().describe("One for each picture, in place of `prompt`"),
    images: z.array(imageSource).min(1).max(256),
    rewards: z.array(rewardText).min(1).optional().describe("Default: the settings' rewards"),
    min: score.optional(),
    max: score.optional(),
    infotexts: z
      .array(z.string().max(2 ** 20))
      .optional()
      .describe("One for each picture; default: what its file holds"),
  })
  .strict();

/** In the order of the images. A picture that can not be scored has `error` and no scores; the others are done. */
export const scoreReply = z.object({
  results: z.array(
    z.object({
      scores,
      total: z.number().nullable().describe("The weighted sum, which ranks and filters; null where nothing was scored"),
      rank: z.int().nullable().describe("1 for the best of this request"),
      kept: z.boolean().describe("Whether the total lies within min and max"),
      prompt: z.string().nullable(),
      infotext: z.string().nullable().describe("The one given, or the file's own, with the scores in it"),
      error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }).optional(),
    }),
  ),
});

/** What a picture's bytes say: as `renoir info --json`. Seeds are texts: they may exceed what JSON numbers hold. */
export const infoReply = z.object({
  format: z.string(),
  host: z.string().nullable(),
  prompt: z.string().nullable(),
  negativePrompt: z.string().nullable(),
  seed: z.string().nullable(),
  width: z.int().optional(),
  height: z.int().optional(),
  settings: z.record(z.string(), z.string()),
  scores,
  infotext: z.string().nullable().describe("As the host's PNG Info shows it"),
  carriers: z.array(z.object({ kind: z.string(), keyword: z.string(), bytes: z.int() })),
  warnings: z.array(z.string()),
});

export const infoRequest = z.object({ image: imageSource }).strict();

export type ScoreRequest = z.infer<typeof scoreRequest>;
export type ScoreReply = z.infer<typeof scoreReply>;
export type InfoReply = z.infer<typeof infoReply>;
