import {
  Button,
  Checkbox,
  Group,
  NumberInput,
  Select,
  SimpleGrid,
  Stack,
  Text,
  Textarea,
  TextInput,
} from "@mantine/core";
import { IconBrush } from "@tabler/icons-react";
import { type FormEvent, useState } from "react";
import type { Model } from "../../../../src/server/api/system.ts";
import { api } from "../../api.ts";
import { DemoBadge } from "../../components/demoBadge.tsx";
import { ErrorNote } from "../../components/errorNote.tsx";
import { Examples } from "../../components/examples.tsx";
import { Fold } from "../../components/fold.tsx";
import { demoRewards, isDemo, pipelinesOf, problemOf, requestOf, rewardsOf, type Values } from "./values.ts";

export interface GenerateFormProps {
  readonly models: readonly Model[];
  readonly initial: Values;
  readonly onStarted: (id: string) => void;
}

interface FieldsProps {
  readonly values: Values;
  readonly change: (change: Partial<Values>) => void;
  readonly models: readonly Model[];
}

export function GenerateForm({ models, initial, onStarted }: GenerateFormProps) {
  const [values, setValues] = useState(initial);
  const [error, setError] = useState<unknown>();
  const [sending, setSending] = useState(false);
  const problem = problemOf(values);
  const fields = { values, models, change: (change: Partial<Values>) => setValues((now) => ({ ...now, ...change })) };
  const start = async (event: FormEvent) => {
    event.preventDefault();
    setSending(true);
    setError(undefined);
    await api.generate(requestOf(values)).then(({ id }) => onStarted(id), setError);
    setSending(false);
  };
  return (
    <form onSubmit={start}>
      <Stack gap="sm">
        <ModelField {...fields} />
        <PromptFields {...fields} />
        <NumberFields {...fields} />
        <RewardFields {...fields} />
        <ErrorNote error={error} />
        <Group gap="sm">
          <Button
            type="submit"
            leftSection={<IconBrush size={18} aria-hidden />}
            loading={sending}
            disabled={!!problem}
          >
            Generate
          </Button>
          <Text size="sm" c="dimmed" role="status">
            {problem}
          </Text>
        </Group>
      </Stack>
    </form>
  );
}

/** Another model is judged by other rewards: the demo's by the demo's. */
function ModelField({ values, change, models }: FieldsProps) {
  const data = pipelinesOf(models).map(({ name, builtIn }) => ({
    value: name,
    label: builtIn ? `${name} (built-in demo)` : name,
  }));
  const choose = (model: string) => change({ model, ...(isDemo(models, model) && { rewards: demoRewards(models) }) });
  return (
    <Select
      label="Model"
      data={data}
      allowDeselect={false}
      value={values.model}
      onChange={(model) => model && choose(model)}
    />
  );
}

function PromptFields({ values, change, models }: FieldsProps) {
  return (
    <>
      <Textarea
        label="Prompt"
        autosize
        minRows={2}
        maxRows={8}
        value={values.prompt}
        onChange={({ currentTarget: { value } }) => change({ prompt: value })}
      />
      {isDemo(models, values.model) && <Examples onChoose={(prompt) => change({ prompt })} />}
    </>
  );
}

function NumberFields({ values, change }: FieldsProps) {
  const side = { min: 8, max: 4096, step: 8, allowDecimal: false, placeholder: "the model’s" };
  return (
    <>
      <SimpleGrid cols={2} spacing="sm">
        <NumberInput
          label="How many"
          min={1}
          max={64}
          allowDecimal={false}
          value={values.count}
          onChange={(count) => change({ count: Number(count) || 1 })}
        />
        <TextInput
          label="Seed"
          placeholder="any"
          inputMode="numeric"
          value={values.seed}
          onChange={({ currentTarget: { value } }) => change({ seed: value.trim() })}
        />
      </SimpleGrid>
      <Fold title="Negative prompt and size">
        <Stack gap="sm">
          <TextInput
            label="Negative prompt"
            value={values.negativePrompt}
            onChange={({ currentTarget: { value } }) => change({ negativePrompt: value })}
          />
          <SimpleGrid cols={2} spacing="sm">
            <NumberInput
              {...side}
              label="Width"
              value={values.width ?? ""}
              onChange={(width) => change({ width: Number(width) || undefined })}
            />
            <NumberInput
              {...side}
              label="Height"
              value={values.height ?? ""}
              onChange={(height) => change({ height: Number(height) || undefined })}
            />
          </SimpleGrid>
        </Stack>
      </Fold>
    </>
  );
}

function RewardFields({ values, change, models }: FieldsProps) {
  return (
    <Checkbox.Group
      label="Score each picture by"
      value={[...values.rewards]}
      onChange={(rewards) => change({ rewards })}
    >
      <Stack gap={6} mt={6}>
        {rewardsOf(models).map(({ name, builtIn }) => (
          <Group key={name} gap="xs">
            <Checkbox value={name} label={name} />
            {builtIn && <DemoBadge />}
          </Group>
        ))}
      </Stack>
    </Checkbox.Group>
  );
}
