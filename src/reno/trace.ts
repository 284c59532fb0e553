// A run written down: its settings, the numbers of every step, which was best, and what it takes to go on.
// Everything is in one JSON file; latents and the optimiser's memory are float32, little-endian, in base64.

import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { RequestError } from "../errors.ts";
import type { RefineState, RefineStep } from "./refine.ts";

export type TraceStep = Pick<
  RefineStep,
  "step" | "rewards" | "loss" | "regularizer" | "gradientNorm" | "latentsNorm" | "ms"
> & {
  /** By rewards that only look on. */
  readonly observed?: Readonly<Record<string, number>> | undefined;
};

export interface Trace {
  /** Whatever the caller wants to find again. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly steps: readonly TraceStep[];
  readonly best: number;
  /** Goes to refine's `resume`. */
  readonly resume?: RefineState | undefined;
}

/** The numbers of a step, without its pictures. */
export const traceStep = (seen: RefineStep): TraceStep => ({
  step: seen.step,
  rewards: seen.rewards,
  loss: seen.loss,
  regularizer: seen.regularizer,
  gradientNorm: seen.gradientNorm,
  latentsNorm: seen.latentsNorm,
  ms: Math.round(seen.ms),
});

export const formatTrace = ({ settings, steps, best, resume }: Trace): string =>
  `${JSON.stringify({ settings, steps, best, resume }, encoded)}\n`;

function encoded(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (!(value instanceof Float32Array)) return value;
  return { float32: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64") };
}

/** What of the settings of two runs is not the same, in words: "its seed was 5 and is 6 now". */
export function differences(before: Trace["settings"], now: Trace["settings"]): string[] {
  const written = JSON.parse(JSON.stringify(now, encoded)) as Record<string, unknown>; // as a trace would have it
  const names = [...new Set([...Object.keys(before), ...Object.keys(written)])];
  const told = (value: unknown) => (value === undefined ? "not given" : JSON.stringify(value));
  return names
    .filter((name) => !isDeepStrictEqual(before[name], written[name]))
    .map((name) => `its ${name} was ${told(before[name])} and is ${told(written[name])} now`);
}

const numbers = z.object({ float32: z.base64() }).transform(({ float32 }, context) => {
  const bytes = Uint8Array.from(Buffer.from(float32, "base64"));
  if (bytes.length % 4 === 0) return new Float32Array(bytes.buffer);
  context.addIssue(`has ${bytes.length} bytes, which are no whole number of float32`);
  return z.NEVER;
});

const step = z.object({
  step: z.int().nonnegative(),
  rewards: z.record(z.string(), z.number()),
  loss: z.number(),
  regularizer: z.number(),
  gradientNorm: z.number().nullable(),
  latentsNorm: z.number(),
  ms: z.number(),
  observed: z.record(z.string(), z.number()).optional(),
});

const state = z.object({
  step: z.int().nonnegative(),
  latents: numbers,
  optimizer: z.record(z.string(), z.union([z.number(), numbers, z.array(numbers)])),
  best: z.object({ step: z.int().nonnegative(), loss: z.number(), latents: numbers }),
});

const trace = z.object({
  settings: z.record(z.string(), z.unknown()),
  steps: z.array(step),
  best: z.int().nonnegative(),
  resume: state.optional(),
});

/** RequestError, with `name` as the file's, where the text is no trace. */
export function parseTrace(text: string, name = "The trace"): Trace {
  const hint = "Give a file that `renoir refine --trace` wrote.";
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new RequestError(`${name} is no JSON: ${(cause as Error).message}.`, { hint, cause });
  }
  const { data, error } = trace.safeParse(json);
  if (data) return data;
  const { path, message } = error.issues[0]!;
  throw new RequestError(`${name} is no trace of a run: ${path.join(".") || "it"}: ${message}.`, { hint });
}
