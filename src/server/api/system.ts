// Models, hosts, settings, and how the server itself is.

import { z } from "zod";
import { rewardText } from "./common.ts";

export const model = z.object({
  name: z.string(),
  kind: z.enum(["reward", "pipeline"]),
  /** ready: it can be opened; absent: no checkpoint is known; missing: its file has gone; damaged: it can not be opened. */
  state: z.enum(["ready", "absent", "missing", "damaged"]),
  /** Whether the engine holds it now. */
  memory: z.enum(["unloaded", "loading", "loaded"]),
  builtIn: z.boolean().describe("A demo model that comes with Renoir"),
  path: z.string().optional(),
  size: z.number().optional().describe("Bytes on the disk"),
  residentBytes: z.number().optional().describe("What loading it added to the engine's memory"),
  license: z.string().optional(),
  source: z.string().optional().describe("Who published it, as in zai-org/ImageReward"),
  pullable: z.boolean().describe("Whether `pull` can fetch it"),
  problem: z.string().optional(),
});

/** A reward and a pipeline may have one name. */
export const whichModel = z
  .object({ kind: model.shape.kind.optional().describe("Where a reward and a pipeline have this name; default: both") })
  .strict();

export const engine = z.object({
  state: z.enum(["stopped", "starting", "ready"]),
  provider: z.string().describe("What computes: cpu, webgpu, cuda, dml, coreml"),
  residentBytes: z.number(),
  freeBytes: z.number(),
});

export const modelList = z.object({ items: z.array(model), engine });
export const addModelRequest = z.object({ name: z.string().min(1), path: z.string().min(1) }).strict();

export const health = z.object({
  status: z.literal("ok"),
  version: z.string(),
  uptimeSeconds: z.number(),
  provider: z.string(),
  engine,
  models: z.array(z.string()).describe("Those that are loaded, by their names"),
  queue: z.object({ queued: z.int(), running: z.int() }),
  eventLoop: z
    .object({ p50Ms: z.number(), p99Ms: z.number(), maxMs: z.number() })
    .describe("Delays over the last minute"),
});

export const hostList = z.object({
  items: z.array(
    z.object({
      id: z.string().describe("As `renoir install` calls it"),
      name: z.string(),
      path: z.string(),
      pictures: z.string().describe("Where it saves its pictures"),
      inLibrary: z.boolean(),
    }),
  ),
});

export const settings = z
  .object({
    rewards: z.array(rewardText).min(1).describe("What scores new pictures"),
    limits: z
      .record(z.string(), z.object({ weak: z.number(), great: z.number() }))
      .describe("By reward: below weak, and from great on"),
    scoreNew: z.boolean().describe("Whether pictures that appear in watched folders are scored"),
    writeNew: z.boolean().describe("Whether their scores are put into their files as well"),
    idleMinutes: z.number().min(0).max(1440).describe("After how long unused models leave memory; 0: never"),
    outputFolder: z.string().describe("Where generated and refined pictures go that have no folder of their own"),
    provider: z.enum(["auto", "cpu", "webgpu", "cuda", "dml", "coreml"]),
    upstream: z.string().nullable().describe("The WebUI behind the gateway"),
    gateway: z
      .object({
        enabled: z.boolean(),
        rewards: z.string().describe("As in the extension's settings; empty: `rewards` above"),
        filter: z.boolean(),
        limit: z.number(),
        sort: z.boolean(),
      })
      .strict()
      .describe("What becomes of pictures that a request did not say it for itself, by alwayson_scripts.renoir"),
  })
  .strict();

export const settingsChange = settings.partial();

export type Model = z.infer<typeof model>;
export type EngineState = z.infer<typeof engine>;
export type Health = z.infer<typeof health>;
export type HostList = z.infer<typeof hostList>;
export type Settings = z.infer<typeof settings>;
