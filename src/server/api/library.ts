// The library: pictures in folders, with what their files say and how they score.

import { z } from "zod";
import { id, scores } from "./common.ts";
import { infoReply } from "./pictures.ts";

export const buckets = ["great", "ok", "weak", "unscored"] as const;

/** As they lie in a query string: every value a text, lists by repetition. */
const many = <T extends z.ZodType>(item: T) =>
  z.preprocess((value) => (value === undefined || Array.isArray(value) ? value : [value]), z.array(item).optional());

/** `ImageReward:0.5..`, `shapes:-1..0.5`: from, to, or both; closed at both ends. */
export const scoreRange = z
  .string()
  .regex(/^[^:]+:(-?[\d.]+(e-?\d+)?)?\.\.(-?[\d.]+(e-?\d+)?)?$/i, "a range such as ImageReward:0.5..2 was wanted");

/** Which pictures. All that is given must hold; of a list, one of its items. */
export const libraryFilter = z
  .object({
    text: z.string().max(1000).optional().describe("Words of the prompt, of the file's name or of the settings"),
    scores: many(scoreRange),
    bucket: many(z.enum(buckets)).describe("By the reward of `reward` and the settings' limits"),
    reward: z
      .string()
      .optional()
      .describe("Whose score buckets, sorts and histograms go by; default: the first of the settings"),
    host: many(z.string()),
    model: many(z.string()),
    folder: many(z.string()),
    seed: z
      .string()
      .regex(/^\d{1,20}$/)
      .optional(),
    from: z.iso.datetime({ offset: true }).or(z.iso.date()).optional().describe("Files changed since"),
    to: z.iso.datetime({ offset: true }).or(z.iso.date()).optional(),
    rejected: z.stringbool().optional().describe("Those moved to rejected folders; left out unless asked for"),
  })
  .strict();

/** score is that of `reward`; a minus before it turns the order round: -score is best first. Pictures without come last. */
export const sortKeys = ["score", "date", "name", "seed", "size", "prompt", "host", "model"] as const;
export const sort = z
  .string()
  .regex(new RegExp(`^-?(${sortKeys.join("|")})$`))
  .default("-date");

export const libraryQuery = libraryFilter.extend({
  sort,
  cursor: z.string().max(4096).optional().describe("`next` of the page before"),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});

export const libraryItem = z.object({
  id,
  path: z.string(),
  name: z.string(),
  folder: z.string(),
  width: z.int(),
  height: z.int(),
  bytes: z.int(),
  modified: z.iso.datetime(),
  format: z.string(),
  host: z.string().nullable(),
  model: z.string().nullable(),
  prompt: z.string().nullable(),
  seed: z.string().nullable(),
  scores,
  written: z.boolean().describe("Whether the scores stand in the file itself"),
  thumbnail: z.string().describe("A path of this server, with the file's version in it: it may be cached for ever"),
  file: z.string(),
});

export const libraryPage = z.object({
  items: z.array(libraryItem),
  next: z.string().nullable(),
  total: z.int().describe("How many pictures the filter lets through"),
});

export const libraryPicture = libraryItem.extend({
  info: infoReply,
  allScores: z.array(
    z.object({
      reward: z.string(),
      score: z.number(),
      version: z.string(),
      at: z.iso.datetime(),
      approximate: z.boolean(),
    }),
  ),
  hash: z.string(),
});

export const histogramQuery = libraryFilter.extend({ bins: z.coerce.number().int().min(2).max(200).default(40) });

export const histogram = z.object({
  reward: z.string(),
  from: z.number(),
  to: z.number(),
  bins: z.array(z.int()),
  buckets: z.object({ great: z.int(), ok: z.int(), weak: z.int(), unscored: z.int() }),
});

const facet = z.array(z.object({ name: z.string(), count: z.int() }));
export const facets = z.object({ hosts: facet, models: facet, folders: facet, rewards: facet, total: z.int() });

export const libraryFolder = z.object({
  path: z.string(),
  pictures: z.int(),
  watched: z.boolean(),
  available: z.boolean().describe("Whether the folder is there now: an unplugged disk loses nothing"),
  builtIn: z.boolean().describe("The demo pictures that come with Renoir"),
});
export const folderList = z.object({ items: z.array(libraryFolder) });
export const addFolder = z.object({ path: z.string().min(1), watch: z.boolean().default(true) }).strict();
export const removeFolder = z.object({ path: z.string().min(1) }).strict();

/** Which pictures a bulk action is for: these, or all that a filter lets through. */
const selection = { ids: z.array(id).min(1).max(100_000).optional(), filter: libraryFilter.optional() };

export const libraryChange = z
  .object({
    ...selection,
    action: z.enum(["write", "move", "reject", "restore"]).describe("write puts the scores into the files"),
    to: z.string().optional().describe("For move: a folder within the library's"),
  })
  .strict();

/** Deleted files go to Renoir's own trash, from which undo brings them back, and after some days to the system's. */
export const libraryDelete = z.object(selection).strict();

export const changeReply = z.object({
  operation: id.describe("For undo"),
  done: z.int(),
  failed: z.array(
    z.object({ id, error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }) }),
  ),
});

export const undoRequest = z.object({ operation: id.optional().describe("Default: the latest") }).strict();
export const operations = z.object({
  items: z.array(
    z.object({ operation: id, action: z.string(), pictures: z.int(), at: z.iso.datetime(), undone: z.boolean() }),
  ),
});

export const exportQuery = libraryFilter.extend({ format: z.enum(["csv", "json"]).default("csv"), sort });

export type Bucket = (typeof buckets)[number];
export type LibraryFilter = z.infer<typeof libraryFilter>;
export type LibraryQuery = z.infer<typeof libraryQuery>;
export type LibraryItem = z.infer<typeof libraryItem>;
export type LibraryPage = z.infer<typeof libraryPage>;
export type LibraryPicture = z.infer<typeof libraryPicture>;
export type Histogram = z.infer<typeof histogram>;
export type Facets = z.infer<typeof facets>;
export type LibraryFolder = z.infer<typeof libraryFolder>;
export type LibraryChange = z.infer<typeof libraryChange>;
export type LibraryDelete = z.infer<typeof libraryDelete>;
export type ChangeReply = z.infer<typeof changeReply>;
export type Operation = z.infer<typeof operations>["items"][number];
