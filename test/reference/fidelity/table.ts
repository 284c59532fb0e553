// The table of differences: its rows, and how it is written.

export interface Row {
  readonly what: string;
  readonly compared: number;
  readonly difference: number;
  /** The most that counts as the same. */
  readonly allowed: number;
}

/** A row for many differences, of which the largest is shown. */
export const row = (what: string, differences: readonly number[], allowed: number): Row => ({
  what,
  compared: differences.length,
  difference: largest(differences),
  allowed,
});

/** NaN counts as infinite, lest it pass. */
export const largest = (differences: readonly number[]): number =>
  differences.reduce((most, each) => Math.max(most, Number.isNaN(each) ? Number.POSITIVE_INFINITY : each), 0);

export const tooFar = (rows: readonly Row[]): Row[] => rows.filter(({ difference, allowed }) => difference > allowed);

export function table(rows: readonly Row[]): string {
  const head = ["what", "compared", "largest difference", "allowed"];
  const cells = rows.map(({ what, compared, difference, allowed }) => [
    what,
    String(compared),
    written(difference),
    written(allowed),
  ]);
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]!.length)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ");
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...cells.map(line)].join("\n");
}

const written = (x: number) => (Number.isInteger(x) ? String(x) : x.toExponential(1));
