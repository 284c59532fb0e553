// Numbers that a picture hangs on, found from the picture: a coarse search, one number after the other, then Gauss-Newton.

/** What is to become zero, element by element, for these numbers. */
export type Residuals = (numbers: readonly number[]) => Promise<Float32Array>;

export interface FitOptions {
  /** Mean of absolute residuals that is good enough. */
  readonly goal: number;
  /** Evaluations at most. */
  readonly budget?: number;
}

/** Where the search looks first, 1 being tried already: quotients of two like numbers, of either sign. */
const coarse = [0.6, 1.5, -1, 0.25, -0.5, 2.5, -2, 0, 4, -4];
const difference = 0.02;

/** The best numbers that were found. */
export async function fitted(
  residuals: Residuals,
  count: number,
  { goal, budget = 80 }: FitOptions,
): Promise<number[]> {
  const seen = new Map<string, Float32Array>();
  const at = async (numbers: readonly number[]): Promise<Float32Array> => {
    const found = seen.get(String(numbers)) ?? (await residuals(numbers));
    seen.set(String(numbers), found);
    return found;
  };
  let best = { numbers: Array<number>(count).fill(1), cost: 0 };
  best.cost = cost(await at(best.numbers));
  const consider = async (numbers: number[]): Promise<boolean> => {
    const candidate = { numbers, cost: cost(await at(numbers)) };
    const better = candidate.cost < best.cost;
    if (better) best = candidate;
    return better;
  };
  for (let i = 0; i < count; i++) {
    for (const value of coarse) {
      if (best.cost <= goal) return best.numbers;
      await consider(best.numbers.with(i, value));
    }
  }
  while (best.cost > goal && seen.size < budget) {
    const here = await at(best.numbers);
    const slopes: Float32Array[] = [];
    for (let i = 0; i < count; i++) {
      const moved = await at(best.numbers.with(i, best.numbers[i]! + difference));
      slopes.push(moved.map((value, j) => (value - here[j]!) / difference));
    }
    const step = gaussNewton(slopes, here);
    const start = best.numbers;
    let better = false;
    for (let share = 1; !better && share > 0.1; share /= 2) {
      better = await consider(start.map((value, i) => value - share * step[i]!));
    }
    if (!better) break;
  }
  return best.numbers;
}

function cost(residuals: Float32Array): number {
  let sum = 0;
  for (const value of residuals) sum += Math.abs(value);
  return Number.isFinite(sum) ? sum / residuals.length : Number.POSITIVE_INFINITY;
}

/** The step whose negative makes the residuals least, to first order: (JᵀJ) step = Jᵀr. */
function gaussNewton(slopes: readonly Float32Array[], residuals: Float32Array): number[] {
  const matrix = slopes.map((a) => slopes.map((b) => dot(a, b)));
  return solve(
    matrix.map((row, i) => row.map((value, j) => (i === j ? value * 1.0001 + 1e-12 : value))),
    slopes.map((slope) => dot(slope, residuals)),
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
