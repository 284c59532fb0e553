// How the scores are spread, with the two limits between weak, ok and great on it, to be dragged.

import { Group, Text } from "@mantine/core";
import { type KeyboardEvent, type PointerEvent, useRef } from "react";
import type { Bucket, Histogram as Spread } from "../../../../src/server/api/library.ts";
import { bucketOf, formatScore, type Limits } from "../../components/scoreBadge.tsx";
import classes from "./histogram.module.css";

export interface HistogramProps {
  readonly spread: Spread | undefined;
  readonly limits: Limits;
  /** Those shown; the others' bars are pale. Undefined: all. */
  readonly shown: readonly Bucket[] | undefined;
  readonly onChange: (limits: Limits) => void;
}

const STEPS = 100; // an arrow key moves a limit by a hundredth of the axis

export function Histogram({ spread, limits, shown, onChange }: HistogramProps) {
  const axis = axisOf(spread, limits);
  const track = useRef<HTMLDivElement>(null);
  const scoreAt = (clientX: number) => {
    const { left, width } = track.current!.getBoundingClientRect();
    return axis.from + ((clientX - left) / width) * (axis.to - axis.from);
  };
  const move = (which: keyof Limits, score: number) => {
    const [low, high] = which === "weak" ? [axis.from, limits.great] : [limits.weak, axis.to];
    const value = round(Math.min(high, Math.max(low, score)));
    if (value !== limits[which]) onChange({ ...limits, [which]: value });
  };
  const sliders = { limits, axis, scoreAt, onMove: move };
  return (
    <div>
      <div className={classes.track} ref={track}>
        <Bars spread={spread} axis={axis} limits={limits} shown={shown} />
        <Limit which="weak" label="Weak below" {...sliders} />
        <Limit which="great" label="Great from" {...sliders} />
      </div>
      <Group justify="space-between" mt={4}>
        <Text size="xs" c="dimmed">
          {formatScore(axis.from)}
        </Text>
        <Text size="xs" c="dimmed">
          {formatScore(axis.to)}
        </Text>
      </Group>
    </div>
  );
}

interface Axis {
  readonly from: number;
  readonly to: number;
}

interface BarsProps extends Pick<HistogramProps, "spread" | "limits" | "shown"> {
  readonly axis: Axis;
}

function Bars({ spread, axis, limits, shown }: BarsProps) {
  const bins = spread?.bins ?? [];
  const highest = Math.max(1, ...bins);
  const width = spread && bins.length > 0 ? (spread.to - spread.from) / bins.length : 0;
  const share = (scores: number) => (100 * scores) / (axis.to - axis.from);
  const scored = spread ? spread.buckets.great + spread.buckets.ok + spread.buckets.weak : 0;
  return (
    <svg
      className={classes.bars}
      viewBox="0 0 100 100"
      preserveAspectRatio="none"
      role="img"
      aria-label={`How ${scored.toLocaleString()} scores are spread between ${formatScore(axis.from)} and ${formatScore(axis.to)}`}
    >
      {bins.map((count, index) => {
        const from = spread!.from + index * width;
        const bucket = bucketOf(from + width / 2, limits);
        const height = count === 0 ? 0 : Math.max(1.5, (96 * count) / highest); // a single picture is still seen
        return (
          <rect
            // biome-ignore lint/suspicious/noArrayIndexKey: a bar is its place; until there is a score all begin at 0
            key={index}
            x={share(from - axis.from) + share(width) * 0.08}
            y={100 - height}
            width={Math.max(0.3, share(width) * 0.84)}
            height={height}
            data-bucket={bucket}
            data-pale={(shown && !shown.includes(bucket)) || undefined}
          />
        );
      })}
    </svg>
  );
}

interface LimitProps {
  readonly which: keyof Limits;
  readonly label: string;
  readonly limits: Limits;
  readonly axis: Axis;
  readonly scoreAt: (clientX: number) => number;
  readonly onMove: (which: keyof Limits, score: number) => void;
}

function Limit({ which, label, limits, axis, scoreAt, onMove }: LimitProps) {
  const value = limits[which];
  const step = (axis.to - axis.from) / STEPS;
  const keys: Record<string, number> = {
    ArrowLeft: value - step,
    ArrowDown: value - step,
    ArrowRight: value + step,
    ArrowUp: value + step,
    PageDown: value - 10 * step,
    PageUp: value + 10 * step,
    Home: axis.from,
    End: axis.to,
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const to = keys[event.key];
    if (to === undefined) return;
    event.preventDefault();
    onMove(which, to);
  };
  const onPointerDown = (event: PointerEvent<HTMLDivElement>) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    event.currentTarget.focus();
  };
  const onPointerMove = (event: PointerEvent<HTMLDivElement>) => {
    if (event.currentTarget.hasPointerCapture(event.pointerId)) onMove(which, scoreAt(event.clientX));
  };
  return (
    <div
      className={classes.limit}
      data-which={which}
      style={{ left: `${(100 * (value - axis.from)) / (axis.to - axis.from)}%` }}
      role="slider"
      tabIndex={0}
      aria-label={label}
      aria-orientation="horizontal"
      aria-valuemin={axis.from}
      aria-valuemax={axis.to}
      aria-valuenow={value}
      aria-valuetext={formatScore(value)}
      onKeyDown={onKeyDown}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
    >
      <span className={classes.value}>{formatScore(value)}</span>
    </div>
  );
}

/** Round ends around all scores and both limits, so that a limit can lie outside of what there is. */
function axisOf(spread: Spread | undefined, limits: Limits): Axis {
  const scored = spread !== undefined && spread.to > spread.from;
  const from = Math.min(scored ? spread.from : limits.weak - 1, limits.weak);
  const to = Math.max(scored ? spread.to : limits.great + 1, limits.great);
  const unit = to - from > 20 ? 5 : to - from > 2 ? 0.5 : 0.05;
  return { from: round(Math.floor(from / unit) * unit), to: round(Math.ceil(to / unit + 1e-9) * unit) };
}

const round = (score: number) => Math.round(score * 1000) / 1000;
