// Numbers that a picture hangs on, found from the picture: least squares from where they likely are, and a coarse search where that
// leads nowhere. Every look costs a picture, so slopes are measured once and then bent by what each step shows (Broyden 1965).

/** What is to become zero, element by element, for these numbers. */
export type Residuals = (numbers: readonly number[]) => Promise<Float32Array>;

interface Place {
  readonly numbers: readonly number[];
  readonly residuals: Float32Array;
  readonly cost: number;
}

/** Where else to look than at 1: quotients of two like numbers, of either sign. */
const coarse = [0.6, 1.5, -1, 0.25, -0.5, 2.5, -2, 0, 4, -4];
/** By how much a number is moved to see what it does. */
const nudge = 0.02;
/** Levenberg-Marquardt: how much of the diagonal is added, raised until a step leads down. */
const damping = { first: 1e-4, times: 30, last: 30 } as const;
/** A step that gains less than this part is the last one. */
const leastGain = 0.002;

/** Spread as quotients of two like numbers are (Cauchy's distribution), evenly by the roots of primes (Kronecker's sequence). */
const startOf = (round: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => {
    const part = (round * Math.sqrt([2, 3, 5, 7, 11, 13][i % 6]!)) % 1;
    return Math.min(Math.max(Math.tan(Math.PI * (part - 0.5)), -4), 4);
  });

/** A search from 1 on, and from elsewhere where that leads nowhere. */
export class Fit {
  readonly #residuals: Residuals;
  readonly #goal: number;
  #left = 0;
  #from: readonly number[];
  #round = 0;
  #best: Place | undefined;

  /** `goal`: root of the mean of squared residuals that is good enough. */
  constructor(residuals: Residuals, count: number, goal: number) {
    this.#residuals = residuals;
    this.#from = Array<number>(count).fill(1);
    this.#goal = goal;
  }

  /** Goes on for so many looks at most; the best numbers so far. */
  async improve(looks: number): Promise<readonly number[]> {
    this.#left = looks;
    let best = this.#best;
    do {
      const found = await this.#bottom(this.#from);
      if (!best || found.cost < best.cost) best = found;
      // What was cut short goes on from where it was.
      this.#from = this.#left > 0 ? startOf(++this.#round, this.#from.length) : found.numbers;
    } while (!this.#isOver(best));
    this.#best = best;
    return best.numbers;
  }

  #isOver({ cost }: Place): boolean {
    return cost <= this.#goal || this.#left <= 0;
  }

  /** Where descents and sweeps by turns lead. */
  async #bottom(from: readonly number[]): Promise<Place> {
    let best = await this.#look(from);
    for (let known = Number.POSITIVE_INFINITY; best.cost < known && !this.#isOver(best); ) {
      known = best.cost;
      best = await this.#descend(best);
      for (let i = 0; i < from.length && !this.#isOver(best); i++) best = await this.#sweep(best, i);
    }
    return best;
  }

  async #look(numbers: readonly number[]): Promise<Place> {
    this.#left--;
    const residuals = await this.#residuals(numbers);
    const cost = Math.sqrt(dot(residuals, residuals) / residuals.length);
    return { numbers, residuals, cost: Number.isFinite(cost) ? cost : Number.POSITIVE_INFINITY };
  }

  /** One number at all coarse values, the others where they are. */
  async #sweep(from: Place, i: number): Promise<Place> {
    let best = from;
    for (const value of coarse) {
      if (this.#isOver(best)) break;
      const found = await this.#look(from.numbers.with(i, value));
      if (found.cost < best.cost) best = found;
    }
    return best;
  }

  /** Down to the goal, or to where no step leads further. */
  async #descend(from: Place): Promise<Place> {
    let here = from;
    let slopes = await this.#slopes(here);
    let measuredHere = true;
    let damped: number = damping.first;
    while (!this.#isOver(here) && damped <= damping.last) {
      const step = leastSquares(slopes, here.residuals, damped);
      const next = await this.#look(here.numbers.map((value, i) => value + step[i]!));
      if (next.cost < here.cost * (1 - leastGain)) {
        slopes = bent(slopes, step, here.residuals, next.residuals);
        [here, measuredHere, damped] = [next, false, damping.first];
      } else if (measuredHere) damped *= damping.times;
      else [slopes, measuredHere] = [await this.#slopes(here), true];
    }
    return here;
  }

  /** What each number does to the residuals. */
  async #slopes({ numbers, residuals }: Place): Promise<Float32Array[]> {
    const slopes: Float32Array[] = [];
    for (const [i, number] of numbers.entries()) {
      const moved = await this.#look(numbers.with(i, number + nudge));
      slopes.push(moved.residuals.map((value, j) => (value - residuals[j]!) / nudge));
    }
    return slopes;
  }
}

/** The slopes moved as little as makes them tell what the step did. */
function bent(slopes: readonly Float32Array[], step: readonly number[], before: Float32Array, after: Float32Array) {
  const length = step.reduce((sum, value) => sum + value * value, 0);
  const missed = after.map((value, j) => {
    const foretold = slopes.reduce((sum, slope, i) => sum + slope[j]! * step[i]!, 0);
    return value - before[j]! - foretold;
  });
  return slopes.map((slope, i) => slope.map((value, j) => value + (missed[j]! * step[i]!) / length));
}

/** The step that makes the residuals least, to first order: (JᵀJ + damped · its diagonal) step = −Jᵀr. */
function leastSquares(slopes: readonly Float32Array[], residuals: Float32Array, damped: number): number[] {
  const matrix = slopes.map((a, i) =>
    slopes.map((b, j) => dot(a, b) * (i === j ? 1 + damped : 1) + (i === j ? 1e-12 : 0)),
  );
  return solve(
    matrix,
    slopes.map((slope) => -dot(slope, residuals)),
  );
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Gauss's elimination; the matrix is positive definite. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  for (let i = 0; i < rows.length; i++) {
    for (let k = i + 1; k < rows.length; k++) {
      const factor = rows[k]![i]! / rows[i]![i]!;
      rows[k] = rows[k]!.map((value, j) => value - factor * rows[i]![j]!);
    }
  }
  const result: number[] = [];
  for (let i = rows.length - 1; i >= 0; i--) {
    const known = result.reduce((sum, value, j) => sum + value * rows[i]![i + 1 + j]!, 0);
    result.unshift((rows[i]!.at(-1)! - known) / rows[i]![i]!);
  }
  return result;
}
