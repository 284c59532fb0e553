// The refine form as a value: its defaults, and the request that it becomes.

import type { z } from "zod";
import type { RefineRequest, refineRequest } from "../../../../src/server/api/jobs.ts";
import type { Model, Settings } from "../../../../src/server/api/system.ts";
import { demoIterations, demoName } from "./demo.ts";
import type { Origin } from "./origin.ts";

export type Role = "optimise" | "observe" | "off";

export interface FormValues {
  readonly prompt: string;
  readonly negativePrompt: string;
  readonly seed: string;
  /** Empty: the one that the picture's file names. */
  readonly model: string;
  /** By the rewards' names. */
  readonly roles: Readonly<Record<string, Role>>;
  /** undefined: what is known to serve the chosen rewards. */
  readonly iterations: number | undefined;
  readonly mode: RefineRequest["mode"];
  readonly optimizer: RefineRequest["optimizer"];
  readonly learningRate: number;
  readonly gradientClip: number;
  readonly regularization: number;
  readonly patience: number | undefined;
}

/** As the method's authors have them. */
const renoDefaults = {
  mode: "refine",
  optimizer: "sgd",
  learningRate: 5,
  gradientClip: 0.1,
  regularization: 0.01,
  patience: undefined,
} as const;

export function valuesFor(origin: Origin, models: readonly Model[], settings: Settings): FormValues {
  return {
    prompt: origin.prompt,
    negativePrompt: origin.negativePrompt,
    seed: origin.seed ?? "",
    model: "",
    roles: rolesFor(origin, models, settings),
    iterations: undefined,
    ...renoDefaults,
    ...earlier(origin.request ?? {}),
  };
}

/** What a run is told again where it goes on; prompt, seed and picture are those of its result. */
function earlier(request: Partial<RefineRequest>): Partial<FormValues> {
  const { iterations, mode, optimizer, learningRate, gradientClip, regularization, patience, model } = request;
  const given = { iterations, mode, optimizer, learningRate, gradientClip, regularization, patience, model };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** One is optimised; every other one that can looks on, which costs little and keeps the first honest. */
function rolesFor(origin: Origin, models: readonly Model[], settings: Settings): Record<string, Role> {
  const names = readyRewards(models).map(({ name }) => name);
  const usual = (origin.request as Partial<RefineRequest> | undefined)?.rewards ?? usualRewards(origin, settings);
  const optimised = usual.map(nameOf).filter((name) => names.includes(name));
  const first = optimised.length > 0 ? optimised : names.slice(0, 1);
  // The demo's reward knows its own small world only: of other pictures its word is worth nothing.
  const foreign = (name: string) => name === demoName && !isDemo(origin.model);
  return Object.fromEntries(
    names.map((name) => [name, first.includes(name) ? "optimise" : foreign(name) ? "off" : "observe"]),
  );
}

const usualRewards = ({ model }: Origin, { rewards }: Settings) => (isDemo(model) ? [demoName] : rewards.slice(0, 1));

const isDemo = (model: string | null) => model === demoName;

/** "imagereward" of "imagereward=0.5@models/ImageReward.pt" */
export const nameOf = (reward: string): string => reward.replace(/[=@].*$/s, "").toLowerCase();

export const readyRewards = (models: readonly Model[]) =>
  models.filter(({ kind, state }) => kind === "reward" && state === "ready");

export const readyPipelines = (models: readonly Model[]) =>
  models.filter(({ kind, state }) => kind === "pipeline" && state === "ready");

const inRole = ({ roles }: FormValues, role: Role) => Object.keys(roles).filter((name) => roles[name] === role);
export const optimisedOf = (values: FormValues) => inRole(values, "optimise");
export const observedOf = (values: FormValues) => inRole(values, "observe");

/** 50 is what ReNO takes. */
export function usualIterations(values: FormValues): number {
  const optimised = optimisedOf(values);
  return optimised.length === 1 && optimised[0] === demoName ? demoIterations : 50;
}

/** What keeps the form from being sent, in words; undefined where nothing does. */
export function problemOf(values: FormValues, origin: Origin): string | undefined {
  if (optimisedOf(values).length === 0) return "Choose at least one reward to optimise.";
  if (!values.prompt.trim()) return "A prompt is wanted: the rewards judge by it.";
  if (!/^\d{0,20}$/.test(values.seed)) return "A seed is a whole number of up to 20 digits.";
  if (!origin.image && values.seed === "") return "A seed is wanted: it is the noise to begin with.";
  return undefined;
}

export function requestOf(values: FormValues, origin: Origin): z.input<typeof refineRequest> {
  const changed = (key: "prompt" | "negativePrompt" | "seed") =>
    values[key] !== (origin[key] ?? "") || !origin.image ? values[key] : "";
  const texts = {
    prompt: changed("prompt"),
    negativePrompt: changed("negativePrompt"),
    seed: changed("seed"),
    model: values.model,
  };
  const { iterations, mode, optimizer, learningRate, gradientClip, regularization, patience } = values;
  return {
    ...(origin.image && { image: origin.image }),
    // What is as the file says stays unsaid, so that the file is read with all that it knows.
    ...Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== "")),
    rewards: optimisedOf(values),
    observe: observedOf(values),
    iterations: iterations ?? usualIterations(values),
    ...{ mode, optimizer, learningRate, gradientClip, regularization },
    ...(patience && { patience }),
  };
}

/** Of 32 bits, as the hosts draw theirs. */
export const randomSeed = (): string => String(crypto.getRandomValues(new Uint32Array(1))[0]);

/** What a part of the form is given. */
export interface FieldsProps {
  readonly values: FormValues;
  readonly change: (change: Partial<FormValues>) => void;
}
