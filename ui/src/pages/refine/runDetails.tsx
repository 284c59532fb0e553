// What a run was told, and what it has to say.

import type { Job } from "../../../../src/server/api/jobs.ts";
import { Card } from "../../components/card.tsx";
import { Facts } from "../../components/facts.tsx";
import { Fold } from "../../components/fold.tsx";
import classes from "./runDetails.module.css";

/** The request's fields by the names that the form has for them. */
const names: Readonly<Record<string, string>> = {
  prompt: "Prompt",
  negativePrompt: "Negative prompt",
  seed: "Seed",
  model: "Model",
  width: "Width",
  height: "Height",
  guidance: "Guidance",
  rewards: "Optimised",
  observe: "Not optimised",
  iterations: "Iterations",
  mode: "Way",
  optimizer: "Optimizer",
  learningRate: "Learning rate",
  gradientClip: "Gradient clip",
  regularization: "Regulariser",
  patience: "Patience",
};

export function RunDetails({ job: { notes, request } }: { job: Job }) {
  const facts = Object.entries(names).map(([key, name]) => [name, text(request[key])]);
  return (
    <>
      {notes.length > 0 && (
        <Card title="Notes">
          <ul className={classes.notes}>
            {notes.map((note) => (
              <li key={note}>{note}</li>
            ))}
          </ul>
        </Card>
      )}
      <Fold title="What was asked for">
        <Facts facts={Object.fromEntries(facts)} />
      </Fold>
    </>
  );
}

const text = (value: unknown): string | undefined =>
  Array.isArray(value) ? value.join(", ") : value === undefined || value === null ? undefined : String(value);
