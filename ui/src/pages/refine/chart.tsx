// One curve over a run's steps, drawn by uPlot: it takes a new point many times a second without React drawing anything.

import { useComputedColorScheme } from "@mantine/core";
import { useElementSize, useMergedRef } from "@mantine/hooks";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import classes from "./chart.module.css";

export interface ChartProps {
  /** Said by screen readers in place of the picture. */
  readonly label: string;
  readonly x: readonly number[];
  readonly y: readonly (number | null)[];
  /** The steps that there will be: the curve grows into its place instead of shrinking while it goes on. */
  readonly steps: number;
  /** A custom property of the theme. */
  readonly colour: string;
  readonly dashed?: boolean;
  /** A level to compare with. */
  readonly expected?: number | undefined;
  readonly chosen?: number | undefined;
  readonly best?: number | undefined;
  readonly onChoose?: (step: number) => void;
}

const height = 148;

export function Chart(props: ChartProps) {
  const { ref: measured, width } = useElementSize<HTMLDivElement>();
  const element = useRef<HTMLDivElement>(null);
  const ref = useMergedRef(measured, element);
  const scheme = useComputedColorScheme("light");
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const drawable = width > 0;

  // biome-ignore lint/correctness/useExhaustiveDependencies: the colours are read from the theme, so another scheme draws anew
  useEffect(() => {
    if (!drawable || !element.current) return;
    const chart = new uPlot(options(element.current, latest), dataOf(latest.current), element.current);
    plot.current = chart;
    return () => {
      chart.destroy();
      plot.current = null;
    };
  }, [drawable, scheme, props.colour, props.dashed]);

  useEffect(() => {
    if (width > 0) plot.current?.setSize({ width, height });
  }, [width]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: whatever is drawn has changed
  useEffect(() => {
    plot.current?.setData(dataOf(latest.current));
  }, [props.x, props.y, props.steps, props.chosen, props.best, props.expected]);

  return <div ref={ref} className={classes.chart} role="img" aria-label={props.label} />;
}

const dataOf = ({ x, y }: ChartProps): uPlot.AlignedData => [[...x], [...y]];

type Latest = { readonly current: ChartProps };

function options(element: HTMLElement, latest: Latest): uPlot.Options {
  const colour = (name: string) => resolved(element, name);
  const text = colour("--text-soft");
  const axis = { stroke: text, grid: { stroke: colour("--chart-grid"), width: 1 }, ticks: { show: false }, gap: 4 };
  return {
    width: element.clientWidth,
    height,
    legend: { show: false },
    cursor: { sync: { key: "steps" }, y: false, drag: { x: false, y: false }, points: { size: 8 } },
    padding: [8, 10, 0, 0],
    scales: {
      x: { time: false, range: () => [0, Math.max(1, latest.current.steps - 1)] },
      y: { range: rangeOf(latest) },
    },
    axes: [
      { ...axis, size: 24, space: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000] },
      { ...axis, size: 46, space: 32 },
    ],
    series: [
      {},
      {
        stroke: colour(latest.current.colour),
        width: 2,
        spanGaps: true,
        points: { size: 5 },
        ...(latest.current.dashed && { dash: [6, 4] }),
      },
    ],
    hooks: {
      drawClear: [(chart) => drawExpected(chart, latest.current, text)],
      draw: [(chart) => drawMarks(chart, latest.current, { best: colour("--chart-best"), chosen: text })],
      ready: [(chart) => listen(chart, latest)],
    },
  };
}

/** A canvas knows no custom properties and no light-dark(): what a colour comes to, an element that wears it tells. */
function resolved(element: HTMLElement, name: string): string {
  const probe = element.appendChild(document.createElement("span"));
  probe.style.color = `var(${name})`;
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** Round the values and what they are compared with, and never so narrow that rounding looks like a landslide. */
const rangeOf =
  (latest: Latest): uPlot.Range.Function =>
  (_, min, max) => {
    const { expected } = latest.current;
    const low = Math.min(min ?? 0, expected ?? Number.POSITIVE_INFINITY);
    const high = Math.max(max ?? 1, expected ?? Number.NEGATIVE_INFINITY);
    const middle = (low + high) / 2;
    const reach = Math.max((high - low) * 0.58, Math.abs(middle) * (expected === undefined ? 0.005 : 0.04), 1e-6);
    return [middle - reach, middle + reach];
  };

function drawExpected(chart: uPlot, { expected }: ChartProps, colour: string) {
  if (expected === undefined) return;
  const y = chart.valToPos(expected, "y", true);
  line(chart, colour, [chart.bbox.left, y], [chart.bbox.left + chart.bbox.width, y]);
}

function drawMarks(chart: uPlot, { chosen, best, x, y }: ChartProps, colours: { best: string; chosen: string }) {
  if (chosen !== undefined) {
    const left = chart.valToPos(chosen, "x", true);
    line(chart, colours.chosen, [left, chart.bbox.top], [left, chart.bbox.top + chart.bbox.height]);
  }
  const value = best === undefined ? undefined : y[x.indexOf(best)];
  if (best === undefined || value == null) return;
  const { ctx } = chart;
  ctx.save();
  ctx.fillStyle = colours.best;
  ctx.beginPath();
  ctx.arc(chart.valToPos(best, "x", true), chart.valToPos(value, "y", true), 5 * uPlot.pxRatio, 0, 2 * Math.PI);
  ctx.fill();
  ctx.restore();
}

function line({ ctx }: uPlot, colour: string, from: [number, number], to: [number, number]) {
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = uPlot.pxRatio;
  ctx.setLineDash([3 * uPlot.pxRatio, 3 * uPlot.pxRatio]);
  ctx.beginPath();
  ctx.moveTo(...from);
  ctx.lineTo(...to);
  ctx.stroke();
  ctx.restore();
}

function listen(chart: uPlot, latest: Latest) {
  chart.over.addEventListener("click", () => {
    const step = latest.current.x[chart.cursor.idx ?? -1];
    if (step !== undefined) latest.current.onChoose?.(step);
  });
}
