// manifest.json: what the extension is, where it goes in a host, and what can be set. These facts stand nowhere else.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

/** Renoir's own folder, from src/extension/ and dist/extension/ alike. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

const common = { key: z.string().regex(/^[a-z]+$/), label: z.string().min(1), help: z.string().min(1) };

const setting = z.discriminatedUnion("type", [
  z.strictObject({ ...common, type: z.literal("boolean"), default: z.boolean() }),
  z.strictObject({ ...common, type: z.literal("text"), default: z.string() }),
  z.strictObject({
    ...common,
    type: z.literal("number"),
    default: z.number(),
    minimum: z.number(),
    maximum: z.number(),
    step: z.number(),
  }),
  z.strictObject({
    ...common,
    type: z.literal("choice"),
    default: z.string(),
    choices: z.array(z.strictObject({ value: z.string(), label: z.string() })).min(2),
  }),
]);

/** Within a host, with slashes on every system. */
const path = z.string().regex(/^[\w.-]+(\/[\w.-]+)*$/);

const variant = z.strictObject({
  id: z.string(),
  title: z.string(),
  /** Files that only this host has. Forks keep their origin's files: the first variant that fits is the right one. */
  signature: z.array(path).min(2),
});

const host = z.strictObject({
  id: z.string(),
  title: z.string(),
  variants: z.array(variant).min(1),
  /** Of the plugin, from Renoir's folder. */
  source: path,
  /** What it has in common with another host's plugin, whose files they are; a copy has them in its folder shared/. */
  shared: z.strictObject({ source: path, files: z.array(path).min(1) }).optional(),
  /** Of the plugin, from the host's folder. */
  target: path,
  /** Where the host saves its pictures. */
  pictures: path,
  /** What of the host the plugin is called by. */
  hooks: z.array(z.string()).min(1),
  /** What a person does then. */
  restart: z.string(),
});

export const manifestSchema = z.strictObject({
  id: z.literal("renoir"),
  name: z.string(),
  version: z.string().regex(/^\d+\.\d+\.\d+/),
  description: z.string(),
  license: z.string(),
  entry: path,
  engines: z.strictObject({ node: z.string() }),
  server: z.strictObject({ address: z.url() }),
  permissions: z.array(z.strictObject({ id: z.string(), reason: z.string() })),
  /** In the order of the arguments that hosts' APIs take: only ever appended to. */
  settings: z.array(setting),
  hosts: z.array(host),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type Setting = z.infer<typeof setting>;
export type HostEntry = z.infer<typeof host>;
export type Variant = z.infer<typeof variant>;

export const manifest: Manifest = manifestSchema.parse(JSON.parse(readFileSync(join(root, "manifest.json"), "utf8")));
