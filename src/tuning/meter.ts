// What a training tells while it runs: averages, its rate, the time left; and its trace as curves.

/** Averages over the steps since the last line, the rate, and the time left at that rate. */
export class Meter<Key extends string> {
  readonly #total: number;
  readonly #keys: readonly Key[];
  #notes: { readonly step: number; readonly numbers: Partial<Record<Key, number>> }[] = [];
  #since = performance.now();

  /** What is averaged of each step; a number that a step does not have counts as 0. */
  constructor(total: number, keys: readonly Key[]) {
    this.#total = total;
    this.#keys = keys;
  }

  note(progress: { readonly step: number } & Partial<Record<Key, number>>): void {
    this.#notes.push({ step: progress.step, numbers: progress });
  }

  /** The averages, and how fast it goes, with so many decimals. */
  read(decimals: number): { entry: { step: number } & Record<Key, number>; pace: string } {
    const rate = this.#notes.length / ((performance.now() - this.#since) / 1000);
    const { step } = this.#notes.at(-1)!;
    const mean = (key: Key) =>
      round(this.#notes.reduce((sum, { numbers }) => sum + (numbers[key] ?? 0), 0) / this.#notes.length);
    const means = Object.fromEntries(this.#keys.map((key) => [key, mean(key)])) as Record<Key, number>;
    this.#notes = [];
    this.#since = performance.now();
    return {
      entry: { step, ...means },
      pace: `${rate.toFixed(decimals)} steps/s  ${timeLeft((this.#total - step) / rate)}`,
    };
  }
}

const timeLeft = (seconds: number): string => `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s left`;

/** A trace's numbers over its steps, where it has them. */
export const pointsOf = <Entry extends { step: number }>(
  trace: readonly Entry[],
  of: (entry: Entry) => number | undefined,
): [number, number][] =>
  trace.flatMap((entry): [number, number][] => {
    const value = of(entry);
    return value === undefined ? [] : [[entry.step, value]];
  });

export const round = (x: number) => Math.round(x * 1e4) / 1e4;
export const say = (line: string) => process.stderr.write(`${line}\n`);
