// A curve in one line of text.

const levels = "▁▂▃▄▅▆▇█";

/** The values from their least to their greatest; of more values than cells, each cell shows the last of its share. */
export function sparkline(values: readonly number[], width = 24): string {
  const shown = resampled(
    values.filter((value) => Number.isFinite(value)),
    width,
  );
  const low = Math.min(...shown);
  const range = Math.max(...shown) - low;
  const level = (value: number) => (range > 0 ? Math.round(((value - low) / range) * (levels.length - 1)) : 3);
  return shown.map((value) => levels[level(value)]).join("");
}

const resampled = (values: readonly number[], width: number): number[] =>
  values.length <= width
    ? [...values]
    : Array.from({ length: width }, (_, i) => values[Math.ceil(((i + 1) * values.length) / width) - 1]!);
