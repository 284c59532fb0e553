// What few need: how the noise is moved. Each setting says what it does.

import { NumberInput, Select, SimpleGrid, TextInput } from "@mantine/core";
import type { FieldsProps, FormValues } from "./formValues.ts";

const numbers = [
  { key: "learningRate", label: "Learning rate", description: "How far a step goes", min: 0.001, step: 1 },
  {
    key: "gradientClip",
    label: "Gradient clip",
    description: "The longest that a gradient may be",
    min: 0.001,
    step: 0.05,
  },
  {
    key: "regularization",
    label: "Regulariser",
    description: "How firmly the noise is kept Gaussian",
    min: 0,
    step: 0.01,
  },
] as const;

const optimizers = [
  { value: "sgd", label: "SGD with momentum" },
  { value: "adam", label: "Adam" },
  { value: "lbfgs", label: "L-BFGS" },
];

const modes = [
  { value: "refine", label: "Improve the noise" },
  { value: "select", label: "Try fresh noise, keep the best" },
];

export function AdvancedFields({ values, change }: FieldsProps) {
  return (
    <>
      <TextInput
        label="Negative prompt"
        value={values.negativePrompt}
        onChange={({ currentTarget: { value } }) => change({ negativePrompt: value })}
      />
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <Select
          label="Way"
          description="A fair comparison: as many tries"
          data={modes}
          allowDeselect={false}
          value={values.mode}
          onChange={(mode) => change({ mode: mode as FormValues["mode"] })}
        />
        <Select
          label="Optimizer"
          description="How the noise is moved"
          data={optimizers}
          allowDeselect={false}
          disabled={values.mode === "select"}
          value={values.optimizer}
          onChange={(optimizer) => change({ optimizer: optimizer as FormValues["optimizer"] })}
        />
        {numbers.map(({ key, ...field }) => (
          <NumberInput
            key={key}
            {...field}
            decimalScale={4}
            disabled={values.mode === "select"}
            value={values[key]}
            onChange={(value) => value !== "" && change({ [key]: Number(value) })}
          />
        ))}
        <NumberInput
          label="Patience"
          description="Stops after so many steps without a new best"
          placeholder="never stops early"
          min={1}
          allowDecimal={false}
          value={values.patience ?? ""}
          onChange={(value) => change({ patience: Number(value) || undefined })}
        />
      </SimpleGrid>
    </>
  );
}
