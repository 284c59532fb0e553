// A run's numbers as curves: what was optimised, what only looked on, and the noise.

import { useMemo } from "react";
import type { JobStep } from "../../../../src/server/api/jobs.ts";
import { Chart } from "./chart.tsx";
import classes from "./curves.module.css";
import { type Curve, curves, describeCurve, scoreText } from "./steps.ts";

export interface CurvesProps {
  readonly steps: readonly JobStep[];
  /** How many there will be. */
  readonly total: number;
  /** Positions in `steps`. */
  readonly shown: number;
  readonly best: number | undefined;
  readonly onChoose: (index: number) => void;
}

export function Curves(props: CurvesProps) {
  const { steps } = props;
  const optimised = useMemo(() => curves(steps, "rewards"), [steps]);
  const observed = useMemo(() => curves(steps, "observed"), [steps]);
  return (
    <div className={classes.curves}>
      {optimised.map((curve) => (
        <CurveChart key={curve.name} curve={curve} kind="optimised" colour="--accent-text" {...props} />
      ))}
      {observed.map((curve) => (
        <CurveChart key={curve.name} curve={curve} kind="not optimised" colour="--ok" dashed {...props} />
      ))}
      <NoiseChart {...props} />
    </div>
  );
}

interface CurveChartProps extends CurvesProps {
  readonly curve: Curve;
  /** Beside its name. */
  readonly kind: string;
  readonly colour: string;
  readonly dashed?: boolean;
  readonly expected?: number | undefined;
}

function CurveChart({ curve, kind, steps, total, shown, best, onChoose, ...look }: CurveChartProps) {
  const x = useMemo(() => steps.map(({ step }) => step), [steps]);
  const value = curve.values[shown];
  return (
    <figure className={classes.figure}>
      <figcaption>
        <span>{curve.name}</span>
        <span className={classes.kind}>{kind}</span>
        <span className={classes.value}>{value == null ? "–" : scoreText(value)}</span>
      </figcaption>
      <Chart
        {...look}
        label={`${kind}: ${describeCurve(curve)}`}
        x={x}
        y={curve.values}
        steps={total}
        chosen={x[shown]}
        best={best === undefined ? undefined : x[best]}
        onChoose={(step) => onChoose(x.indexOf(step))}
      />
    </figure>
  );
}

/** Noise that stays about as long as a Gaussian's, √d, is still noise that the model knows. */
function NoiseChart(props: CurvesProps) {
  const { steps } = props;
  const curve = useMemo(() => ({ name: "Noise norm", values: steps.map((step) => step.latentsNorm ?? null) }), [steps]);
  const size = steps.find(({ noiseSize }) => noiseSize !== undefined)?.noiseSize;
  const expected = size === undefined ? undefined : Math.sqrt(size);
  const kind = expected === undefined ? "its length" : `a Gaussian’s: √${size} = ${expected.toFixed(1)}, dashed`;
  return <CurveChart curve={curve} kind={kind} colour="--unscored" expected={expected} {...props} />;
}
