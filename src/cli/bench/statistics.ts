// How far one list of scores is from another.

const mean = (x: readonly number[]) => x.reduce((a, b) => a + b, 0) / x.length;

/** Standard deviation. */
export const spread = (x: readonly number[]): number => Math.sqrt(mean(x.map((each) => (each - mean(x)) ** 2)));

export const rootMeanSquareError = (x: readonly number[], y: readonly number[]): number =>
  Math.sqrt(mean(x.map((each, i) => (each - y[i]!) ** 2)));

/** Spearman's: the correlation of the ranks. */
export function rankCorrelation(x: readonly number[], y: readonly number[]): number {
  const [a, b] = [ranks(x), ranks(y)];
  const [ma, mb] = [mean(a), mean(b)];
  return mean(a.map((each, i) => (each - ma) * (b[i]! - mb))) / (spread(a) * spread(b));
}

function ranks(x: readonly number[]): number[] {
  const order = x.map((_, i) => i).sort((i, j) => x[i]! - x[j]!);
  const result = new Array<number>(x.length);
  for (const [rank, i] of order.entries()) result[i] = rank;
  return result;
}
