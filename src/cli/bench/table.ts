// The bench's figures as a table: what was measured, beside what is aimed at.

import { rankCorrelation, rootMeanSquareError, spread } from "./statistics.ts";
import type { UpstreamResult } from "./upstream.ts";
import type { WorkerResult } from "./worker.ts";

export type Runs = Record<string, WorkerResult>;

export interface Row {
  readonly what: string;
  readonly value: string;
  readonly target?: string;
}

interface Figures {
  /** GFLOP/s of a large float32 matrix product. */
  readonly peak: number;
  readonly runs: Runs;
  /** Milliseconds to the first score of a new process. */
  readonly start: readonly number[];
  /** Scores of the built-in reward in float32 and in int8. */
  readonly builtIn: { readonly exact: number[]; readonly rough: number[] };
  readonly upstream?: { readonly one: UpstreamResult; readonly each: UpstreamResult } | undefined;
}

const gb = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GB`;
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const seconds = (ms: number) => (ms / 1000).toFixed(2);

export function tableOf(figures: Figures): Row[] {
  const { peak, runs, start, upstream } = figures;
  return [
    { what: "float32 matrix product, this machine's best", value: `${peak.toFixed(0)} GFLOP/s` },
    ...Object.entries(runs).map(speedRow),
    ...Object.entries(runs).flatMap(([name, run]) => shareRow(name, run, peak)),
    { what: "process start to first score", value: `${start.map(seconds).join(", ")} s`, target: "3 s" },
    ...int8Rows(figures),
    ...(upstream ? upstreamRows(runs, upstream) : []),
  ];
}

const speedRow = ([what, run]: [string, WorkerResult]): Row => ({
  what,
  value: `${run.imagesPerSecond!.toFixed(3)} pictures/s, load +${gb(run.loadRss! - run.emptyRss!)}, peak ${gb(run.peakRss!)}`,
});

function shareRow(name: string, run: WorkerResult, peak: number): Row[] {
  if (name.includes("int8")) return [];
  const share = (run.imagesPerSecond! * run.gflop!) / peak;
  return [{ what: `share of that best, ${name}`, value: percent(share), target: "85 %" }];
}

/** Random weights amplify every rounding; trained ones do not. */
const int8Rows = ({ runs, builtIn }: Figures): Row[] => [
  ...errorRows("built-in reward", builtIn.exact, builtIn.rough, { error: "3 %", ranks: "0.995" }),
  ...errorRows("random weights", runs["one prompt each, in place"]!.scores!, runs["one prompt each, int8"]!.scores!),
];

function errorRows(on: string, exact: number[], rough: number[], target?: { error: string; ranks: string }): Row[] {
  const error = percent(rootMeanSquareError(exact, rough) / spread(exact));
  const ranks = rankCorrelation(exact, rough).toFixed(4);
  return [
    { what: `int8 error over the scores' spread, ${on}`, value: error, ...(target && { target: target.error }) },
    { what: `int8 rank correlation, ${on}`, value: ranks, ...(target && { target: target.ranks }) },
  ];
}

function upstreamRows(runs: Runs, upstream: NonNullable<Figures["upstream"]>): Row[] {
  const apart = runs["one prompt each, in place"]!.scores!.map((score, i) =>
    Math.abs(score - upstream.each.scores[i]!),
  );
  return [
    ...(["one", "each"] as const).flatMap((prompts) => ratioRows(runs, prompts, upstream[prompts])),
    { what: "upstream's peak memory", value: gb(upstream.one.peakBytes) },
    { what: "upstream's loading, after its imports", value: `${upstream.one.loadSeconds.toFixed(1)} s` },
    {
      what: "largest difference of a score from upstream's",
      value: Math.max(...apart).toExponential(1),
      target: "1e-4",
    },
  ];
}

const targets = { "in place": "1.25x", prepacked: "1.25x", int8: "3.5x" } as const;

function ratioRows(runs: Runs, prompts: "one" | "each", { imagesPerSecond }: UpstreamResult): Row[] {
  const name = prompts === "one" ? "one prompt for all" : "one prompt each";
  const ratios = Object.entries(targets).map(([form, target]) => ({
    what: `ratio to upstream, ${name}, ${form}`,
    value: `${(runs[`${name}, ${form}`]!.imagesPerSecond! / imagesPerSecond).toFixed(2)}x`,
    target,
  }));
  return [{ what: `upstream, ${name}`, value: `${imagesPerSecond.toFixed(3)} pictures/s` }, ...ratios];
}

export const printTable = (rows: readonly Row[]): void => console.log(tableLines(rows).join("\n"));

/** As Markdown has tables. */
export function tableLines(rows: readonly Row[]): string[] {
  const cells = [{ what: "what", value: "measured", target: "target" }, ...rows].map(
    ({ what, value, target = "" }) => [what, value, target] as const,
  );
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  const [head, ...body] = cells;
  return [line(head!), line(widths.map((width) => "-".repeat(width))), ...body.map(line)];
}
