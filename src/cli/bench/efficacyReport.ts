// What the efficacy bench found, as a table for people and a plot.

import { type Plot, plotPng } from "../../tuning/plot.ts";
import { type Course, type EfficacyCase, type EfficacySettings, milestones } from "./efficacyCase.ts";
import { bootstrap, type Interval, wilson } from "./statistics.ts";
import { type Row, tableLines } from "./table.ts";

const mean = (x: readonly number[]) => x.reduce((a, b) => a + b, 0) / x.length;
const percent = (share: number) => (100 * share).toFixed(1);
const signed = (points: number) => `${points >= 0 ? "+" : ""}${percent(points)}`;

type Way = "refine" | "select";
const names: Readonly<Record<Way, string>> = { refine: "refined", select: "selected" };

export function efficacyRows(cases: readonly EfficacyCase[]): Row[] {
  const looks = milestones.filter((count) => count <= cases[0]!.refine.right.length);
  const last = looks.at(-1) ?? 1;
  return [
    { what: "right before", value: shareOf(cases, "refine", 1) },
    ...looks.flatMap((count) =>
      (["refine", "select"] as const).map(
        (way): Row => ({ what: `right, ${names[way]}, ${count} looks`, value: shareOf(cases, way, count) }),
      ),
    ),
    ...looks.map(
      (count): Row => ({
        what: `points gained by refining, ${count} looks`,
        value: difference(cases, (each) => rightAt(each.refine, count) - rightAt(each.refine, 1)),
        ...(count === 25 ? { target: "+20" } : {}),
      }),
    ),
    ...looks.map(
      (count): Row => ({
        what: `points by which refining beats selecting, ${count} looks`,
        value: difference(cases, (each) => rightAt(each.refine, count) - rightAt(each.select, count)),
        ...(count === 25 ? { target: "+0" } : {}),
      }),
    ),
    { what: "reward before", value: rewardAt(cases, "refine", 1) },
    ...looks.flatMap((count) =>
      (["refine", "select"] as const).map(
        (way): Row => ({ what: `reward, ${names[way]}, ${count} looks`, value: rewardAt(cases, way, count) }),
      ),
    ),
    ...[1, ...looks].map(
      (count): Row => ({
        what: count === 1 ? "the noise before" : `the noise refined, ${count} looks`,
        value: noiseAt(cases, count),
      }),
    ),
    { what: "the noise of a selection", value: noiseAt(cases, last, "select") },
    { what: "right turned wrong, wrong turned right", value: turned(cases, last) },
  ];
}

const rightAt = (course: Course, looks: number) => Number(course.right[Math.min(looks, course.right.length) - 1]);

const written = ({ value, low, high }: Interval, form: (x: number) => string, unit: string) =>
  `${form(value)}${unit} (${form(low)} to ${form(high)})`;

const shareOf = (cases: readonly EfficacyCase[], way: Way, looks: number) =>
  written(
    wilson(
      cases.reduce((sum, each) => sum + rightAt(each[way], looks), 0),
      cases.length,
    ),
    percent,
    " %",
  );

/** By sentences: two seeds of one sentence are no two witnesses. */
function difference(cases: readonly EfficacyCase[], of: (each: EfficacyCase) => number): string {
  return written(bootstrap([...grouped(cases).values()].map((group) => group.map(of))), signed, "");
}

function grouped(cases: readonly EfficacyCase[]): Map<string, EfficacyCase[]> {
  const groups = new Map<string, EfficacyCase[]>();
  for (const each of cases) groups.set(each.sentence, [...(groups.get(each.sentence) ?? []), each]);
  return groups;
}

const rewardAt = (cases: readonly EfficacyCase[], way: Way, looks: number) =>
  mean(cases.map((each) => each[way].reward[Math.min(looks, each[way].reward.length) - 1]!)).toFixed(3);

function noiseAt(cases: readonly EfficacyCase[], looks: number, way: Way = "refine"): string {
  const all = cases.flatMap((each) => each[way].noise[looks] ?? []);
  const of = (name: "norm" | "mean" | "variance" | "excessKurtosis" | "distance") =>
    mean(all.map((each) => each[name])).toFixed(3);
  return `norm ${of("norm")}, mean ${of("mean")}, variance ${of("variance")}, kurtosis ${of("excessKurtosis")}, KS ${of("distance")}`;
}

function turned(cases: readonly EfficacyCase[], looks: number): string {
  const change = cases.map(({ refine }) => rightAt(refine, looks) - rightAt(refine, 1));
  return `${change.filter((each) => each < 0).length}, ${change.filter((each) => each > 0).length} of ${cases.length}`;
}

export const efficacyPlot = (cases: readonly EfficacyCase[]): Promise<Buffer> => plotPng(plotOf(cases));

function plotOf(cases: readonly EfficacyCase[]): Plot {
  const count = cases[0]!.refine.right.length;
  const curve = (way: Way) =>
    Array.from({ length: count }, (_, i) => [i + 1, mean(cases.map((each) => rightAt(each[way], i + 1)))] as const);
  return {
    title: `Right pictures by the exact checker: ${cases.length} held-out sentences and seeds`,
    xLabel: "looks at the model",
    low: 0,
    high: 1,
    curves: [
      { label: "refined", colour: "#1e8449", points: curve("refine") },
      { label: "best of fresh noise", colour: "#b9770e", points: curve("select") },
    ],
  };
}

export function efficacyText(rows: readonly Row[], settings: EfficacySettings): string {
  const { pipeline, iterations, sentences, seeds, optimizer = "sgd", lr = 5, reg = 0.01 } = settings;
  return `# Does refining help?

    npm run bench:efficacy

draws ${sentences} sentences that no training saw, with ${seeds} seeds each, by the built-in generator (${pipeline}), refines each picture's
noise by the built-in reward (${optimizer}, learning rate ${lr}, regulariser ${reg}, ${iterations} looks), and beside it takes the best of as many
pictures of fresh noise. Whether a picture is right, an exact checker says that no optimiser sees. In brackets the 95 % interval:
Wilson's for shares, a bootstrap over sentences for differences.

![Right pictures after each look](efficacy.png)

${tableLines(rows).join("\n")}
`;
}
