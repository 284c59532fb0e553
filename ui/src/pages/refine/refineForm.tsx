import { Button, Group, NumberInput, SegmentedControl, Select, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { IconDice5, IconWand } from "@tabler/icons-react";
import { type FormEvent, useState } from "react";
import { useLocation } from "wouter";
import type { Model } from "../../../../src/server/api/system.ts";
import { api } from "../../api.ts";
import { DemoBadge } from "../../components/demoBadge.tsx";
import { ErrorNote } from "../../components/errorNote.tsx";
import { Examples } from "../../components/examples.tsx";
import { Fold } from "../../components/fold.tsx";
import { TextLink } from "../../components/textLink.tsx";
import { AdvancedFields } from "./advancedFields.tsx";
import { demoIterations, demoName } from "./demo.ts";
import {
  type FieldsProps,
  type FormValues,
  optimisedOf,
  problemOf,
  type Role,
  randomSeed,
  readyPipelines,
  readyRewards,
  requestOf,
  usualIterations,
} from "./formValues.ts";
import type { Origin } from "./origin.ts";
import classes from "./refineForm.module.css";

export interface RefineFormProps {
  readonly origin: Origin;
  readonly models: readonly Model[];
  readonly initial: FormValues;
}

export function RefineForm({ origin, models, initial }: RefineFormProps) {
  const [values, setValues] = useState(initial);
  const { start, sending, error } = useStart(values, origin);
  const change = (change: Partial<FormValues>) => setValues((now) => ({ ...now, ...change }));
  const problem = problemOf(values, origin);
  const fields = { values, change };
  return (
    <form onSubmit={start}>
      <Stack gap="md">
        <WordFields {...fields} origin={origin} />
        {!origin.image && drawsShapes(values, models) && <Examples onChoose={(prompt) => change({ prompt })} />}
        <RewardFields {...fields} rewards={readyRewards(models)} />
        <Iterations {...fields} />
        <Fold title="Advanced settings">
          <Stack gap="sm">
            <ModelField {...fields} pipelines={readyPipelines(models)} named={origin.model} />
            <AdvancedFields {...fields} />
          </Stack>
        </Fold>
        <ErrorNote error={error} />
        <Group gap="sm">
          <Button type="submit" leftSection={<IconWand size={18} aria-hidden />} loading={sending} disabled={!!problem}>
            Refine
          </Button>
          <Text size="sm" c="dimmed" role="status">
            {problem}
          </Text>
        </Group>
      </Stack>
    </form>
  );
}

/** Whether it will be the demo model that draws. */
const drawsShapes = ({ model }: FormValues, models: readonly Model[]) =>
  readyPipelines(models).every(({ name, builtIn }) => builtIn || (model !== "" && name !== model));

function useStart(values: FormValues, origin: Origin) {
  const [, navigate] = useLocation();
  const [sending, setSending] = useState(false);
  const [error, setError] = useState<unknown>();
  const start = async (event: FormEvent) => {
    event.preventDefault();
    setSending(true);
    setError(undefined);
    try {
      const { id } = await api.refine(requestOf(values, origin));
      navigate(`/refine/${id}`);
    } catch (failure) {
      setError(failure);
      setSending(false);
    }
  };
  return { start, sending, error };
}

/** With a picture its own words stand there and may be changed; its seed is asked for only where the file has none. */
function WordFields({ values, change, origin }: FieldsProps & { origin: Origin }) {
  return (
    <>
      <Textarea
        label="Prompt"
        description={
          origin.image ? "From the picture’s file. Changed, the noise stays and the words are new." : undefined
        }
        autosize
        minRows={2}
        maxRows={8}
        value={values.prompt}
        onChange={({ currentTarget: { value } }) => change({ prompt: value })}
      />
      {origin.seed === null && (
        <Group align="end" gap="xs">
          <TextInput
            label="Seed"
            description="The noise to begin with"
            inputMode="numeric"
            value={values.seed}
            onChange={({ currentTarget: { value } }) => change({ seed: value.trim() })}
            style={{ flex: 1 }}
          />
          <Button
            variant="default"
            leftSection={<IconDice5 size={18} aria-hidden />}
            onClick={() => change({ seed: randomSeed() })}
          >
            Random
          </Button>
        </Group>
      )}
    </>
  );
}

const roles: readonly { value: Role; label: string }[] = [
  { value: "optimise", label: "Optimise" },
  { value: "observe", label: "Observe" },
  { value: "off", label: "Off" },
];

function RewardFields({ values, change, rewards }: FieldsProps & { rewards: readonly Model[] }) {
  return (
    <fieldset className={classes.rewards}>
      <legend>Rewards</legend>
      <Text size="xs" c="dimmed" mb={6}>
        What is optimised leads the way. What observes judges every step without leading, and so tells whether the first
        was only flattered.
      </Text>
      {rewards.map(({ name, builtIn }) => (
        <div key={name} className={classes.reward}>
          <span className={classes.name}>
            {name}
            {builtIn && <DemoBadge />}
          </span>
          <SegmentedControl
            size="xs"
            aria-label={`What ${name} does`}
            data={[...roles]}
            value={values.roles[name] ?? "off"}
            onChange={(role) => change({ roles: { ...values.roles, [name]: role as Role } })}
          />
        </div>
      ))}
      {rewards.length < 2 && (
        <Text size="xs" c="dimmed" mt={6}>
          With a second reward the result can be judged by one that was not optimised.{" "}
          <TextLink href="/models">Add one</TextLink>.
        </Text>
      )}
    </fieldset>
  );
}

function Iterations({ values, change }: FieldsProps) {
  const demo = optimisedOf(values).every((name) => name === demoName);
  return (
    <NumberInput
      label="Iterations"
      description={
        demo
          ? `The built-in demo reward helped most at about ${demoIterations}; from about 20 on it tends to be gamed.`
          : "50 is the method’s own choice. The best step is kept, wherever it lies."
      }
      min={1}
      max={10_000}
      allowDecimal={false}
      value={values.iterations ?? usualIterations(values)}
      onChange={(value) => change({ iterations: Number(value) || undefined })}
    />
  );
}

function ModelField({
  values,
  change,
  pipelines,
  named,
}: FieldsProps & { pipelines: readonly Model[]; named: string | null }) {
  const data = pipelines.map(({ name, builtIn }) => ({
    value: name,
    label: builtIn ? `${name} (built-in demo)` : name,
  }));
  return (
    <Select
      label="Model"
      description="Another model than the picture’s begins with another picture."
      placeholder={named ? `As the file says: ${named}` : "Renoir chooses, and says why"}
      data={data}
      clearable
      value={values.model || null}
      onChange={(model) => change({ model: model ?? "" })}
    />
  );
}
