// How often a reward model prefers what it should, kind by kind, on sentences that training never saw.

import { compile, type Session, type Shape } from "../graph/index.ts";
import { type Group, type Kind, type Preference, randomGroup } from "../shapes/pairs.ts";
import { Random } from "../shapes/random.ts";
import type { Split } from "../shapes/splits.ts";
import { Weights } from "../weights/weights.ts";
import type { Tensors } from "./adamw.ts";
import { cellAt, groupScores, scoringFeeds } from "./objectives.ts";

export interface Share {
  right: number;
  of: number;
}

export interface Evaluation {
  /** All pairs of held-out sentences. */
  all: Share;
  kinds: Record<string, Share>;
  splits: Record<string, Share>;
  /** The same pairs of pictures under the sentences of other pictures: a model that reads can only guess, 0.5. */
  shuffled: Share;
  /** Mean and deviation of the raw scores over right and wrong pairs. */
  mean: number;
  deviation: number;
}

const batch = 8;
const testSplits: readonly Split[] = ["unseen combination", "unseen pairing"];
/** The tests' random numbers begin elsewhere than any training's. */
const testKey = 0x7e57;

export const testGroups = (count: number, seed: number): { group: Group; split: Split }[] =>
  Array.from({ length: count }, (_, i) => {
    const split = testSplits[i % testSplits.length]!;
    const random = new Random(testKey, seed, i);
    return { split, group: randomGroup(random, { splits: [split], editsOfAnySplit: true }) };
  });

/** Whether a pair differs in what the sentence says: damaged pictures are worse whatever is said. */
const isAboutMeaning = ({ kind }: Preference): boolean =>
  !["blur", "noise", "cut off"].includes(kind satisfies Kind | "mixed");

export class Examiner {
  readonly #session: Session;
  readonly #tests: { group: Group; split: Split }[];

  private constructor(session: Session, tests: { group: Group; split: Split }[]) {
    this.#session = session;
    this.#tests = tests;
  }

  static async build(shapes: Readonly<Record<string, Shape>>, count: number, seed: number, threads?: number) {
    const scores = groupScores(Weights.fromInputs(shapes), batch);
    const whole = Math.ceil(count / batch) * batch;
    return new Examiner(await compile({ scores }, { provider: "cpu", threads }), testGroups(whole, seed));
  }

  async examine(parameters: Tensors): Promise<Evaluation> {
    const shares = new Shares();
    const all: number[] = [];
    for (let start = 0; start < this.#tests.length; start += batch) {
      const tests = this.#tests.slice(start, start + batch);
      const groups = tests.map(({ group }) => group);
      const { scores } = await this.#session.run({ ...parameters, ...scoringFeeds(groups) });
      const others = groups.map((_, i) => groups[(i + 1) % batch]!.sentences);
      const { scores: shuffled } = await this.#session.run({ ...parameters, ...scoringFeeds(groups, others) });
      all.push(...scores!);
      for (const [g, { group, split }] of tests.entries())
        for (const preference of group.preferences) {
          const isRight = (table: Float32Array) =>
            table[cellAt(g, preference.better)]! > table[cellAt(g, preference.worse)]!;
          shares.count(["all", `kind ${preference.kind}`, `split ${split}`], isRight(scores!));
          if (isAboutMeaning(preference)) shares.count(["shuffled"], isRight(shuffled!));
        }
    }
    return { ...shares.report(), ...spread(all) };
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

class Shares {
  readonly #shares = new Map<string, Share>();

  count(names: readonly string[], isRight: boolean): void {
    for (const name of names) {
      const share = this.#shares.get(name) ?? { right: 0, of: 0 };
      this.#shares.set(name, { right: share.right + Number(isRight), of: share.of + 1 });
    }
  }

  report(): Pick<Evaluation, "all" | "kinds" | "splits" | "shuffled"> {
    const none = { right: 0, of: 0 };
    const of = (prefix: string) =>
      Object.fromEntries(
        [...this.#shares]
          .filter(([name]) => name.startsWith(prefix))
          .map(([name, share]) => [name.slice(prefix.length), share]),
      );
    const { all = none, shuffled = none } = Object.fromEntries(this.#shares);
    return { all, kinds: of("kind "), splits: of("split "), shuffled };
  }
}

export function spread(numbers: readonly number[]): { mean: number; deviation: number } {
  const mean = numbers.reduce((a, b) => a + b, 0) / numbers.length;
  const variance = numbers.reduce((a, b) => a + (b - mean) ** 2, 0) / numbers.length;
  return { mean, deviation: Math.sqrt(variance) };
}

export const percent = ({ right, of }: Share): string => (of ? `${((100 * right) / of).toFixed(1)} %` : "–");

/** The lines that the script prints. */
export function describeEvaluation({ all, kinds, splits, shuffled }: Evaluation): string {
  const line = (name: string, share: Share) => `  ${name.padEnd(20)}${percent(share).padStart(8)}  of ${share.of}`;
  return [
    "Held-out pairs in the right order:",
    line("all", all),
    ...Object.entries(kinds).map(([name, share]) => line(name, share)),
    ...Object.entries(splits).map(([name, share]) => line(name, share)),
    "Under other pictures' sentences (chance is 50 %):",
    line("shuffled", shuffled),
  ].join("\n");
}
