// What the requests and answers of several routes share. Nothing in this folder needs Node: the web page reads it too.

import { z } from "zod";

/** Of every error, with the HTTP status that fits it. */
export const errorReply = z.object({
  error: z.object({
    code: z.string().describe("Stable and machine readable, as in request, image, weights, not-found, forbidden"),
    message: z.string().describe("Where, what was found, what was wanted"),
    hint: z.string().optional().describe("What to try"),
  }),
});

/** By the rewards' display names, as in { "ImageReward": 0.5812 }. */
export const scores = z.record(z.string(), z.number());

/** `name[=weight][@path]`, as on the command line: imagereward, imagereward=1@models/ImageReward.pt, shapes. */
export const rewardText = z.string().min(1).max(4096);

/** Seeds go up to 2^64 - 1, which JSON numbers do not hold: a text of digits is always right, a number where it is exact. */
export const seed = z.union([z.int().min(0), z.string().regex(/^\d{1,20}$/)]).transform(String);

/** A picture: its bytes in base64 (a data URL will do), a path within the library's folders, or a picture of the library. */
export const imageSource = z.union([
  z.string().min(1),
  z.object({ path: z.string().min(1) }).strict(),
  z.object({ id: z.string().min(1) }).strict(),
]);

export const id = z.string().min(1).max(64);

export type ErrorReply = z.infer<typeof errorReply>;
export type Scores = z.infer<typeof scores>;
export type ImageSource = z.infer<typeof imageSource>;
