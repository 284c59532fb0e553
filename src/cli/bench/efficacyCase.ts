// What the efficacy bench is asked, and what it finds of each sentence and seed.

import type { NoiseStatistics } from "./statistics.ts";

export interface EfficacySettings {
  readonly pipeline: string;
  readonly iterations: number;
  readonly sentences: number;
  readonly seeds: number;
  readonly optimizer?: string | undefined;
  readonly lr?: number | undefined;
  readonly reg?: number | undefined;
}

export interface EfficacyTask extends EfficacySettings {
  readonly threads: number;
  /** Numbers of the cases to do. */
  readonly cases: readonly number[];
}

/** What the best picture was after each look, the first being the untouched noise. */
export interface Course {
  readonly right: readonly boolean[];
  readonly reward: readonly number[];
  /** Of the best noise after the looks that are reported. */
  readonly noise: Readonly<Record<number, NoiseStatistics>>;
}

export interface EfficacyCase {
  readonly index: number;
  readonly sentence: string;
  readonly seed: number;
  readonly refine: Course;
  readonly select: Course;
}

/** The looks after which figures are given, beside the first. */
export const milestones = [10, 25, 50] as const;
