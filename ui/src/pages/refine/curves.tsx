// A run's numbers as curves: what was optimised, what only looked on, and the noise.

import { SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { type ReactNode, useId, useMemo } from "react";
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
    <Stack gap="md">
      <Group title="Optimised">
        {optimised.map((curve) => (
          <CurveChart key={curve.name} curve={curve} colour="--accent-text" {...props} />
        ))}
      </Group>
      {observed.length > 0 && (
        <Group title="Not optimised" hint="They only look on.">
          {observed.map((curve) => (
            <CurveChart key={curve.name} curve={curve} colour="--ok" dashed {...props} />
          ))}
        </Group>
      )}
      <Group title="Noise" hint="Noise that stays about as long as a Gaussian’s is still noise that the model knows.">
        <NoiseChart {...props} />
      </Group>
    </Stack>
  );
}

function Group({ title, hint, children }: { title: string; hint?: string; children: ReactNode }) {
  const id = useId();
  return (
    <section aria-labelledby={id}>
      <Title order={3} size="h5" id={id}>
        {title}
      </Title>
      {hint && (
        <Text size="xs" c="dimmed">
          {hint}
        </Text>
      )}
      <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="md" mt={4}>
        {children}
      </SimpleGrid>
    </section>
  );
}

interface CurveChartProps extends CurvesProps {
  readonly curve: Curve;
  readonly colour: string;
  readonly dashed?: boolean;
  readonly expected?: number | undefined;
  readonly legend?: string | undefined;
}

function CurveChart({ curve, steps, total, shown, best, onChoose, legend, ...look }: CurveChartProps) {
  const x = useMemo(() => steps.map(({ step }) => step), [steps]);
  const value = curve.values[shown];
  return (
    <figure className={classes.figure}>
      <figcaption>
        <span>{curve.name}</span>
        <span className={classes.value}>{value == null ? "–" : scoreText(value)}</span>
        {legend && <span className={classes.legend}>{legend}</span>}
      </figcaption>
      <Chart
        {...look}
        label={[describeCurve(curve), legend].filter(Boolean).join(". ")}
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

function NoiseChart(props: CurvesProps) {
  const { steps } = props;
  const curve = useMemo(() => ({ name: "Noise norm", values: steps.map((step) => step.latentsNorm ?? null) }), [steps]);
  const size = steps.find(({ noiseSize }) => noiseSize !== undefined)?.noiseSize;
  const expected = size === undefined ? undefined : Math.sqrt(size);
  const legend = expected === undefined ? undefined : `dashed: a Gaussian’s, √${size} = ${expected.toFixed(2)}`;
  return <CurveChart curve={curve} colour="--unscored" expected={expected} legend={legend} {...props} />;
}
